//! The statements of the queue. Each method is one change, done wholly or not at all.

use std::time::Duration;

use conda_store_core::{
    Error, ErrorKind,
    catalogue::Database,
    clock::Timestamp,
    queue::{Cancel, Enqueued, JobName, NewJob, QueueDepth, RetryPolicy},
};
use sqlx::{FromRow, Result};

use crate::course::{Course, Ending, Next, Progress};

/// The table.
pub(super) struct Store {
    pub(super) database: Database,
    pub(super) pool: Pool,
}

/// The connections of a [`Database`] that this crate was compiled for.
#[derive(Clone)]
pub(super) enum Pool {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqlitePool),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
}

impl Pool {
    /// The connections of `database`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where this crate was not compiled for its kind.
    pub(super) fn of(database: &Database) -> conda_store_core::Result<Self> {
        match database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(pool) => Ok(Self::Sqlite(pool.clone())),
            #[cfg(feature = "postgres")]
            Database::Postgres(pool) => Ok(Self::Postgres(pool.clone())),
            other => {
                let message = "the queue was not compiled for this kind of database: enable the feature `sqlite` or \
                               `postgres` of conda-store-queue";
                let error = Error::new(ErrorKind::Unsupported, "open queue", message);
                Err(error.with("database", other.description()))
            }
        }
    }
}

/// Runs `$run` with the pool of either database.
macro_rules! with_pool {
    ($store:expr, $pool:ident => $run:expr) => {
        match &$store.pool {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite($pool) => $run,
            #[cfg(feature = "postgres")]
            Pool::Postgres($pool) => $run,
        }
    };
}

/// Runs `$run` with a connection of either database inside a transaction that writes, and commits.
macro_rules! in_transaction {
    ($store:expr, $connection:ident => $run:expr) => {
        match &$store.pool {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(pool) => {
                // One that reads first would fail where another wrote in between.
                let mut $connection = pool.begin_with("begin immediate").await?;
                let value = $run;
                $connection.commit().await?;
                value
            }
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => {
                let mut $connection = pool.begin().await?;
                let value = $run;
                $connection.commit().await?;
                value
            }
        }
    };
}

/// Forgets the job of a name whose holder disappeared after it was canceled.
const FORGET: &str = "delete from cs_queue_job where name = $1 and canceled and due <= $2";

const INSERT: &str = "insert into cs_queue_job
    (name, payload, priority, due, attempts, backoff, longest, every, group_name)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (name) do nothing";

/// Only where it changes something: a row that is locked for no reason could be skipped by a worker.
const SET_INTERVAL: &str = "update cs_queue_job
    set every = $2, due = case when token is null and due > $3 then $3 else due end
    where name = $1 and every <> $2";

/// Only where it changes something: whoever leases a job of the group would wait for it.
const SET_LIMIT: &str = "insert into cs_queue_group (name, at_once)
    select cast($1 as text), cast($2 as bigint)
    where not exists (select 1 from cs_queue_group where name = $1 and at_once is not distinct from $2)
    on conflict (name) do update set at_once = excluded.at_once";

const RENEW: &str = "update cs_queue_job set due = $3 where token = $1 and due > $2 returning canceled";

/// Ends a lease, and so locks the row.
const END: &str = "update cs_queue_job set worker = null, token = null where token = $1 and due > $2
    returning id, attempts, backoff, longest, every, attempt, handed_back, canceled";

const RESCHEDULE: &str = "update cs_queue_job set due = $2, attempt = $3, handed_back = $4 where id = $1";

const DELETE: &str = "delete from cs_queue_job where id = $1";

/// Marks a job, so locks the row, and tells whether somebody holds it.
const CANCEL: &str = "update cs_queue_job set canceled = true where name = $1
    returning id, token is not null and due > $2";

const DEPTH: &str = "select count(*) filter (where due <= $1 and not canceled),
        count(*) filter (where due > $1 and token is null),
        count(*) filter (where due > $1 and token is not null)
    from cs_queue_job";

/// A job whose lease just ended.
#[derive(FromRow)]
struct Ended {
    id: i64,
    #[sqlx(flatten)]
    course: CourseColumns,
}

/// A [`Course`] as the table keeps it.
#[derive(FromRow)]
pub(super) struct CourseColumns {
    attempts: i64,
    backoff: i64,
    longest: i64,
    every: Option<i64>,
    attempt: i64,
    handed_back: i64,
    canceled: bool,
}

impl CourseColumns {
    pub(super) fn course(&self) -> Course {
        Course {
            retry: RetryPolicy {
                attempts: count(self.attempts),
                backoff: duration(self.backoff),
                longest: duration(self.longest),
            },
            every: self.every.map(duration),
            progress: Progress { attempt: count(self.attempt), handed_back: count(self.handed_back) },
            canceled: self.canceled,
        }
    }
}

fn count(column: i64) -> u32 {
    u32::try_from(column.max(0)).unwrap_or(u32::MAX)
}

fn duration(microseconds: i64) -> Duration {
    Duration::from_micros(microseconds.max(0).unsigned_abs())
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Store {
    /// Adds `job`, or gives the one that is there its interval.
    pub(super) async fn insert(&self, job: &NewJob, now: Timestamp) -> Result<Enqueued> {
        let payload = job.payload.to_string();
        let every = job.every.map(microseconds);
        let inserted = in_transaction!(self, connection => {
            sqlx::query(FORGET).bind(&job.name.0).bind(now).execute(&mut *connection).await?;
            let inserted = sqlx::query(INSERT)
                .bind(&job.name.0)
                .bind(&payload)
                .bind(job.priority.0)
                .bind(now.after(job.delay))
                .bind(i64::from(job.retry.attempts))
                .bind(microseconds(job.retry.backoff))
                .bind(microseconds(job.retry.longest))
                .bind(every)
                .bind(job.group.as_ref().map_or("", |group| group.name.as_str()))
                .execute(&mut *connection)
                .await?
                .rows_affected();
            if let Some(group) = &job.group {
                let at_once = group.at_once.map(|jobs| i64::from(jobs.get()));
                sqlx::query(SET_LIMIT).bind(&group.name).bind(at_once).execute(&mut *connection).await?;
            }
            if let (0, Some(interval)) = (inserted, job.every) {
                let set = sqlx::query(SET_INTERVAL).bind(&job.name.0).bind(every).bind(now.after(interval));
                set.execute(&mut *connection).await?;
            }
            inserted
        });
        Ok(if inserted == 0 { Enqueued::Duplicate } else { Enqueued::New })
    }

    /// Renews a lease and says whether the job is canceled; `None` where it is no longer held.
    pub(super) async fn renew(&self, token: &str, now: Timestamp, expires: Timestamp) -> Result<Option<bool>> {
        with_pool!(self, pool => {
            sqlx::query_scalar(RENEW).bind(token).bind(now).bind(expires).fetch_optional(pool).await
        })
    }

    /// Ends an attempt and says when the next one is due, if ever; `None` where the job is no longer held.
    pub(super) async fn settle(&self, token: &str, ending: Ending, now: Timestamp) -> Result<Option<Option<Next>>> {
        let settled = in_transaction!(self, connection => {
            let end = sqlx::query_as::<_, Ended>(END).bind(token).bind(now);
            let ended = end.fetch_optional(&mut *connection).await?;
            let settled = ended.map(|Ended { id, course }| (id, course.course().after(ending, now)));
            match settled {
                None => {}
                Some((id, None)) => {
                    sqlx::query(DELETE).bind(id).execute(&mut *connection).await?;
                }
                Some((id, Some(Next { due, progress }))) => {
                    let reschedule = sqlx::query(RESCHEDULE)
                        .bind(id)
                        .bind(due)
                        .bind(i64::from(progress.attempt))
                        .bind(i64::from(progress.handed_back));
                    reschedule.execute(&mut *connection).await?;
                }
            }
            settled
        });
        Ok(settled.map(|(_id, next)| next))
    }

    /// Removes a waiting job, marks a held one.
    pub(super) async fn cancel(&self, name: &JobName, now: Timestamp) -> Result<Cancel> {
        let canceled = in_transaction!(self, connection => {
            sqlx::query(FORGET).bind(&name.0).bind(now).execute(&mut *connection).await?;
            let cancel = sqlx::query_as::<_, (i64, bool)>(CANCEL).bind(&name.0).bind(now);
            match cancel.fetch_optional(&mut *connection).await? {
                None => Cancel::Absent,
                Some((_, true)) => Cancel::Requested,
                Some((id, false)) => {
                    sqlx::query(DELETE).bind(id).execute(&mut *connection).await?;
                    Cancel::Removed
                }
            }
        });
        Ok(canceled)
    }

    pub(super) async fn depth(&self, now: Timestamp) -> Result<QueueDepth> {
        let (ready, delayed, leased): (i64, i64, i64) =
            with_pool!(self, pool => sqlx::query_as(DEPTH).bind(now).fetch_one(pool).await?);
        let [ready, delayed, leased] = [ready, delayed, leased].map(i64::unsigned_abs);
        Ok(QueueDepth { ready, delayed, leased })
    }
}
