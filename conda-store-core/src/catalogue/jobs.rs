//! What there is to do and what is being done, whichever queue carries it.
//!
//! Builds, solves, artifacts and deletions are rows that say themselves that something is still to be done; all other jobs
//! are written down when they are handed in. Of every job that was begun, the latest attempt is kept until the job is done; of
//! those that come again and again, as long as they do.

use std::time::Duration;

use sqlx::FromRow;

use super::{Catalogue, Cursor, Order, Page, PageRequest, error, page, query::Query};
use crate::{
    Result,
    clock::Timestamp,
    job::{Attempt, Job, JobKind},
    model::{BuildId, EnvironmentName, NamespaceName},
    text::texts,
};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// Nobody has it: it was not begun yet, or is tried again.
    Waiting,
    /// A worker has it.
    Running,
    /// The worker that had it was lost; another one takes it when the lease has expired.
    Lost,
    /// It is done, and comes again.
    Idle,
    /// Its last attempt failed, and nobody tries it again.
    Failed,
}

texts!(JobState, "state of a job", {
    Waiting = "waiting",
    Running = "running",
    Lost = "lost",
    Idle = "idle",
    Failed = "failed",
});

/// A job that is to be done, or is being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenJob {
    /// Its name in the queue.
    pub name: String,
    /// Its kind.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// The build that it is about, if any.
    pub build: Option<BuildId>,
    /// The namespace of that build or environment, or of whoever asked for a solve.
    pub namespace: Option<NamespaceName>,
    /// The name of the environment.
    pub environment: Option<EnvironmentName>,
    /// When it was asked for, where that is known.
    pub enqueued_on: Option<Timestamp>,
    /// The latest attempt.
    pub attempt: Option<JobAttempt>,
}

/// The latest attempt at a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// The number of the last one.
    pub limit: u32,
    /// Who makes it.
    pub worker: String,
    /// When it began.
    pub started_on: Timestamp,
    /// When it ended, if it did.
    pub ended_on: Option<Timestamp>,
    /// Why it failed, if it did; while it runs, why the one before failed.
    pub error: Option<String>,
}

/// Which jobs are wanted.
#[derive(Clone, Debug)]
pub struct JobQuery {
    /// Only of this kind.
    pub kind: Option<JobKind>,
    /// Only in this state.
    pub state: Option<JobState>,
    /// By name, up or down.
    pub order: Order,
    /// Which piece of the list.
    pub page: PageRequest,
}

#[derive(FromRow)]
struct JobRow {
    name: String,
    kind: String,
    state: String,
    build_id: Option<i32>,
    namespace: Option<String>,
    environment: Option<String>,
    enqueued_on: Option<Timestamp>,
    attempt: Option<i32>,
    attempts: Option<i32>,
    worker: Option<String>,
    started_on: Option<Timestamp>,
    ended_on: Option<Timestamp>,
    error: Option<String>,
}

/// The columns of a list.
const COLUMNS: &str = "select t.name, t.kind, t.state, t.build_id, coalesce(n.name, t.namespace) as namespace, \
    coalesce(e.name, t.environment) as environment, t.enqueued_on, t.attempt, t.attempts, t.worker, t.started_on, t.ended_on, t.error";

/// Builds that no end has come to. Their claims say who has them.
const BUILDS: &str = "select 'build/' || b.id as name, 'build' as kind, b.id as build_id, b.scheduled_on as enqueued_on, \
    null as namespace, null as environment, case when b.status = 'QUEUED' then 'waiting' when r.lease_expires > ";

/// What else the catalogue knows to be undone, and what is kept of other jobs.
const OTHERS: &str = " then 'running' else 'lost' end as claim \
    from build b left join cs_build_run r on r.build_id = b.id where b.status in ('QUEUED', 'BUILDING') \
    union all select 'artifact/' || s.build_id || '/' || s.artifact_type, 'artifact', s.build_id, null, null, null, null \
    from cs_artifact_state s join build b on b.id = s.build_id \
    where s.state = 'PENDING' and b.status = 'COMPLETED' and b.deleted_on is null \
    union all select 'delete-build/' || d.build_id, 'delete_build', d.build_id, b.deleted_on, null, null, null \
    from cs_build_deletion d join build b on b.id = d.build_id \
    union all select 'solve/' || s.id, 'solve', null, s.asked_on, s.namespace, s.environment, null \
    from cs_solve s where s.answer is null \
    union all select j.name, j.kind, null, j.enqueued_on, null, null, null from cs_job j \
    where j.kind not in ('build', 'artifact', 'delete_build', 'solve')";

/// Where a job stands that has no claim. An id ends the sort order of every list; here it tells nothing, names do.
const STATE: &str = "select 0 as id, u.name, u.kind, u.build_id, u.enqueued_on, u.namespace, u.environment, j.attempt, j.attempts, j.worker, \
    j.started_on, j.ended_on, j.error, case when u.claim is not null then u.claim when j.attempt is null then 'waiting' \
    when j.ended_on is null and w.seen_on >= ";
const STATE_ENDED: &str = " then 'running' when j.ended_on is null then 'lost' \
    when j.is_periodic and j.error is null then 'idle' \
    when u.build_id is null and u.kind <> 'solve' and not j.is_periodic and j.error is not null and j.attempt >= j.attempts then 'failed' \
    else 'waiting' end as state from (";
const JOINS: &str = ") u left join cs_job j on j.name = u.name left join cs_worker w on w.name = j.worker";

const PLACES: &str = ") t left join build b on b.id = t.build_id \
    left join environment e on e.id = b.environment_id left join namespace n on n.id = e.namespace_id";

impl Catalogue {
    /// Writes down that a worker begins an attempt at a job.
    pub async fn begin_job(&self, job: &Job, attempt: &Attempt) -> Result<()> {
        // What went wrong the last time is of interest until it is known how it goes this time.
        const UPSERT: &str = "insert into cs_job \
            (name, kind, is_periodic, worker, attempt, attempts, started_on) values ($1, $2, $3, $4, $5, $6, $7) \
            on conflict (name) do update set worker = excluded.worker, attempt = excluded.attempt, \
            attempts = excluded.attempts, started_on = excluded.started_on, ended_on = null";
        let upsert = self.database.query("record a job", UPSERT).value(job.name().0);
        let upsert = upsert.value(job.kind().as_str()).value(job.kind().comes_again()).value(attempt.worker.as_str());
        let upsert = upsert.value(column(attempt.number)).value(column(attempt.limit));
        upsert.value(self.clock.now()).run().await?;
        Ok(())
    }

    /// Writes down that the attempt ended, and why it failed if it did. It changes nothing where another one was begun
    /// since.
    pub async fn end_job(&self, job: &Job, attempt: &Attempt, error: Option<&str>) -> Result<()> {
        const UPDATE: &str =
            "update cs_job set ended_on = $1, error = $2 where name = $3 and worker = $4 and attempt = $5";
        let update =
            self.database.query("record a job", UPDATE).value(self.clock.now()).value(error.map(str::to_owned));
        let update = update.value(job.name().0).value(attempt.worker.as_str());
        update.value(column(attempt.number)).run().await?;
        Ok(())
    }

    /// Forgets a job that the attempt brought to its end.
    pub async fn finish_job(&self, job: &Job, attempt: &Attempt) -> Result<()> {
        const DELETE: &str = "delete from cs_job where name = $1 and worker = $2 and attempt = $3";
        let delete = self.database.query("record a job", DELETE).value(job.name().0).value(attempt.worker.as_str());
        delete.value(column(attempt.number)).run().await?;
        Ok(())
    }

    /// Forgets jobs that come to nothing any more: of those that nobody began for `kept`, all that do not come again. One
    /// whose worker was lost and forgotten may have been called off.
    pub async fn forget_jobs(&self, kept: Duration) -> Result<()> {
        const DELETE: &str = "delete from cs_job where not is_periodic and started_on < $1 and (ended_on < $1 \
            or (ended_on is null and not exists (select 1 from cs_worker w where w.name = cs_job.worker)))";
        let delete = self.database.query("forget jobs", DELETE).value(self.clock.now().before(kept));
        delete.run().await?;
        Ok(())
    }

    /// Forgets jobs that came again because somebody handed them in, and that nobody began for `kept`.
    pub async fn forget_abandoned_jobs(&self, kept: Duration) -> Result<()> {
        const DELETE: &str = "delete from cs_job where kind = $1 and started_on < $2";
        let delete = self.database.query("forget jobs", DELETE).value(JobKind::WatchPaths.as_str());
        delete.value(self.clock.now().before(kept)).run().await?;
        Ok(())
    }

    /// What there is to do and what is being done, by name.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a cursor of another list.
    pub async fn jobs(&self, wanted: &JobQuery) -> Result<Page<OpenJob>> {
        let (total,): (i64,) = self.wanted_jobs("select count(*)", wanted).one().await?;
        let window = wanted.page.window(wanted.order, total);
        let list = self.wanted_jobs(COLUMNS, wanted);
        let list = page::sort(list, &["t.name", "t.id"], window.order, wanted.page.cursor(1)?);
        let rows: Vec<JobRow> = window.cut(list).all().await?;
        let items: Vec<OpenJob> = rows.into_iter().map(open).collect::<Result<_>>()?;
        let cursor = |item: &OpenJob| Cursor { keys: vec![Some(item.name.clone())], id: 0 };
        Ok(wanted.page.page(&window, items, total, cursor))
    }

    fn wanted_jobs(&self, columns: &'static str, wanted: &JobQuery) -> Query<'_> {
        let query = self.database.query("list jobs", columns).push(" from (").push(STATE).bind(self.alive_since());
        let query = query.push(STATE_ENDED).push(BUILDS).bind(self.clock.now()).push(OTHERS).push(JOINS).push(PLACES);
        let query = query.push(" where 1 = 1");
        let query = match wanted.kind {
            Some(kind) => query.push(" and t.kind = ").bind(kind.as_str()),
            None => query,
        };
        match wanted.state {
            Some(state) => query.push(" and t.state = ").bind(state.as_str()),
            None => query,
        }
    }
}

/// As a column holds it.
fn column(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn open(row: JobRow) -> Result<OpenJob> {
    let wrong = |column, cause: crate::Error| error::corrupt("cs_job", column, &row.name, cause);
    let kind = row.kind.parse().map_err(|cause| wrong("kind", cause))?;
    let state = row.state.parse().map_err(|cause| wrong("state", cause))?;
    // A job about an environment, or about files for a namespace, has it in its name alone.
    let parts = match kind {
        JobKind::CurrentBuild => 2,
        JobKind::WatchPaths => 1,
        _ => 0,
    };
    let mut named = row.name.split('/').skip(1).take(parts).map(str::to_owned);
    let namespace = row.namespace.or_else(|| named.next()).map(|name| name.parse());
    let environment = row.environment.or_else(|| named.next()).map(|name| name.parse());
    let attempt = row.attempt.zip(row.worker).zip(row.started_on).map(|((number, worker), started_on)| JobAttempt {
        number: number.unsigned_abs(),
        limit: row.attempts.unwrap_or_default().unsigned_abs(),
        worker,
        started_on,
        ended_on: row.ended_on,
        error: row.error,
    });
    Ok(OpenJob {
        kind,
        state,
        build: row.build_id.map(BuildId),
        namespace: namespace.transpose().map_err(|cause| wrong("namespace", cause))?,
        environment: environment.transpose().map_err(|cause| wrong("environment", cause))?,
        enqueued_on: row.enqueued_on,
        attempt,
        name: row.name,
    })
}
