-- Whose job it is; the empty name for nobody's.
alter table cs_queue_job add column group_name text not null default '';

-- What a group has of the workers. Its row stays when its jobs are gone.
create table cs_queue_group (
    name text not null primary key,
    -- how many of its jobs are leased at most; no limit where null
    at_once bigint,
    -- when it last got a worker
    served timestamp
);
insert into cs_queue_group (name) values ('');

-- The next job is looked for group by group.
drop index cs_queue_job_next;
create index cs_queue_job_next on cs_queue_job (group_name, priority desc, due, id) where not canceled;
create index cs_queue_job_held on cs_queue_job (group_name) where token is not null;
