-- 100,000 environments with 1,000,000 builds, as a site of many years has them: few namespaces have most environments, few
-- environments most builds, most builds are completed, and of the packages a few are nearly everywhere. Only tables that the
-- original has: the migrations make the others, as for a site that is taken over.
SET session_replication_role = replica;
SELECT setseed(0.5);

INSERT INTO namespace (name, metadata_)
    SELECT CASE WHEN k % 50 = 0 THEN 'Team.' ELSE 'team-' END || k, '{}' FROM generate_series(1, 2000) k;
INSERT INTO environment (id, namespace_id, name, description, deleted_on)
    SELECT i, namespace,
        (ARRAY['web', 'data', 'train', 'report', 'etl', 'Notebook', 'torch', 'geo'])[1 + i % 8] || '-'
            || row_number() OVER (PARTITION BY namespace, i % 8 ORDER BY i),
        CASE WHEN i % 3 = 0 THEN 'An environment of team ' || namespace END,
        CASE WHEN i % 100 = 0 THEN now() END
    FROM (SELECT i, 1 + floor(2000 * power(random(), 3))::int AS namespace FROM generate_series(1, 100000) i) rows;
INSERT INTO specification (id, name, spec, sha256, created_on)
    SELECT i, 'environment',
        json_build_object('name', 'environment', 'channels', json_build_array('conda-forge'),
            'dependencies', json_build_array('python ==3.' || i, 'numpy', 'pandas')),
        md5(i::text) || md5((-i)::text), now()
    FROM generate_series(1, 200000) i;
INSERT INTO build (id, specification_id, environment_id, status, size, scheduled_on, started_on, ended_on, deleted_on,
        build_key_version)
    SELECT i, 1 + i % 200000, environment, status, CASE status WHEN 'COMPLETED' THEN 1000000 + i END, scheduled,
        CASE WHEN status <> 'QUEUED' AND (status <> 'CANCELED' OR i % 2 = 0) THEN scheduled + interval '2 s' END,
        CASE WHEN status NOT IN ('QUEUED', 'BUILDING') THEN scheduled + (5 + i % 300) * interval '1 s' END,
        CASE WHEN status NOT IN ('QUEUED', 'BUILDING') AND i % 10 = 0 THEN scheduled + interval '30 d' END, 2
    FROM (
        SELECT i, timestamp '2024-01-01' + i * interval '30 s' AS scheduled,
            CASE WHEN i <= 100000 THEN i ELSE 1 + floor(100000 * power(random(), 2))::int END AS environment,
            CASE WHEN i > 999500 THEN 'QUEUED' WHEN i > 999450 THEN 'BUILDING' WHEN i % 20 < 17 THEN 'COMPLETED'
                WHEN i % 20 < 19 THEN 'FAILED' ELSE 'CANCELED' END AS status
        FROM generate_series(1, 1000000) i) rows;
UPDATE environment e SET current_build_id = b.id
    FROM (SELECT environment_id, max(id) AS id FROM build WHERE status = 'COMPLETED' AND deleted_on IS NULL
        GROUP BY environment_id) b
    WHERE b.environment_id = e.id AND e.deleted_on IS NULL;
INSERT INTO build_artifact (build_id, artifact_type, key)
    SELECT b.id, kind, lower(kind) || '/' || b.id
    FROM build b CROSS JOIN unnest(ARRAY['DIRECTORY', 'LOCKFILE', 'LOGS', 'YAML', 'CONDA_PACK']) kind
    WHERE CASE kind WHEN 'LOGS' THEN b.status IN ('COMPLETED', 'FAILED')
        WHEN 'CONDA_PACK' THEN b.status = 'COMPLETED' AND b.id % 50 = 1
        ELSE b.status = 'COMPLETED' AND b.deleted_on IS NULL END;

-- 20,000 names, ten versions of each, three builds of each version; fifty in each environment as users get it, of which
-- half are in all environments.
INSERT INTO conda_channel (id, name) VALUES (1, 'https://conda.anaconda.org/conda-forge'),
    (2, 'https://conda.anaconda.org/bioconda'), (3, 'https://conda.example.org/internal');
INSERT INTO conda_package (id, channel_id, name, version, license, summary)
    SELECT i, CASE WHEN i % 10 = 0 THEN 2 WHEN i % 101 = 0 THEN 3 ELSE 1 END, 'package-' || (1 + i % 20000),
        (1 + i / 20000) || '.' || i % 7, 'MIT', 'A package'
    FROM generate_series(0, 199999) i;
INSERT INTO conda_package_build (id, package_id, channel_id, build, build_number, depends, md5, sha256, size, subdir)
    SELECT i + 1, p.id, p.channel_id, 'py3' || (9 + i / 200000) || '_' || i % 5, i % 5, '["python >=3.9"]', md5(i::text),
        md5(i::text) || md5((-i)::text), 1000 + i, 'linux-64'
    FROM generate_series(0, 599999) i JOIN conda_package p ON p.id = i % 200000;
INSERT INTO build_conda_package_build (build_id, conda_package_build_id)
    SELECT build, 1 + name + 20000 * floor(30 * power(random(), 2))::int
    FROM (SELECT current_build_id AS build,
            CASE WHEN j <= 25 THEN j ELSE 25 + floor(19974 * power(random(), 4))::int END AS name
        FROM environment CROSS JOIN generate_series(1, 50) j WHERE current_build_id IS NOT NULL) rows
    ON CONFLICT DO NOTHING;
-- Ids were given; what comes later goes on behind them.
SELECT setval(pg_get_serial_sequence(relation, 'id'), last) FROM (VALUES
    ('environment', 100000), ('specification', 200000), ('build', 1000000), ('conda_channel', 3)) ids (relation, last);
