-- Solves that somebody waits for, and what came of each until they have read it. A row of the original's table `solve` would
-- need one of `specification`, which nobody would remove.
CREATE TABLE cs_solve (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    namespace VARCHAR(255) NOT NULL,
    environment VARCHAR(255) NOT NULL,
    specification JSON NOT NULL,
    asked_on DATETIME NOT NULL,
    expires_on DATETIME NOT NULL,
    answer TEXT
);
CREATE INDEX cs_solve_expires_on ON cs_solve (expires_on);
-- A job that no other table has is here from when it is handed in, and so before its first attempt.
CREATE TABLE cs_new_job (
    name VARCHAR(600) NOT NULL PRIMARY KEY,
    kind VARCHAR(32) NOT NULL,
    is_periodic BOOLEAN NOT NULL,
    enqueued_on DATETIME,
    payload TEXT,
    worker VARCHAR(255),
    attempt INTEGER,
    attempts INTEGER,
    started_on DATETIME,
    ended_on DATETIME,
    error TEXT
);
INSERT INTO cs_new_job (name, kind, is_periodic, worker, attempt, attempts, started_on, ended_on, error)
SELECT name, kind, is_periodic, worker, attempt, attempts, started_on, ended_on, error FROM cs_job;
DROP TABLE cs_job;
ALTER TABLE cs_new_job RENAME TO cs_job;
CREATE INDEX cs_job_worker ON cs_job (worker);
