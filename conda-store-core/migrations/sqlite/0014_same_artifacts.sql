-- Of what an artifact was made: a digest of the packages, and one of everything that its bytes depend on. Artifacts that have
-- both in common are the same.
ALTER TABLE cs_artifact_state ADD COLUMN packages VARCHAR(64);
ALTER TABLE cs_artifact_state ADD COLUMN made_of VARCHAR(64);
CREATE INDEX cs_artifact_state_made_of ON cs_artifact_state (packages, made_of, build_id) WHERE packages IS NOT NULL;
