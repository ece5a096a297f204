-- How many builds of each namespace stand where and have which artifacts (a sum of powers of two), so that nobody has to
-- count a million builds. Triggers only add rows, as with PostgreSQL; they are folded into one of each kind later.
CREATE TABLE cs_build_count (
    namespace_id INTEGER NOT NULL,
    status VARCHAR(9) NOT NULL,
    artifacts INTEGER NOT NULL,
    builds BIGINT NOT NULL,
    is_folded BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX cs_build_count_folded ON cs_build_count (namespace_id, status, artifacts) WHERE is_folded;
CREATE INDEX cs_build_count_new ON cs_build_count (namespace_id) WHERE NOT is_folded;

CREATE TRIGGER cs_count_new_build AFTER INSERT ON build BEGIN
    INSERT INTO cs_build_count
        SELECT e.namespace_id, coalesce(NEW.status, ''),
            (SELECT coalesce(sum(CASE t.artifact_type WHEN 'DIRECTORY' THEN 1 WHEN 'LOCKFILE' THEN 2 WHEN 'LOGS' THEN 4
            WHEN 'YAML' THEN 8 WHEN 'CONDA_PACK' THEN 16 WHEN 'DOCKER_BLOB' THEN 32 WHEN 'DOCKER_MANIFEST' THEN 64
            WHEN 'CONTAINER_REGISTRY' THEN 128 WHEN 'CONSTRUCTOR_INSTALLER' THEN 256 ELSE 0 END), 0)
            FROM (SELECT DISTINCT artifact_type FROM build_artifact a WHERE a.build_id = NEW.id) t),
            1, false
        FROM environment e WHERE e.id = NEW.environment_id;
END;
CREATE TRIGGER cs_count_deleted_build AFTER DELETE ON build BEGIN
    INSERT INTO cs_build_count
        SELECT e.namespace_id, coalesce(OLD.status, ''),
            (SELECT coalesce(sum(CASE t.artifact_type WHEN 'DIRECTORY' THEN 1 WHEN 'LOCKFILE' THEN 2 WHEN 'LOGS' THEN 4
            WHEN 'YAML' THEN 8 WHEN 'CONDA_PACK' THEN 16 WHEN 'DOCKER_BLOB' THEN 32 WHEN 'DOCKER_MANIFEST' THEN 64
            WHEN 'CONTAINER_REGISTRY' THEN 128 WHEN 'CONSTRUCTOR_INSTALLER' THEN 256 ELSE 0 END), 0)
            FROM (SELECT DISTINCT artifact_type FROM build_artifact a WHERE a.build_id = OLD.id) t),
            -1, false
        FROM environment e WHERE e.id = OLD.environment_id;
END;
CREATE TRIGGER cs_count_changed_build AFTER UPDATE OF status ON build BEGIN
    INSERT INTO cs_build_count
        SELECT e.namespace_id, coalesce(OLD.status, ''),
            (SELECT coalesce(sum(CASE t.artifact_type WHEN 'DIRECTORY' THEN 1 WHEN 'LOCKFILE' THEN 2 WHEN 'LOGS' THEN 4
            WHEN 'YAML' THEN 8 WHEN 'CONDA_PACK' THEN 16 WHEN 'DOCKER_BLOB' THEN 32 WHEN 'DOCKER_MANIFEST' THEN 64
            WHEN 'CONTAINER_REGISTRY' THEN 128 WHEN 'CONSTRUCTOR_INSTALLER' THEN 256 ELSE 0 END), 0)
            FROM (SELECT DISTINCT artifact_type FROM build_artifact a WHERE a.build_id = OLD.id) t),
            -1, false
        FROM environment e WHERE e.id = OLD.environment_id;
    INSERT INTO cs_build_count
        SELECT e.namespace_id, coalesce(NEW.status, ''),
            (SELECT coalesce(sum(CASE t.artifact_type WHEN 'DIRECTORY' THEN 1 WHEN 'LOCKFILE' THEN 2 WHEN 'LOGS' THEN 4
            WHEN 'YAML' THEN 8 WHEN 'CONDA_PACK' THEN 16 WHEN 'DOCKER_BLOB' THEN 32 WHEN 'DOCKER_MANIFEST' THEN 64
            WHEN 'CONTAINER_REGISTRY' THEN 128 WHEN 'CONSTRUCTOR_INSTALLER' THEN 256 ELSE 0 END), 0)
            FROM (SELECT DISTINCT artifact_type FROM build_artifact a WHERE a.build_id = NEW.id) t),
            1, false
        FROM environment e WHERE e.id = NEW.environment_id;
END;
CREATE TRIGGER cs_count_new_artifact AFTER INSERT ON build_artifact BEGIN
    INSERT INTO cs_build_count
        SELECT e.namespace_id, coalesce(b.status, ''),
            (SELECT coalesce(sum(CASE t.artifact_type WHEN 'DIRECTORY' THEN 1 WHEN 'LOCKFILE' THEN 2 WHEN 'LOGS' THEN 4
            WHEN 'YAML' THEN 8 WHEN 'CONDA_PACK' THEN 16 WHEN 'DOCKER_BLOB' THEN 32 WHEN 'DOCKER_MANIFEST' THEN 64
            WHEN 'CONTAINER_REGISTRY' THEN 128 WHEN 'CONSTRUCTOR_INSTALLER' THEN 256 ELSE 0 END), 0)
            FROM (SELECT DISTINCT artifact_type FROM build_artifact a WHERE a.build_id = NEW.build_id AND a.id <> NEW.id) t),
            -1, false
        FROM build b JOIN environment e ON e.id = b.environment_id WHERE b.id = NEW.build_id;
    INSERT INTO cs_build_count
        SELECT e.namespace_id, coalesce(b.status, ''),
            (SELECT coalesce(sum(CASE t.artifact_type WHEN 'DIRECTORY' THEN 1 WHEN 'LOCKFILE' THEN 2 WHEN 'LOGS' THEN 4
            WHEN 'YAML' THEN 8 WHEN 'CONDA_PACK' THEN 16 WHEN 'DOCKER_BLOB' THEN 32 WHEN 'DOCKER_MANIFEST' THEN 64
            WHEN 'CONTAINER_REGISTRY' THEN 128 WHEN 'CONSTRUCTOR_INSTALLER' THEN 256 ELSE 0 END), 0)
            FROM (SELECT DISTINCT artifact_type FROM build_artifact a WHERE a.build_id = NEW.build_id) t),
            1, false
        FROM build b JOIN environment e ON e.id = b.environment_id WHERE b.id = NEW.build_id;
END;
CREATE TRIGGER cs_count_deleted_artifact AFTER DELETE ON build_artifact BEGIN
    INSERT INTO cs_build_count
        SELECT e.namespace_id, coalesce(b.status, ''),
            (SELECT coalesce(sum(CASE t.artifact_type WHEN 'DIRECTORY' THEN 1 WHEN 'LOCKFILE' THEN 2 WHEN 'LOGS' THEN 4
            WHEN 'YAML' THEN 8 WHEN 'CONDA_PACK' THEN 16 WHEN 'DOCKER_BLOB' THEN 32 WHEN 'DOCKER_MANIFEST' THEN 64
            WHEN 'CONTAINER_REGISTRY' THEN 128 WHEN 'CONSTRUCTOR_INSTALLER' THEN 256 ELSE 0 END), 0)
            FROM (SELECT DISTINCT artifact_type FROM build_artifact a WHERE a.build_id = OLD.build_id) t),
            1, false
        FROM build b JOIN environment e ON e.id = b.environment_id WHERE b.id = OLD.build_id;
    INSERT INTO cs_build_count
        SELECT e.namespace_id, coalesce(b.status, ''),
            (SELECT coalesce(sum(CASE t.artifact_type WHEN 'DIRECTORY' THEN 1 WHEN 'LOCKFILE' THEN 2 WHEN 'LOGS' THEN 4
            WHEN 'YAML' THEN 8 WHEN 'CONDA_PACK' THEN 16 WHEN 'DOCKER_BLOB' THEN 32 WHEN 'DOCKER_MANIFEST' THEN 64
            WHEN 'CONTAINER_REGISTRY' THEN 128 WHEN 'CONSTRUCTOR_INSTALLER' THEN 256 ELSE 0 END), 0)
            FROM (SELECT DISTINCT artifact_type FROM build_artifact a WHERE a.build_id = OLD.build_id
                UNION SELECT OLD.artifact_type) t),
            -1, false
        FROM build b JOIN environment e ON e.id = b.environment_id WHERE b.id = OLD.build_id;
END;

INSERT INTO cs_build_count
    SELECT namespace_id, status, artifacts, count(*), true FROM (
        SELECT e.namespace_id, coalesce(b.status, '') AS status,
            (SELECT coalesce(sum(CASE t.artifact_type WHEN 'DIRECTORY' THEN 1 WHEN 'LOCKFILE' THEN 2 WHEN 'LOGS' THEN 4
            WHEN 'YAML' THEN 8 WHEN 'CONDA_PACK' THEN 16 WHEN 'DOCKER_BLOB' THEN 32 WHEN 'DOCKER_MANIFEST' THEN 64
            WHEN 'CONTAINER_REGISTRY' THEN 128 WHEN 'CONSTRUCTOR_INSTALLER' THEN 256 ELSE 0 END), 0)
            FROM (SELECT DISTINCT artifact_type FROM build_artifact a WHERE a.build_id = b.id) t) AS artifacts
        FROM build b JOIN environment e ON e.id = b.environment_id)
    GROUP BY namespace_id, status, artifacts;
