//! Which workers there are, idle ones too, and when each was last seen.

use std::time::Duration;

use sqlx::FromRow;

use super::{Catalogue, Cursor, Order, Page, PageRequest, error, page};
use crate::{
    Result,
    clock::Timestamp,
    job::{JobKind, WorkerIdentity},
};

/// A worker that gave no sign of life for so long is lost. It gives several of them in this time.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// A worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenWorker {
    /// Its id.
    pub id: i32,
    /// Who it is.
    pub identity: WorkerIdentity,
    /// The version of its program.
    pub version: String,
    /// Its last sign of life.
    pub seen_on: Timestamp,
    /// Whether that was so long ago that nobody expects another one.
    pub is_lost: bool,
    /// What it does now; of a lost one, what it did.
    pub jobs: Vec<WorkerJob>,
}

/// A job in the hands of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerJob {
    /// Its name in the queue.
    pub name: String,
    /// Its kind.
    pub kind: JobKind,
    /// The number of the attempt.
    pub attempt: u32,
    /// When the attempt began.
    pub started_on: Timestamp,
}

/// How many workers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounts {
    /// Alive, with at least one job.
    pub busy: u64,
    /// Alive, without one.
    pub idle: u64,
    /// Silent for too long. They are forgotten after a day.
    pub lost: u64,
}

#[derive(FromRow)]
struct WorkerRow {
    id: i32,
    name: String,
    host: String,
    process: i64,
    version: String,
    concurrency: i32,
    started_on: Timestamp,
    seen_on: Timestamp,
}

#[derive(FromRow)]
struct WorkerJobRow {
    worker: String,
    name: String,
    kind: String,
    attempt: i32,
    started_on: Timestamp,
}

impl Catalogue {
    /// The moment since which a worker must have been seen to count as alive.
    pub(super) fn alive_since(&self) -> Timestamp {
        self.clock.now().before(LOST_AFTER)
    }

    /// Writes down that the worker is there now.
    pub async fn see_worker(&self, worker: &WorkerIdentity, version: &str) -> Result<()> {
        const UPSERT: &str = "insert into cs_worker \
            (name, host, process, version, concurrency, started_on, seen_on) values ($1, $2, $3, $4, $5, $6, $7) \
            on conflict (name) do update set seen_on = excluded.seen_on";
        let upsert = self.database.query("record a worker", UPSERT).value(worker.name.as_str());
        let upsert = upsert.value(worker.host.as_str()).value(i64::from(worker.process)).value(version);
        let upsert = upsert.value(i32::try_from(worker.concurrency).unwrap_or(i32::MAX));
        upsert.value(worker.started_on).value(self.clock.now()).run().await?;
        Ok(())
    }

    /// Forgets a worker that came to its end by itself.
    pub async fn forget_worker(&self, name: &str) -> Result<()> {
        self.database.query("forget a worker", "delete from cs_worker where name = $1").value(name).run().await?;
        Ok(())
    }

    /// Forgets workers that have not been seen for `kept`.
    pub async fn forget_lost_workers(&self, kept: Duration) -> Result<()> {
        let before = self.clock.now().before(kept);
        let delete = self.database.query("forget lost workers", "delete from cs_worker where seen_on < $1");
        delete.value(before).run().await?;
        Ok(())
    }

    /// The workers with what they do, in the order in which they were first seen or the other way round.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a cursor of another list.
    pub async fn workers(&self, order: Order, request: &PageRequest) -> Result<Page<SeenWorker>> {
        const OPERATION: &str = "list workers";
        const SELECT: &str = "select w.id, w.name, w.host, w.process, w.version, w.concurrency, w.started_on, \
            w.seen_on from cs_worker w where 1 = 1";
        let (total,): (i64,) = self.database.query(OPERATION, "select count(*) from cs_worker").one().await?;
        let window = request.window(order, total);
        let list = page::sort(self.database.query(OPERATION, SELECT), &["w.id"], window.order, request.cursor(0)?);
        let rows: Vec<WorkerRow> = window.cut(list).all().await?;
        let mut jobs = self.jobs_of(&rows).await?;
        let alive_since = self.alive_since();
        let mut items = Vec::new();
        for row in rows {
            let (mine, others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|(worker, _)| *worker == row.name);
            jobs = others;
            items.push(seen(row, mine, alive_since)?);
        }
        Ok(request.page(&window, items, total, |item: &SeenWorker| Cursor { keys: Vec::new(), id: item.id }))
    }

    /// The jobs in the hands of these workers, each with the worker's name.
    async fn jobs_of(&self, workers: &[WorkerRow]) -> Result<Vec<(String, WorkerJob)>> {
        const SELECT: &str = "select worker, name, kind, attempt, started_on from cs_job \
            where ended_on is null and worker in (";
        let Some((first, others)) = workers.split_first() else { return Ok(Vec::new()) };
        let query = self.database.query("list jobs of workers", SELECT).bind(first.name.clone());
        let query = others.iter().fold(query, |query, worker| query.push(", ").bind(worker.name.clone()));
        let rows: Vec<WorkerJobRow> = query.push(") order by started_on, name").unprepared().all().await?;
        let job = |WorkerJobRow { worker, name, kind, attempt, started_on }: WorkerJobRow| {
            let kind = kind.parse().map_err(|cause| error::corrupt("cs_job", "kind", &name, cause))?;
            Ok((worker, WorkerJob { name, kind, attempt: attempt.unsigned_abs(), started_on }))
        };
        rows.into_iter().map(job).collect()
    }

    /// How many workers there are.
    pub async fn count_workers(&self) -> Result<WorkerCounts> {
        const SELECT: &str = "select w.seen_on, exists (select 1 from cs_job j \
            where j.worker = w.name and j.ended_on is null) from cs_worker w";
        let rows: Vec<(Timestamp, bool)> = self.database.query("count workers", SELECT).all().await?;
        let alive_since = self.alive_since();
        let mut counts = WorkerCounts::default();
        for (seen_on, is_busy) in rows {
            match is_busy {
                _ if seen_on < alive_since => counts.lost += 1,
                true => counts.busy += 1,
                false => counts.idle += 1,
            }
        }
        Ok(counts)
    }
}

fn seen(row: WorkerRow, jobs: Vec<(String, WorkerJob)>, alive_since: Timestamp) -> Result<SeenWorker> {
    let wrong = |column, cause| error::corrupt("cs_worker", column, &row.name, cause);
    let identity = WorkerIdentity {
        name: row.name.clone(),
        host: row.host.clone(),
        process: u32::try_from(row.process).map_err(|cause| wrong("process", cause))?,
        concurrency: usize::try_from(row.concurrency).map_err(|cause| wrong("concurrency", cause))?,
        started_on: row.started_on,
    };
    let jobs = jobs.into_iter().map(|(_worker, job)| job).collect();
    let is_lost = row.seen_on < alive_since;
    Ok(SeenWorker { id: row.id, identity, version: row.version, seen_on: row.seen_on, is_lost, jobs })
}
