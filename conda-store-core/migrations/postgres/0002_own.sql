-- What the original does not keep: who builds, how long it took, how far each artifact is, and what exactly was asked for.
CREATE TABLE cs_build_run (
    build_id INTEGER NOT NULL PRIMARY KEY REFERENCES build (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    worker VARCHAR(255),
    lease_expires TIMESTAMP,
    lost INTEGER NOT NULL
);
CREATE TABLE cs_build_phase (
    build_id INTEGER NOT NULL REFERENCES build (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    phase VARCHAR(16) NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (build_id, attempt, phase)
);
CREATE TABLE cs_artifact_state (
    build_id INTEGER NOT NULL REFERENCES build (id) ON DELETE CASCADE,
    artifact_type VARCHAR(21) NOT NULL,
    state VARCHAR(7) NOT NULL,
    message TEXT,
    sha256 VARCHAR(64),
    size BIGINT,
    PRIMARY KEY (build_id, artifact_type)
);
CREATE INDEX cs_artifact_state_pending ON cs_artifact_state (build_id) WHERE state = 'PENDING';
-- Only for builds whose specification differs from that of the row with the same hash.
CREATE TABLE cs_build_specification (
    build_id INTEGER NOT NULL PRIMARY KEY REFERENCES build (id) ON DELETE CASCADE,
    spec JSON NOT NULL
);

-- Filters, sort orders and look-ups at a million builds.
CREATE INDEX cs_build_environment ON build (environment_id, id);
CREATE INDEX cs_build_specification_id ON build (specification_id);
CREATE INDEX cs_build_status ON build (status, id);
CREATE INDEX cs_build_scheduled_on ON build (scheduled_on, id);
CREATE INDEX cs_build_started_on ON build (started_on, id);
CREATE INDEX cs_build_ended_on ON build (ended_on, id);
CREATE INDEX cs_build_hash ON build (hash);
CREATE INDEX cs_build_artifact_build ON build_artifact (build_id, artifact_type);
CREATE INDEX cs_build_artifact_type ON build_artifact (artifact_type, build_id);
CREATE INDEX cs_build_artifact_key ON build_artifact (key);
CREATE INDEX cs_build_package_package ON build_conda_package_build (conda_package_build_id, build_id);
CREATE INDEX cs_package_build_package ON conda_package_build (package_id);
CREATE INDEX cs_environment_name ON environment (name);
CREATE INDEX cs_environment_current_build ON environment (current_build_id);
