-- How many builds of each namespace stand where and have which artifacts (a sum of powers of two), so that nobody has to
-- count a million builds. Triggers only add rows, which nobody waits for; they are folded into one of each kind later.
CREATE TABLE cs_build_count (
    namespace_id INTEGER NOT NULL,
    status VARCHAR(9) NOT NULL,
    artifacts INTEGER NOT NULL,
    builds BIGINT NOT NULL,
    is_folded BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX cs_build_count_folded ON cs_build_count (namespace_id, status, artifacts) WHERE is_folded;
CREATE INDEX cs_build_count_new ON cs_build_count (namespace_id) WHERE NOT is_folded;

CREATE FUNCTION cs_artifact_bit(artifact_type VARCHAR) RETURNS INTEGER LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE artifact_type WHEN 'DIRECTORY' THEN 1 WHEN 'LOCKFILE' THEN 2 WHEN 'LOGS' THEN 4 WHEN 'YAML' THEN 8
        WHEN 'CONDA_PACK' THEN 16 WHEN 'DOCKER_BLOB' THEN 32 WHEN 'DOCKER_MANIFEST' THEN 64
        WHEN 'CONTAINER_REGISTRY' THEN 128 WHEN 'CONSTRUCTOR_INSTALLER' THEN 256 ELSE 0 END
$$;

CREATE FUNCTION cs_count_build() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO cs_build_count
            SELECT e.namespace_id, coalesce(OLD.status, ''),
                (SELECT coalesce(bit_or(cs_artifact_bit(a.artifact_type)), 0) FROM build_artifact a WHERE a.build_id = OLD.id),
                -1, false
            FROM environment e WHERE e.id = OLD.environment_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO cs_build_count
            SELECT e.namespace_id, coalesce(NEW.status, ''),
                (SELECT coalesce(bit_or(cs_artifact_bit(a.artifact_type)), 0) FROM build_artifact a WHERE a.build_id = NEW.id),
                1, false
            FROM environment e WHERE e.id = NEW.environment_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER cs_count_build AFTER INSERT OR DELETE OR UPDATE OF status ON build
    FOR EACH ROW EXECUTE FUNCTION cs_count_build();

-- The artifacts that a build had before a statement are those that it has now without the new or with the deleted ones.
CREATE FUNCTION cs_count_artifacts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Where a build stands does not change before this is over.
    PERFORM 1 FROM build WHERE id IN (SELECT build_id FROM changed) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO cs_build_count
        SELECT e.namespace_id, coalesce(b.status, ''), counted.artifacts, counted.builds, false
        FROM build b JOIN environment e ON e.id = b.environment_id
        CROSS JOIN LATERAL (
            SELECT coalesce(bit_or(cs_artifact_bit(a.artifact_type)), 0) AS artifacts,
                CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END AS builds
            FROM (SELECT artifact_type FROM build_artifact WHERE build_id = b.id
                UNION ALL SELECT artifact_type FROM changed WHERE build_id = b.id) a
            UNION ALL
            SELECT coalesce(bit_or(cs_artifact_bit(a.artifact_type)), 0), CASE TG_OP WHEN 'INSERT' THEN -1 ELSE 1 END
            FROM build_artifact a WHERE a.build_id = b.id AND a.id NOT IN (SELECT id FROM changed)
        ) counted
        WHERE b.id IN (SELECT build_id FROM changed);
    RETURN NULL;
END
$$;
CREATE TRIGGER cs_count_new_artifacts AFTER INSERT ON build_artifact
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cs_count_artifacts();
CREATE TRIGGER cs_count_deleted_artifacts AFTER DELETE ON build_artifact
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cs_count_artifacts();

INSERT INTO cs_build_count
    SELECT e.namespace_id, coalesce(b.status, ''), coalesce(a.artifacts, 0), count(*), true
    FROM build b JOIN environment e ON e.id = b.environment_id
    LEFT JOIN (SELECT build_id, bit_or(cs_artifact_bit(artifact_type)) AS artifacts FROM build_artifact GROUP BY build_id) a
        ON a.build_id = b.id
    GROUP BY 1, 2, 3;
