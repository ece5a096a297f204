-- A database as conda-store 2024.11 leaves it (alembic revision bf065abf375b), with a few rows.
CREATE TABLE alembic_version (
    "version_num" VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE conda_channel (
    "id" INTEGER NOT NULL,
    "name" VARCHAR(255) NOT NULL,
    "last_update" DATETIME,
    PRIMARY KEY (id),
    UNIQUE (name)
);
CREATE TABLE conda_store_configuration (
    "id" INTEGER NOT NULL,
    "disk_usage" BIGINT,
    "free_storage" BIGINT,
    "total_storage" BIGINT,
    PRIMARY KEY (id)
);
CREATE TABLE namespace (
    "id" INTEGER NOT NULL,
    "name" VARCHAR(255),
    "deleted_on" DATETIME,
    "metadata_" JSON,
    PRIMARY KEY (id),
    UNIQUE (name)
);
CREATE TABLE namespace_role_mapping (
    "id" INTEGER NOT NULL,
    "namespace_id" INTEGER NOT NULL,
    "entity" VARCHAR(255) NOT NULL,
    "role" VARCHAR(255) NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (namespace_id) REFERENCES namespace (id)
);
CREATE TABLE namespace_role_mapping_v2 (
    "id" INTEGER NOT NULL,
    "namespace_id" INTEGER NOT NULL,
    "other_namespace_id" INTEGER NOT NULL,
    "role" VARCHAR(255) NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT _uc UNIQUE (namespace_id, other_namespace_id),
    FOREIGN KEY (namespace_id) REFERENCES namespace (id),
    FOREIGN KEY (other_namespace_id) REFERENCES namespace (id)
);
CREATE TABLE specification (
    "id" INTEGER NOT NULL,
    "name" VARCHAR(255) NOT NULL,
    "spec" JSON NOT NULL,
    "sha256" VARCHAR(255) NOT NULL,
    "created_on" DATETIME,
    "is_lockfile" BOOLEAN DEFAULT (0) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (sha256)
);
CREATE TABLE conda_package (
    "id" INTEGER NOT NULL,
    "channel_id" INTEGER,
    "license" TEXT,
    "license_family" VARCHAR(64),
    "name" VARCHAR(255) NOT NULL,
    "version" VARCHAR(64) NOT NULL,
    "summary" TEXT,
    "description" TEXT,
    PRIMARY KEY (id),
    CONSTRAINT _conda_package_uc UNIQUE (channel_id, name, version),
    CONSTRAINT conda_package_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES conda_channel (id)
);
CREATE TABLE conda_package_build (
    "id" INTEGER NOT NULL,
    "package_id" INTEGER,
    "channel_id" INTEGER,
    "build" VARCHAR(64) NOT NULL,
    "build_number" INTEGER NOT NULL,
    "constrains" JSON,
    "depends" JSON NOT NULL,
    "md5" VARCHAR(255) NOT NULL,
    "sha256" VARCHAR(64) NOT NULL,
    "size" BIGINT NOT NULL,
    "subdir" VARCHAR(64),
    "timestamp" BIGINT,
    PRIMARY KEY (id),
    CONSTRAINT _conda_package_build_uc UNIQUE (channel_id, package_id, subdir, build, build_number, sha256),
    CONSTRAINT conda_package_build_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES conda_channel (id),
    FOREIGN KEY (package_id) REFERENCES conda_package (id)
);
CREATE TABLE environment (
    "id" INTEGER NOT NULL,
    "namespace_id" INTEGER NOT NULL,
    "name" VARCHAR(255) NOT NULL,
    "current_build_id" INTEGER,
    "deleted_on" DATETIME,
    "description" TEXT,
    PRIMARY KEY (id),
    CONSTRAINT _namespace_name_uc UNIQUE (namespace_id, name),
    CONSTRAINT environment_namespace_id_fkey FOREIGN KEY (namespace_id) REFERENCES namespace (id),
    CONSTRAINT environment_current_build_id_fkey FOREIGN KEY (current_build_id) REFERENCES build (id)
);
CREATE TABLE build (
    "id" INTEGER NOT NULL,
    "specification_id" INTEGER NOT NULL,
    "environment_id" INTEGER NOT NULL,
    "status" VARCHAR(9),
    "size" BIGINT,
    "scheduled_on" DATETIME,
    "started_on" DATETIME,
    "ended_on" DATETIME,
    "deleted_on" DATETIME,
    "status_info" TEXT,
    "build_key_version" INTEGER DEFAULT '1' NOT NULL,
    "hash" VARCHAR(32),
    PRIMARY KEY (id),
    CONSTRAINT build_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environment (id),
    CONSTRAINT build_specification_id_fkey FOREIGN KEY (specification_id) REFERENCES specification (id)
);
CREATE TABLE build_artifact (
    "id" INTEGER NOT NULL,
    "build_id" INTEGER,
    "artifact_type" VARCHAR(21) NOT NULL,
    "key" VARCHAR(255),
    PRIMARY KEY (id),
    CONSTRAINT build_artifact_build_id_fkey FOREIGN KEY (build_id) REFERENCES build (id)
);
CREATE TABLE build_conda_package_build (
    "build_id" INTEGER NOT NULL,
    "conda_package_build_id" INTEGER NOT NULL,
    PRIMARY KEY (build_id, conda_package_build_id),
    FOREIGN KEY (build_id) REFERENCES build (id) ON DELETE CASCADE,
    FOREIGN KEY (conda_package_build_id) REFERENCES conda_package_build (id) ON DELETE CASCADE
);
CREATE TABLE solve (
    "id" INTEGER NOT NULL,
    "specification_id" INTEGER NOT NULL,
    "scheduled_on" DATETIME,
    "started_on" DATETIME,
    "ended_on" DATETIME,
    PRIMARY KEY (id),
    CONSTRAINT solve_specification_id_fkey FOREIGN KEY (specification_id) REFERENCES specification (id)
);
CREATE TABLE solve_conda_package_build (
    "solve_id" INTEGER NOT NULL,
    "conda_package_build_id" INTEGER NOT NULL,
    PRIMARY KEY (solve_id, conda_package_build_id),
    FOREIGN KEY (conda_package_build_id) REFERENCES conda_package_build (id) ON DELETE CASCADE,
    FOREIGN KEY (solve_id) REFERENCES solve (id) ON DELETE CASCADE
);
CREATE TABLE keyvaluestore (
    "id" INTEGER NOT NULL,
    "prefix" VARCHAR NOT NULL,
    "key" VARCHAR NOT NULL,
    "value" JSON,
    PRIMARY KEY (id)
);
CREATE TABLE worker (
    "id" INTEGER NOT NULL,
    "initialized" BOOLEAN,
    PRIMARY KEY (id)
);
CREATE INDEX ix_conda_package_channel_id ON conda_package (channel_id);
CREATE INDEX ix_conda_package_name ON conda_package (name);
CREATE INDEX ix_conda_package_version ON conda_package (version);
CREATE INDEX ix_conda_package_build_build ON conda_package_build (build);
CREATE INDEX ix_keyvaluestore_prefix ON keyvaluestore (prefix);

INSERT INTO alembic_version VALUES ('bf065abf375b');
INSERT INTO namespace (id, name, metadata_) VALUES (1, 'default', '{}'), (2, 'data-science', '{"team": "seven"}');
INSERT INTO namespace (id, name, deleted_on) VALUES (3, 'gone', '2024-04-01 08:00:00.000001');
INSERT INTO specification (id, name, spec, sha256, created_on) VALUES
    (1, 'web', '{"channels": ["conda-forge"], "dependencies": ["python"], "description": "", "name": "web", "prefix": null, "variables": null}',
     'd60e6d4e1b3f3c2b8e1a4f5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9f', '2024-05-01 10:11:12.345678');
INSERT INTO environment (id, namespace_id, name, description) VALUES (1, 2, 'web', 'for the web');
INSERT INTO build (id, specification_id, environment_id, status, size, scheduled_on, started_on, ended_on, build_key_version)
    VALUES (1, 1, 1, 'COMPLETED', 1234567890123, '2024-05-01 10:11:12.345678', '2024-05-01 10:11:13.000001', '2024-05-01 10:12:00.000000', 2);
INSERT INTO build (id, specification_id, environment_id, status, scheduled_on, build_key_version)
    VALUES (2, 1, 1, 'BUILDING', '2024-05-01 11:00:00.5', 2);
UPDATE environment SET current_build_id = 1 WHERE id = 1;
INSERT INTO build_artifact (id, build_id, artifact_type, key) VALUES (1, 1, 'LOCKFILE', 'lockfile/d60e6d4e-20240501-101112-345678-1-web.yml');
INSERT INTO conda_channel (id, name) VALUES (1, 'https://conda.anaconda.org/conda-forge');
INSERT INTO conda_package (id, channel_id, name, version, license) VALUES (1, 1, 'python', '3.12.3', 'Python-2.0');
INSERT INTO conda_package_build (id, package_id, channel_id, build, build_number, constrains, depends, md5, sha256, size, subdir, timestamp)
    VALUES (1, 1, 1, 'h99910a6_0_cpython', 0, '[]', '["libzlib"]', '', '5e1f', 30000000, 'linux-64', 1713204800955);
INSERT INTO build_conda_package_build VALUES (1, 1);
