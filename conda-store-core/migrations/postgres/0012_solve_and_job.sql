-- Solves that somebody waits for, and what came of each until they have read it. A row of the original's table `solve` would
-- need one of `specification`, which nobody would remove.
CREATE TABLE cs_solve (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    namespace VARCHAR(255) NOT NULL,
    environment VARCHAR(255) NOT NULL,
    specification JSON NOT NULL,
    asked_on TIMESTAMP NOT NULL,
    expires_on TIMESTAMP NOT NULL,
    answer TEXT
);
CREATE INDEX cs_solve_expires_on ON cs_solve (expires_on);
-- A job that no other table has is here from when it is handed in, and so before its first attempt.
ALTER TABLE cs_job ADD COLUMN enqueued_on TIMESTAMP, ADD COLUMN payload TEXT,
    ALTER COLUMN worker DROP NOT NULL, ALTER COLUMN attempt DROP NOT NULL,
    ALTER COLUMN attempts DROP NOT NULL, ALTER COLUMN started_on DROP NOT NULL;
