//! Which job is next, and taking it.
//!
//! First a look says which groups have a due job and room for it, in their turn; it waits for nobody. Then a job of the
//! first of them is taken, or of the next one where others were faster. In PostgreSQL several take jobs at the same time:
//! rows that another worker is just taking are passed over instead of waited for, and only those that take a job of a group
//! with a limit wait for one another, so that the limit holds. Whose turn it is may then be decided by what was true a
//! moment ago.

use conda_store_core::clock::Timestamp;
use sqlx::{FromRow, Result};

use super::store::{CourseColumns, Pool, Store};

/// How many jobs of each group are in live leases.
macro_rules! held {
    () => {
        "held (name, jobs) as (
            select group_name, count(*) from cs_queue_job where token is not null and due > $1 group by group_name
        )"
    };
}

/// The groups that have a due job and room for it, in their turn. Jobs are looked up group by group, so that it does not
/// matter how many each has.
const TURNS: &str = concat!(
    "with recursive waiting (name) as (
        select min(group_name) from cs_queue_job where not canceled
        union all
        select (select min(group_name) from cs_queue_job where group_name > waiting.name and not canceled)
        from waiting where waiting.name is not null
    ), candidate (name, id) as (
        select waiting.name, (
            select id from cs_queue_job where group_name = waiting.name and due <= $1 and not canceled
            order by priority desc, due, id limit 1
        ) from waiting where waiting.name is not null
    ), ",
    held!(),
    " select candidate.name, share.at_once
    from candidate
    join cs_queue_job as job on job.id = candidate.id
    left join cs_queue_group as share on share.name = candidate.name
    left join held on held.name = candidate.name
    where share.at_once is null or coalesce(held.jobs, 0) < share.at_once
    order by job.priority desc, coalesce(held.jobs, 0), share.served is not null, share.served, job.due, job.id"
);

/// When a job is due that a worker can have, or a lease expires.
const NEXT_DUE: &str = concat!(
    "with ",
    held!(),
    " select due from cs_queue_job where not canceled and (due > $1 or group_name not in (
        select share.name from cs_queue_group as share join held on held.name = share.name
        where held.jobs >= share.at_once
    )) order by due limit 1"
);

/// Forgets the jobs whose holder disappeared after they were canceled.
#[cfg(feature = "sqlite")]
const FORGET_ALL: &str = "delete from cs_queue_job where canceled and due <= $1";

#[cfg(feature = "sqlite")]
const TAKE_SQLITE: &str = "update cs_queue_job set due = $2, attempt = attempt + 1, worker = $3, token = $4
    where id = (
        select id from cs_queue_job where group_name = $5 and due <= $1 and not canceled
        order by priority desc, due, id limit 1
    )
    returning name, payload, attempts, backoff, longest, every, attempt, handed_back, canceled";

#[cfg(feature = "sqlite")]
const SERVED: &str = "update cs_queue_group set served = $1 where name = $2";

/// Takes a job. That its group was served is written down unless somebody else is just writing the same.
#[cfg(feature = "postgres")]
const TAKE_POSTGRES: &str = "with forgotten as (
        delete from cs_queue_job where id in (
            select id from cs_queue_job where canceled and due <= $1 for update skip locked
        )
    ), next as (
        select id from cs_queue_job where group_name = $5 and due <= $1 and not canceled
        order by priority desc, due, id limit 1 for update skip locked
    ), served as (
        update cs_queue_group set served = $1 where exists (select 1 from next) and name in (
            select name from cs_queue_group where name = $5 for update skip locked
        )
    )
    update cs_queue_job as job set due = $2, attempt = attempt + 1, worker = $3, token = $4
    from next where job.id = next.id
    returning name, payload, attempts, backoff, longest, every, attempt, handed_back, canceled";

/// Has whoever wants a job of this group wait until this transaction is over.
#[cfg(feature = "postgres")]
const HOLD_GROUP: &str = "select at_once from cs_queue_group where name = $1 for no key update";

#[cfg(feature = "postgres")]
const HELD: &str = "select count(*) from cs_queue_job where group_name = $2 and token is not null and due > $1";

/// A lease to be.
pub(super) struct Wish<'a> {
    pub(super) worker: &'a str,
    pub(super) token: &'a str,
    pub(super) now: Timestamp,
    pub(super) expires: Timestamp,
}

/// A job that was just leased.
#[derive(FromRow)]
pub(super) struct Claimed {
    pub(super) name: String,
    pub(super) payload: String,
    #[sqlx(flatten)]
    pub(super) course: CourseColumns,
}

/// A group whose turn it is, and how many of its jobs are leased at most.
#[derive(FromRow)]
struct Turn {
    name: String,
    at_once: Option<i64>,
}

impl Store {
    /// Leases the next job.
    pub(super) async fn claim(&self, wish: &Wish<'_>) -> Result<Option<Claimed>> {
        match &self.pool {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(pool) => claim_sqlite(pool, wish).await,
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => claim_postgres(pool, wish).await,
        }
    }

    /// When the next job is due that a worker can have, or the next lease expires.
    pub(super) async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        match &self.pool {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(pool) => sqlx::query_scalar(NEXT_DUE).bind(now).fetch_optional(pool).await,
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => sqlx::query_scalar(NEXT_DUE).bind(now).fetch_optional(pool).await,
        }
    }
}

#[cfg(feature = "sqlite")]
async fn claim_sqlite(pool: &sqlx::SqlitePool, wish: &Wish<'_>) -> Result<Option<Claimed>> {
    let look = || sqlx::query_as::<_, Turn>(TURNS).bind(wish.now);
    // Readers do not wait for one another, so workers with nothing to do are in nobody's way.
    if look().fetch_optional(pool).await?.is_none() {
        return Ok(None);
    }
    let mut transaction = pool.begin_with("begin immediate").await?;
    sqlx::query(FORGET_ALL).bind(wish.now).execute(&mut *transaction).await?;
    let Some(turn) = look().fetch_optional(&mut *transaction).await? else { return Ok(None) };
    let take = sqlx::query_as(TAKE_SQLITE).bind(wish.now).bind(wish.expires).bind(wish.worker).bind(wish.token);
    let claimed = take.bind(&turn.name).fetch_optional(&mut *transaction).await?;
    sqlx::query(SERVED).bind(wish.now).bind(&turn.name).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(claimed)
}

#[cfg(feature = "postgres")]
async fn claim_postgres(pool: &sqlx::PgPool, wish: &Wish<'_>) -> Result<Option<Claimed>> {
    let turns: Vec<Turn> = sqlx::query_as(TURNS).bind(wish.now).fetch_all(pool).await?;
    for turn in turns {
        let claimed = match turn.at_once {
            None => take(wish, &turn.name).fetch_optional(pool).await?,
            Some(_) => claim_limited(pool, wish, &turn.name).await?,
        };
        if claimed.is_some() {
            return Ok(claimed);
        }
    }
    Ok(None)
}

/// Leases a job of a group with a limit, unless others have as many by now.
#[cfg(feature = "postgres")]
async fn claim_limited(pool: &sqlx::PgPool, wish: &Wish<'_>, group: &str) -> Result<Option<Claimed>> {
    let mut transaction = pool.begin().await?;
    let at_once: Option<Option<i64>> =
        sqlx::query_scalar(HOLD_GROUP).bind(group).fetch_optional(&mut *transaction).await?;
    let held: i64 = sqlx::query_scalar(HELD).bind(wish.now).bind(group).fetch_one(&mut *transaction).await?;
    if at_once.flatten().is_some_and(|at_once| held >= at_once) {
        return Ok(None);
    }
    let claimed = take(wish, group).fetch_optional(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(claimed)
}

#[cfg(feature = "postgres")]
fn take<'q>(
    wish: &Wish<'q>,
    group: &'q str,
) -> sqlx::query::QueryAs<'q, sqlx::Postgres, Claimed, sqlx::postgres::PgArguments> {
    let take = sqlx::query_as(TAKE_POSTGRES).bind(wish.now).bind(wish.expires).bind(wish.worker).bind(wish.token);
    take.bind(group)
}
