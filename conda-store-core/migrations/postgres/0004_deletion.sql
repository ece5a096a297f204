-- Builds that are marked as deleted and whose files and artifacts are still to be removed.
CREATE TABLE cs_build_deletion (
    build_id INTEGER NOT NULL PRIMARY KEY REFERENCES build (id) ON DELETE CASCADE
);
-- What the original marked and did not get to.
INSERT INTO cs_build_deletion (build_id)
SELECT id FROM build WHERE deleted_on IS NOT NULL
AND EXISTS (SELECT 1 FROM build_artifact WHERE build_artifact.build_id = build.id AND artifact_type = 'DIRECTORY');
