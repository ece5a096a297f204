-- One row per job that waits or runs. A job that is done, dropped or canceled has none.
create table cs_queue_job (
    id integer primary key autoincrement,
    name text not null unique,
    -- JSON, which the queue does not look into
    payload text not null,
    priority smallint not null,
    -- when it may be leased; of a leased job, when the lease expires
    due timestamp not null,
    -- the retry policy; times in microseconds
    attempts bigint not null,
    backoff bigint not null,
    longest bigint not null,
    -- of a periodic job, its interval in microseconds
    every bigint,
    -- how often it was leased, and how many of these leases were handed back
    attempt bigint not null default 0,
    handed_back bigint not null default 0,
    -- the latest lease, unless it was settled
    worker text,
    token text unique,
    canceled boolean not null default false
);

-- the next one for a worker, and when that will be
create index cs_queue_job_next on cs_queue_job (priority desc, due, id) where not canceled;
create index cs_queue_job_due on cs_queue_job (due) where not canceled;
-- those whose holder disappeared after they were canceled
create index cs_queue_job_canceled on cs_queue_job (due) where canceled;
