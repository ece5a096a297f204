-- What builds have in common (where they stand, their namespace, an artifact, a package, that users get them), each with the
-- set of builds that have it: lists of any number of conditions, and their lengths, are made of a few sets, however many
-- builds there are. Sets are in the format of Roaring bitmaps, a row for every 65536 ids.
CREATE TABLE cs_build_fact (
    fact VARCHAR(300) NOT NULL,
    block INTEGER NOT NULL,
    builds BLOB NOT NULL,
    PRIMARY KEY (fact, block)
);

-- Builds of which the sets may say what is no longer true. They are taken away by whoever brings the sets up to date.
-- `has_less` where a build lost packages.
CREATE TABLE cs_changed_build (
    build_id INTEGER NOT NULL,
    has_less BOOLEAN NOT NULL
);
CREATE INDEX cs_changed_build_id ON cs_changed_build (build_id);

CREATE TRIGGER cs_note_new_build AFTER INSERT ON build BEGIN
    INSERT INTO cs_changed_build VALUES (NEW.id, false);
END;
CREATE TRIGGER cs_note_deleted_build AFTER DELETE ON build BEGIN
    INSERT INTO cs_changed_build VALUES (OLD.id, true);
END;
CREATE TRIGGER cs_note_changed_build AFTER UPDATE OF status ON build WHEN OLD.status IS NOT NEW.status BEGIN
    INSERT INTO cs_changed_build VALUES (NEW.id, false);
END;
CREATE TRIGGER cs_note_new_artifact AFTER INSERT ON build_artifact WHEN NEW.build_id IS NOT NULL BEGIN
    INSERT INTO cs_changed_build VALUES (NEW.build_id, false);
END;
CREATE TRIGGER cs_note_deleted_artifact AFTER DELETE ON build_artifact WHEN OLD.build_id IS NOT NULL BEGIN
    INSERT INTO cs_changed_build VALUES (OLD.build_id, false);
END;
-- A build has hundreds of packages, and nobody else writes meanwhile.
CREATE TRIGGER cs_note_new_package AFTER INSERT ON build_conda_package_build
WHEN NOT EXISTS (SELECT 1 FROM cs_changed_build WHERE build_id = NEW.build_id) BEGIN
    INSERT INTO cs_changed_build VALUES (NEW.build_id, false);
END;
CREATE TRIGGER cs_note_deleted_package AFTER DELETE ON build_conda_package_build
WHEN NOT EXISTS (SELECT 1 FROM cs_changed_build WHERE build_id = OLD.build_id AND has_less) BEGIN
    INSERT INTO cs_changed_build VALUES (OLD.build_id, true);
END;

-- Which build of an environment users get, if the environment and its namespace are not deleted.
CREATE TRIGGER cs_note_current_of_new AFTER INSERT ON environment WHEN NEW.current_build_id IS NOT NULL BEGIN
    INSERT INTO cs_changed_build VALUES (NEW.current_build_id, false);
END;
CREATE TRIGGER cs_note_current_of_deleted AFTER DELETE ON environment WHEN OLD.current_build_id IS NOT NULL BEGIN
    INSERT INTO cs_changed_build VALUES (OLD.current_build_id, false);
END;
CREATE TRIGGER cs_note_new_current AFTER UPDATE OF current_build_id, deleted_on ON environment
WHEN OLD.current_build_id IS NOT NEW.current_build_id OR OLD.deleted_on IS NOT NEW.deleted_on BEGIN
    INSERT INTO cs_changed_build
        SELECT id, false FROM build WHERE id IN (OLD.current_build_id, NEW.current_build_id);
END;
CREATE TRIGGER cs_note_namespace AFTER UPDATE OF deleted_on ON namespace
WHEN (OLD.deleted_on IS NULL) <> (NEW.deleted_on IS NULL) BEGIN
    INSERT INTO cs_changed_build SELECT current_build_id, false FROM environment
        WHERE namespace_id = NEW.id AND current_build_id IS NOT NULL;
END;

INSERT INTO cs_changed_build SELECT id, false FROM build;

-- How many builds that are not deleted each namespace has, and their bytes. Triggers only add rows, as with PostgreSQL;
-- they are folded into one of each namespace later.
CREATE TABLE cs_usage (
    namespace_id INTEGER NOT NULL,
    builds BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    is_folded BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX cs_usage_folded ON cs_usage (namespace_id) WHERE is_folded;

CREATE TRIGGER cs_measure_new_build AFTER INSERT ON build WHEN NEW.deleted_on IS NULL BEGIN
    INSERT INTO cs_usage SELECT namespace_id, 1, coalesce(NEW.size, 0), false
        FROM environment WHERE id = NEW.environment_id AND deleted_on IS NULL;
END;
CREATE TRIGGER cs_measure_deleted_build AFTER DELETE ON build WHEN OLD.deleted_on IS NULL BEGIN
    INSERT INTO cs_usage SELECT namespace_id, -1, -coalesce(OLD.size, 0), false
        FROM environment WHERE id = OLD.environment_id AND deleted_on IS NULL;
END;
CREATE TRIGGER cs_measure_changed_build AFTER UPDATE OF size, deleted_on ON build
WHEN OLD.size IS NOT NEW.size OR OLD.deleted_on IS NOT NEW.deleted_on BEGIN
    INSERT INTO cs_usage SELECT namespace_id, -1, -coalesce(OLD.size, 0), false
        FROM environment WHERE id = OLD.environment_id AND deleted_on IS NULL AND OLD.deleted_on IS NULL;
    INSERT INTO cs_usage SELECT namespace_id, 1, coalesce(NEW.size, 0), false
        FROM environment WHERE id = NEW.environment_id AND deleted_on IS NULL AND NEW.deleted_on IS NULL;
END;
CREATE TRIGGER cs_measure_environment AFTER UPDATE OF deleted_on ON environment
WHEN (OLD.deleted_on IS NULL) <> (NEW.deleted_on IS NULL) BEGIN
    INSERT INTO cs_usage SELECT NEW.namespace_id, iif(NEW.deleted_on IS NULL, 1, -1) * count(*),
            iif(NEW.deleted_on IS NULL, 1, -1) * coalesce(sum(size), 0), false
        FROM build WHERE environment_id = NEW.id AND deleted_on IS NULL HAVING count(*) > 0;
END;

INSERT INTO cs_usage SELECT e.namespace_id, count(*), coalesce(sum(b.size), 0), true
    FROM build b JOIN environment e ON e.id = b.environment_id
    WHERE b.deleted_on IS NULL AND e.deleted_on IS NULL GROUP BY e.namespace_id;

-- The sets count as well.
DROP TRIGGER cs_count_new_build;
DROP TRIGGER cs_count_deleted_build;
DROP TRIGGER cs_count_changed_build;
DROP TRIGGER cs_count_new_artifact;
DROP TRIGGER cs_count_deleted_artifact;
DROP TABLE cs_build_count;

-- Lists of environments read nothing but these to find their page and their length.
CREATE INDEX cs_environment_by_namespace ON environment (namespace_id, name, id, current_build_id, deleted_on);
CREATE INDEX cs_environment_by_name ON environment (name, id, namespace_id, current_build_id, deleted_on);
DROP INDEX cs_environment_name;
