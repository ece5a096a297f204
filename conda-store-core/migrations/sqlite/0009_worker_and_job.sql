-- Workers, idle ones too, and when each last gave a sign of life.
CREATE TABLE cs_worker (
    id INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    host TEXT NOT NULL,
    process BIGINT NOT NULL,
    version TEXT NOT NULL,
    concurrency INTEGER NOT NULL,
    started_on DATETIME NOT NULL,
    seen_on DATETIME NOT NULL
);
CREATE UNIQUE INDEX cs_worker_name ON cs_worker (name);
CREATE INDEX cs_worker_seen_on ON cs_worker (seen_on);
-- The latest attempt at each job that is not done, and at each one that comes again and again.
CREATE TABLE cs_job (
    name VARCHAR(600) NOT NULL PRIMARY KEY,
    kind VARCHAR(32) NOT NULL,
    is_periodic BOOLEAN NOT NULL,
    worker VARCHAR(255) NOT NULL,
    attempt INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    started_on DATETIME NOT NULL,
    ended_on DATETIME,
    error TEXT
);
CREATE INDEX cs_job_worker ON cs_job (worker);
