//! A queue in the catalogue's database.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use conda_store_core::{
    Error, Result,
    catalogue::{Database, Migrations},
    clock::Clock,
    queue::{Cancel, Enqueued, Heartbeat, JobName, Lease, NewJob, Queue, QueueCapabilities, QueueDepth, Retry},
};
use sqlx::migrate::Migrator;
use uuid::Uuid;

#[cfg(feature = "amqp")]
pub use self::broker::RabbitMq;
use self::{
    claim::{Claimed, Wish},
    store::{Pool, Store},
    wakeup::Wakeup,
};
use crate::course::{Ending, Next, stale};

#[cfg(feature = "amqp")]
mod broker;
mod claim;
mod store;
#[cfg(test)]
mod tests;
mod wakeup;

#[cfg(feature = "sqlite")]
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
#[cfg(feature = "postgres")]
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The tables of the queue.
const MIGRATIONS: Migrations = Migrations {
    history: "cs_queue_migrations",
    #[cfg(feature = "sqlite")]
    sqlite: Some(&SQLITE),
    #[cfg(not(feature = "sqlite"))]
    sqlite: None,
    #[cfg(feature = "postgres")]
    postgres: Some(&POSTGRES),
    #[cfg(not(feature = "postgres"))]
    postgres: None,
};

/// Keeps jobs in a table of a `SQLite` or PostgreSQL database, as a rule the catalogue's.
///
/// Jobs outlive processes, and workers in several processes share them. All of them have to agree on the time, since a
/// lease expires by the clock of whoever looks: to within a second is enough.
///
/// On PostgreSQL a waiting worker is notified of a new job (`LISTEN`, for which it holds one connection more than the
/// pool has). On `SQLite` it is notified by its own process, and asks for the jobs of others twenty times a second.
pub struct SqlQueue {
    store: Store,
    clock: Arc<dyn Clock>,
    wakeup: Wakeup,
}

impl SqlQueue {
    /// The queue in `database`, whose tables [`SqlQueue::migrate`] must have made, at some time or other.
    ///
    /// # Errors
    /// [`Unsupported`](conda_store_core::ErrorKind::Unsupported) where this crate was not compiled for such a database.
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Result<Self> {
        let pool = Pool::of(&database)?;
        Ok(Self { wakeup: Wakeup::new(&pool), store: Store { database, pool }, clock })
    }

    /// Has RabbitMQ tell workers of new jobs, instead of the database.
    #[cfg(feature = "amqp")]
    #[must_use]
    pub fn announced_by(mut self, service: RabbitMq) -> Self {
        self.wakeup = Wakeup::through(service);
        self
    }

    /// The queue in `database`, with its tables made or brought up to date.
    ///
    /// # Errors
    /// As [`SqlQueue::new`] and [`SqlQueue::migrate`].
    pub async fn migrated(database: Database, clock: Arc<dyn Clock>) -> Result<Self> {
        let queue = Self::new(database, clock)?;
        Self::migrate(&queue.store.database).await?;
        Ok(queue)
    }

    /// Makes the tables of the queue in `database`, or brings them up to date. Their names begin with `cs_queue_`; their
    /// history is apart from the catalogue's.
    ///
    /// # Errors
    /// As [`Database::migrate`].
    pub async fn migrate(database: &Database) -> Result<()> {
        database.migrate(&MIGRATIONS).await
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
        move |cause| self.store.database.failure(operation, cause)
    }

    /// How long until a job may be due.
    async fn next(&self) -> Option<Duration> {
        let now = self.clock.now();
        self.store.next_due(now).await.ok().flatten().map(|due| due.since(now))
    }

    async fn settle(&self, lease: &Lease, ending: Ending) -> Result<Option<Next>> {
        let operation = ending.operation();
        let settled = self.store.settle(&lease.token, ending, self.clock.now()).await;
        let next = settled.map_err(self.failed(operation))?.ok_or_else(|| stale(operation, lease))?;
        if next.is_some() {
            self.wakeup.announce().await;
        }
        Ok(next)
    }
}

#[async_trait]
impl Queue for SqlQueue {
    fn capabilities(&self) -> QueueCapabilities {
        QueueCapabilities { durable: true, shared: true, cancel_leased: true }
    }

    async fn enqueue(&self, job: NewJob) -> Result<Enqueued> {
        let enqueued = self.store.insert(&job, self.clock.now()).await.map_err(self.failed("enqueue job"))?;
        // A duplicate may have shortened an interval.
        if enqueued == Enqueued::New || job.every.is_some() {
            self.wakeup.announce().await;
        }
        Ok(enqueued)
    }

    async fn lease(&self, worker: &str, duration: Duration) -> Result<Option<Lease>> {
        let now = self.clock.now();
        let (token, expires) = (Uuid::new_v4().to_string(), now.after(duration));
        let wish = Wish { worker, token: &token, now, expires };
        let claimed = self.store.claim(&wish).await.map_err(self.failed("lease job"))?;
        Ok(claimed.map(|claimed| claimed.lease(worker, token, expires)))
    }

    async fn ready(&self, longest: Duration) {
        self.wakeup.listen();
        self.wakeup.news.until_due(longest, || self.next()).await;
    }

    async fn heartbeat(&self, lease: &Lease, duration: Duration) -> Result<Heartbeat> {
        let now = self.clock.now();
        let renewed = self.store.renew(&lease.token, now, now.after(duration)).await;
        match renewed.map_err(self.failed("renew lease"))? {
            Some(true) => Ok(Heartbeat::CancelRequested),
            Some(false) => Ok(Heartbeat::Held),
            None => Err(stale("renew lease", lease)),
        }
    }

    async fn ack(&self, lease: &Lease) -> Result<()> {
        self.settle(lease, Ending::Done).await.map(drop)
    }

    async fn retry(&self, lease: &Lease) -> Result<Retry> {
        self.settle(lease, Ending::Failed).await.map(Next::retry)
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.settle(lease, Ending::HandedBack).await.map(drop)
    }

    async fn cancel(&self, name: &JobName) -> Result<Cancel> {
        self.store.cancel(name, self.clock.now()).await.map_err(self.failed("cancel job"))
    }

    async fn depth(&self) -> Result<QueueDepth> {
        self.store.depth(self.clock.now()).await.map_err(self.failed("count jobs"))
    }
}

impl fmt::Debug for SqlQueue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqlQueue").field("database", &self.store.database.description()).finish_non_exhaustive()
    }
}

impl Claimed {
    fn lease(self, worker: &str, token: String, expires: conda_store_core::clock::Timestamp) -> Lease {
        let course = self.course.course();
        Lease {
            name: JobName(self.name),
            // Text that is no JSON is no job of any version; whoever reads jobs deals with those.
            payload: serde_json::from_str(&self.payload).unwrap_or_default(),
            attempt: course.progress.attempt,
            attempts: course.limit(),
            worker: worker.to_owned(),
            token,
            expires,
        }
    }
}
