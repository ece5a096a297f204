-- Artifacts of kinds that the original does not know: it cannot read a row of build_artifact with one. Ids are negative, so
-- that none is in both tables.
CREATE TABLE cs_artifact (
    id INTEGER NOT NULL PRIMARY KEY,
    build_id INTEGER NOT NULL REFERENCES build (id) ON DELETE CASCADE,
    artifact_type VARCHAR(21) NOT NULL,
    key VARCHAR(255) NOT NULL
);
CREATE INDEX cs_artifact_build ON cs_artifact (build_id, artifact_type);
CREATE INDEX cs_artifact_key ON cs_artifact (key);
-- Lists of builds with such an artifact are made of the same sets as others.
CREATE TRIGGER cs_note_new_own_artifact AFTER INSERT ON cs_artifact BEGIN
    INSERT INTO cs_changed_build VALUES (NEW.build_id, false);
END;
CREATE TRIGGER cs_note_deleted_own_artifact AFTER DELETE ON cs_artifact BEGIN
    INSERT INTO cs_changed_build VALUES (OLD.build_id, false);
END;
