-- What builds have in common (where they stand, their namespace, an artifact, a package, that users get them), each with the
-- set of builds that have it: lists of any number of conditions, and their lengths, are made of a few sets, however many
-- builds there are. Sets are in the format of Roaring bitmaps, a row for every 65536 ids.
CREATE TABLE cs_build_fact (
    fact VARCHAR(300) COLLATE "C" NOT NULL,
    block INTEGER NOT NULL,
    builds BYTEA NOT NULL,
    PRIMARY KEY (fact, block)
);
-- They are as small as they get.
ALTER TABLE cs_build_fact ALTER COLUMN builds SET STORAGE EXTERNAL;

-- Builds of which the sets may say what is no longer true. Triggers only add rows, which nobody waits for; they are taken
-- away by whoever brings the sets up to date. `has_less` where a build lost packages.
CREATE TABLE cs_changed_build (
    build_id INTEGER NOT NULL,
    has_less BOOLEAN NOT NULL
);
CREATE INDEX cs_changed_build_id ON cs_changed_build (build_id);

CREATE FUNCTION cs_note_build() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO cs_changed_build VALUES (OLD.id, true);
    ELSE
        INSERT INTO cs_changed_build VALUES (NEW.id, false);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER cs_note_build AFTER INSERT OR DELETE ON build FOR EACH ROW EXECUTE FUNCTION cs_note_build();
CREATE TRIGGER cs_note_changed_build AFTER UPDATE OF status ON build FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION cs_note_build();

CREATE FUNCTION cs_note_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cs_changed_build
        SELECT DISTINCT build_id, TG_OP = 'DELETE' AND TG_TABLE_NAME = 'build_conda_package_build'
        FROM changed WHERE build_id IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER cs_note_new_artifacts AFTER INSERT ON build_artifact
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cs_note_parts();
CREATE TRIGGER cs_note_deleted_artifacts AFTER DELETE ON build_artifact
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cs_note_parts();
CREATE TRIGGER cs_note_new_packages AFTER INSERT ON build_conda_package_build
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cs_note_parts();
CREATE TRIGGER cs_note_deleted_packages AFTER DELETE ON build_conda_package_build
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION cs_note_parts();

-- Which build of an environment users get, if the environment and its namespace are not deleted.
CREATE FUNCTION cs_note_current() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.current_build_id IS NOT NULL THEN
        INSERT INTO cs_changed_build VALUES (OLD.current_build_id, false);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.current_build_id IS NOT NULL THEN
        INSERT INTO cs_changed_build VALUES (NEW.current_build_id, false);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER cs_note_current AFTER INSERT OR DELETE ON environment
    FOR EACH ROW EXECUTE FUNCTION cs_note_current();
CREATE TRIGGER cs_note_new_current AFTER UPDATE OF current_build_id, deleted_on ON environment FOR EACH ROW
    WHEN (OLD.current_build_id IS DISTINCT FROM NEW.current_build_id OR OLD.deleted_on IS DISTINCT FROM NEW.deleted_on)
    EXECUTE FUNCTION cs_note_current();

CREATE FUNCTION cs_note_namespace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cs_changed_build SELECT current_build_id, false FROM environment
        WHERE namespace_id = NEW.id AND current_build_id IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER cs_note_namespace AFTER UPDATE OF deleted_on ON namespace FOR EACH ROW
    WHEN ((OLD.deleted_on IS NULL) <> (NEW.deleted_on IS NULL)) EXECUTE FUNCTION cs_note_namespace();

INSERT INTO cs_changed_build SELECT id, false FROM build;

-- How many builds that are not deleted each namespace has, and their bytes. Triggers only add rows here too; they are
-- folded into one of each namespace later.
CREATE TABLE cs_usage (
    namespace_id INTEGER NOT NULL,
    builds BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    is_folded BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX cs_usage_folded ON cs_usage (namespace_id) WHERE is_folded;

CREATE FUNCTION cs_measure_build() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.deleted_on IS NULL THEN
        INSERT INTO cs_usage SELECT namespace_id, -1, -coalesce(OLD.size, 0), false
            FROM environment WHERE id = OLD.environment_id AND deleted_on IS NULL;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.deleted_on IS NULL THEN
        INSERT INTO cs_usage SELECT namespace_id, 1, coalesce(NEW.size, 0), false
            FROM environment WHERE id = NEW.environment_id AND deleted_on IS NULL;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER cs_measure_build AFTER INSERT OR DELETE ON build FOR EACH ROW EXECUTE FUNCTION cs_measure_build();
CREATE TRIGGER cs_measure_changed_build AFTER UPDATE OF size, deleted_on ON build FOR EACH ROW
    WHEN (OLD.size IS DISTINCT FROM NEW.size OR OLD.deleted_on IS DISTINCT FROM NEW.deleted_on)
    EXECUTE FUNCTION cs_measure_build();

CREATE FUNCTION cs_measure_environment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    direction INTEGER := CASE WHEN NEW.deleted_on IS NULL THEN 1 ELSE -1 END;
BEGIN
    INSERT INTO cs_usage SELECT NEW.namespace_id, direction * count(*), direction * coalesce(sum(size), 0), false
        FROM build WHERE environment_id = NEW.id AND deleted_on IS NULL HAVING count(*) > 0;
    RETURN NULL;
END
$$;
CREATE TRIGGER cs_measure_environment AFTER UPDATE OF deleted_on ON environment FOR EACH ROW
    WHEN ((OLD.deleted_on IS NULL) <> (NEW.deleted_on IS NULL)) EXECUTE FUNCTION cs_measure_environment();

INSERT INTO cs_usage SELECT e.namespace_id, count(*), coalesce(sum(b.size), 0), true
    FROM build b JOIN environment e ON e.id = b.environment_id
    WHERE b.deleted_on IS NULL AND e.deleted_on IS NULL GROUP BY e.namespace_id;

-- The sets count as well.
DROP TRIGGER cs_count_build ON build;
DROP TRIGGER cs_count_new_artifacts ON build_artifact;
DROP TRIGGER cs_count_deleted_artifacts ON build_artifact;
DROP FUNCTION cs_count_build();
DROP FUNCTION cs_count_artifacts();
DROP FUNCTION cs_artifact_bit(VARCHAR);
DROP TABLE cs_build_count;

-- Lists of environments read nothing but these to find their page and their length.
CREATE INDEX cs_environment_by_namespace ON environment (namespace_id, name, id, current_build_id, deleted_on);
CREATE INDEX cs_environment_by_name ON environment (name, id, namespace_id, current_build_id, deleted_on);
DROP INDEX cs_environment_name;

-- What was just taken over has no statistics, and the sets are made at once.
ANALYZE namespace, environment, build, build_artifact, conda_package, conda_package_build, build_conda_package_build;
