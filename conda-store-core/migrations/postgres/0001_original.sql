-- The tables of conda-store 2024.11 and later (alembic revision bf065abf375b), so that either program works on them.
-- Not run where they are there already.
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE namespace (
    id SERIAL PRIMARY KEY,
    name VARCHAR(255) UNIQUE,
    deleted_on TIMESTAMP,
    metadata_ JSON
);
CREATE TABLE namespace_role_mapping (
    id SERIAL PRIMARY KEY,
    namespace_id INTEGER NOT NULL REFERENCES namespace (id),
    entity VARCHAR(255) NOT NULL,
    role VARCHAR(255) NOT NULL
);
CREATE TABLE namespace_role_mapping_v2 (
    id SERIAL PRIMARY KEY,
    namespace_id INTEGER NOT NULL REFERENCES namespace (id),
    other_namespace_id INTEGER NOT NULL REFERENCES namespace (id),
    role VARCHAR(255) NOT NULL,
    CONSTRAINT _uc UNIQUE (namespace_id, other_namespace_id)
);
CREATE TABLE specification (
    id SERIAL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    spec JSON NOT NULL,
    sha256 VARCHAR(255) NOT NULL UNIQUE,
    created_on TIMESTAMP,
    is_lockfile BOOLEAN DEFAULT false NOT NULL
);
CREATE TABLE environment (
    id SERIAL PRIMARY KEY,
    namespace_id INTEGER NOT NULL REFERENCES namespace (id),
    name VARCHAR(255) NOT NULL,
    current_build_id INTEGER,
    deleted_on TIMESTAMP,
    description TEXT,
    CONSTRAINT _namespace_name_uc UNIQUE (namespace_id, name)
);
CREATE TABLE build (
    id SERIAL PRIMARY KEY,
    specification_id INTEGER NOT NULL REFERENCES specification (id),
    environment_id INTEGER NOT NULL REFERENCES environment (id),
    status VARCHAR(9),
    size BIGINT,
    scheduled_on TIMESTAMP,
    started_on TIMESTAMP,
    ended_on TIMESTAMP,
    deleted_on TIMESTAMP,
    status_info TEXT,
    build_key_version INTEGER DEFAULT 1 NOT NULL,
    hash VARCHAR(32)
);
ALTER TABLE environment
    ADD CONSTRAINT environment_current_build_id_fkey FOREIGN KEY (current_build_id) REFERENCES build (id);
CREATE TABLE build_artifact (
    id SERIAL PRIMARY KEY,
    build_id INTEGER REFERENCES build (id),
    artifact_type VARCHAR(21) NOT NULL,
    key VARCHAR(255)
);
CREATE TABLE conda_channel (
    id SERIAL PRIMARY KEY,
    name VARCHAR(255) NOT NULL UNIQUE,
    last_update TIMESTAMP
);
-- Its sequence and key have the name that the table had while the original rebuilt it.
CREATE SEQUENCE conda_package_tmp_id_seq AS INTEGER;
CREATE TABLE conda_package (
    id INTEGER DEFAULT nextval('conda_package_tmp_id_seq') NOT NULL,
    channel_id INTEGER REFERENCES conda_channel (id),
    license TEXT,
    license_family VARCHAR(64),
    name VARCHAR(255) NOT NULL,
    version VARCHAR(64) NOT NULL,
    summary TEXT,
    description TEXT,
    CONSTRAINT conda_package_tmp_pkey PRIMARY KEY (id),
    CONSTRAINT _conda_package_uc UNIQUE (channel_id, name, version)
);
ALTER SEQUENCE conda_package_tmp_id_seq OWNED BY conda_package.id;
CREATE INDEX ix_conda_package_channel_id ON conda_package (channel_id);
CREATE INDEX ix_conda_package_name ON conda_package (name);
CREATE INDEX ix_conda_package_version ON conda_package (version);
CREATE TABLE conda_package_build (
    id SERIAL PRIMARY KEY,
    package_id INTEGER REFERENCES conda_package (id),
    channel_id INTEGER REFERENCES conda_channel (id),
    build VARCHAR(64) NOT NULL,
    build_number INTEGER NOT NULL,
    constrains JSON,
    depends JSON NOT NULL,
    md5 VARCHAR(255) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    size BIGINT NOT NULL,
    subdir VARCHAR(64),
    "timestamp" BIGINT,
    CONSTRAINT _conda_package_build_uc UNIQUE (channel_id, package_id, subdir, build, build_number, sha256)
);
CREATE INDEX ix_conda_package_build_build ON conda_package_build (build);
CREATE TABLE build_conda_package_build (
    build_id INTEGER NOT NULL REFERENCES build (id) ON DELETE CASCADE,
    conda_package_build_id INTEGER NOT NULL REFERENCES conda_package_build (id) ON DELETE CASCADE,
    PRIMARY KEY (build_id, conda_package_build_id)
);
CREATE TABLE solve (
    id SERIAL PRIMARY KEY,
    specification_id INTEGER NOT NULL REFERENCES specification (id),
    scheduled_on TIMESTAMP,
    started_on TIMESTAMP,
    ended_on TIMESTAMP
);
CREATE TABLE solve_conda_package_build (
    solve_id INTEGER NOT NULL REFERENCES solve (id) ON DELETE CASCADE,
    conda_package_build_id INTEGER NOT NULL REFERENCES conda_package_build (id) ON DELETE CASCADE,
    PRIMARY KEY (solve_id, conda_package_build_id)
);
CREATE TABLE conda_store_configuration (
    id SERIAL PRIMARY KEY,
    disk_usage BIGINT,
    free_storage BIGINT,
    total_storage BIGINT
);
CREATE TABLE keyvaluestore (
    id SERIAL PRIMARY KEY,
    prefix VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    value JSON
);
CREATE INDEX ix_keyvaluestore_prefix ON keyvaluestore (prefix);
CREATE TABLE worker (
    id SERIAL PRIMARY KEY,
    initialized BOOLEAN
);
INSERT INTO alembic_version (version_num) VALUES ('bf065abf375b');
