-- The tables of conda-store 2024.11 and later (alembic revision bf065abf375b), so that either program works on them.
-- Not run where they are there already.
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE namespace (
    id INTEGER NOT NULL,
    name VARCHAR(255),
    deleted_on DATETIME,
    metadata_ JSON,
    PRIMARY KEY (id),
    UNIQUE (name)
);
CREATE TABLE namespace_role_mapping (
    id INTEGER NOT NULL,
    namespace_id INTEGER NOT NULL,
    entity VARCHAR(255) NOT NULL,
    role VARCHAR(255) NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (namespace_id) REFERENCES namespace (id)
);
CREATE TABLE namespace_role_mapping_v2 (
    id INTEGER NOT NULL,
    namespace_id INTEGER NOT NULL,
    other_namespace_id INTEGER NOT NULL,
    role VARCHAR(255) NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (namespace_id) REFERENCES namespace (id),
    FOREIGN KEY (other_namespace_id) REFERENCES namespace (id),
    CONSTRAINT _uc UNIQUE (namespace_id, other_namespace_id)
);
CREATE TABLE specification (
    id INTEGER NOT NULL,
    name VARCHAR(255) NOT NULL,
    spec JSON NOT NULL,
    sha256 VARCHAR(255) NOT NULL,
    created_on DATETIME,
    is_lockfile BOOLEAN DEFAULT (0) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (sha256)
);
CREATE TABLE environment (
    id INTEGER NOT NULL,
    namespace_id INTEGER NOT NULL,
    name VARCHAR(255) NOT NULL,
    current_build_id INTEGER,
    deleted_on DATETIME,
    description TEXT,
    PRIMARY KEY (id),
    CONSTRAINT _namespace_name_uc UNIQUE (namespace_id, name),
    CONSTRAINT environment_namespace_id_fkey FOREIGN KEY (namespace_id) REFERENCES namespace (id),
    CONSTRAINT environment_current_build_id_fkey FOREIGN KEY (current_build_id) REFERENCES build (id)
);
CREATE TABLE build (
    id INTEGER NOT NULL,
    specification_id INTEGER NOT NULL,
    environment_id INTEGER NOT NULL,
    status VARCHAR(9),
    size BIGINT,
    scheduled_on DATETIME,
    started_on DATETIME,
    ended_on DATETIME,
    deleted_on DATETIME,
    status_info TEXT,
    build_key_version INTEGER DEFAULT '1' NOT NULL,
    hash VARCHAR(32),
    PRIMARY KEY (id),
    CONSTRAINT build_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environment (id),
    CONSTRAINT build_specification_id_fkey FOREIGN KEY (specification_id) REFERENCES specification (id)
);
CREATE TABLE build_artifact (
    id INTEGER NOT NULL,
    build_id INTEGER,
    artifact_type VARCHAR(21) NOT NULL,
    "key" VARCHAR(255),
    PRIMARY KEY (id),
    CONSTRAINT build_artifact_build_id_fkey FOREIGN KEY (build_id) REFERENCES build (id)
);
CREATE TABLE conda_channel (
    id INTEGER NOT NULL,
    name VARCHAR(255) NOT NULL,
    last_update DATETIME,
    PRIMARY KEY (id),
    UNIQUE (name)
);
CREATE TABLE conda_package (
    id INTEGER NOT NULL,
    channel_id INTEGER,
    license TEXT,
    license_family VARCHAR(64),
    name VARCHAR(255) NOT NULL,
    version VARCHAR(64) NOT NULL,
    summary TEXT,
    description TEXT,
    PRIMARY KEY (id),
    CONSTRAINT _conda_package_uc UNIQUE (channel_id, name, version),
    CONSTRAINT conda_package_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES conda_channel (id)
);
CREATE INDEX ix_conda_package_channel_id ON conda_package (channel_id);
CREATE INDEX ix_conda_package_name ON conda_package (name);
CREATE INDEX ix_conda_package_version ON conda_package (version);
CREATE TABLE conda_package_build (
    id INTEGER NOT NULL,
    package_id INTEGER,
    channel_id INTEGER,
    build VARCHAR(64) NOT NULL,
    build_number INTEGER NOT NULL,
    constrains JSON,
    depends JSON NOT NULL,
    md5 VARCHAR(255) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    size BIGINT NOT NULL,
    subdir VARCHAR(64),
    timestamp BIGINT,
    PRIMARY KEY (id),
    CONSTRAINT _conda_package_build_uc UNIQUE (channel_id, package_id, subdir, build, build_number, sha256),
    CONSTRAINT conda_package_build_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES conda_channel (id),
    FOREIGN KEY (package_id) REFERENCES conda_package (id)
);
CREATE INDEX ix_conda_package_build_build ON conda_package_build (build);
CREATE TABLE build_conda_package_build (
    build_id INTEGER NOT NULL,
    conda_package_build_id INTEGER NOT NULL,
    PRIMARY KEY (build_id, conda_package_build_id),
    FOREIGN KEY (build_id) REFERENCES build (id) ON DELETE CASCADE,
    FOREIGN KEY (conda_package_build_id) REFERENCES conda_package_build (id) ON DELETE CASCADE
);
CREATE TABLE solve (
    id INTEGER NOT NULL,
    specification_id INTEGER NOT NULL,
    scheduled_on DATETIME,
    started_on DATETIME,
    ended_on DATETIME,
    PRIMARY KEY (id),
    CONSTRAINT solve_specification_id_fkey FOREIGN KEY (specification_id) REFERENCES specification (id)
);
CREATE TABLE solve_conda_package_build (
    solve_id INTEGER NOT NULL,
    conda_package_build_id INTEGER NOT NULL,
    PRIMARY KEY (solve_id, conda_package_build_id),
    FOREIGN KEY (conda_package_build_id) REFERENCES conda_package_build (id) ON DELETE CASCADE,
    FOREIGN KEY (solve_id) REFERENCES solve (id) ON DELETE CASCADE
);
CREATE TABLE conda_store_configuration (
    id INTEGER NOT NULL,
    disk_usage BIGINT,
    free_storage BIGINT,
    total_storage BIGINT,
    PRIMARY KEY (id)
);
CREATE TABLE keyvaluestore (
    id INTEGER NOT NULL,
    prefix VARCHAR NOT NULL,
    "key" VARCHAR NOT NULL,
    value JSON,
    PRIMARY KEY (id)
);
CREATE INDEX ix_keyvaluestore_prefix ON keyvaluestore (prefix);
CREATE TABLE worker (
    id INTEGER NOT NULL,
    initialized BOOLEAN,
    PRIMARY KEY (id)
);
INSERT INTO alembic_version (version_num) VALUES ('bf065abf375b');
