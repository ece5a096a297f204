//! The loop that takes jobs from a queue and has them done.

use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use conda_store_core::{
    Result,
    clock::{Clock, Timestamp},
    job::{JobHandler, WorkerIdentity},
    queue::Queue,
};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    attempt::Running,
    outage::{Backoff, Outage},
    presence::Presence,
};

mod attempt;
mod outage;
mod presence;
#[cfg(test)]
mod tests;

/// How often a running job's lease is renewed.
const PULSE: Duration = Duration::from_millis(500);

/// How often the handler of a running job is asked whether to go on. One that is called off has to be gone within a second,
/// for which it needs time as well.
const QUESTION: Duration = Duration::from_millis(250);

/// How often a worker with nothing to do looks into the queue, however quiet that is.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the periodic jobs are handed in anew, since a queue may forget them, the sweeper that restores the others
/// among them.
const PERIODIC: Duration = Duration::from_secs(10);

/// Takes jobs from a queue, several at a time, and has a [`JobHandler`] do them.
///
/// Each job runs in a task of its own: where its handler panics, that attempt failed and the worker goes on. While a job
/// runs, its lease is renewed every half second; where that cannot be done until the lease has expired, or where another
/// worker has the job, the attempt is stopped as [`Stale`](conda_store_core::job::Stop::Stale). A queue that cannot be
/// reached is asked again, at first soon and then every five seconds.
pub struct Worker {
    context: Arc<Context>,
    concurrency: usize,
    grace: Duration,
}

/// What the loop and its running jobs share.
struct Context {
    handler: Arc<dyn JobHandler>,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    name: String,
    lease: Duration,
    outage: Outage,
}

/// Sets up a [`Worker`].
#[derive(Debug)]
pub struct WorkerBuilder {
    handler: Arc<dyn JobHandler>,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    name: Option<String>,
    concurrency: NonZeroUsize,
    lease: Duration,
    grace: Duration,
}

impl WorkerBuilder {
    /// The name under which it leases; it should tell this worker from every other. Default: `host:process:random`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many jobs run at the same time. Default: 4.
    #[must_use]
    pub fn concurrency(mut self, concurrency: NonZeroUsize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// How long a job stays with a worker that gives no sign of life, several seconds at least. Default: 30 seconds.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long running jobs may go on once the worker shuts down; then they are told to stop, for which they have as
    /// long again. Default: 20 seconds.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The worker; [`Worker::run`] sets it going.
    #[must_use]
    pub fn build(self) -> Worker {
        let context = Context {
            handler: self.handler,
            queue: self.queue,
            clock: self.clock,
            name: self.name.unwrap_or_else(default_name),
            lease: self.lease,
            outage: Outage::default(),
        };
        Worker { context: Arc::new(context), concurrency: self.concurrency.get(), grace: self.grace }
    }
}

/// Host, process and something random: the first two for whoever reads a log, the last since neither is unique among
/// containers.
fn default_name() -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("{}:{}:{}", host(), std::process::id(), &random[..8])
}

/// The name of this machine.
fn host() -> String {
    let system = nix::sys::utsname::uname().ok();
    system.as_ref().and_then(|system| system.nodename().to_str()).unwrap_or("localhost").to_owned()
}

impl Worker {
    /// Starts to set up a worker that takes jobs from `queue` and has `handler` do them.
    #[must_use]
    pub fn builder(handler: Arc<dyn JobHandler>, queue: Arc<dyn Queue>, clock: Arc<dyn Clock>) -> WorkerBuilder {
        WorkerBuilder {
            handler,
            queue,
            clock,
            name: None,
            concurrency: NonZeroUsize::MIN.saturating_add(3),
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(20),
        }
    }

    /// The name under which it leases.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.context.name
    }

    /// Does jobs until `shutdown` fires, and returns when none of them runs any more.
    ///
    /// From then on no job is taken. Those that run may finish within the grace; the rest is told to stop and handed
    /// back. One that does not stop either is cut off, and comes again when its lease has expired.
    pub async fn run(&self, shutdown: CancellationToken) {
        let over = CancellationToken::new();
        let work = async {
            self.work(shutdown).await;
            over.cancel();
        };
        let presence = Presence::new(Arc::clone(&self.context.handler), self.identity());
        tokio::join!(work, presence.keep(&over));
    }

    fn identity(&self) -> WorkerIdentity {
        WorkerIdentity {
            name: self.context.name.clone(),
            host: host(),
            process: std::process::id(),
            concurrency: self.concurrency,
            started_on: self.context.clock.now(),
        }
    }

    async fn work(&self, shutdown: CancellationToken) {
        tracing::info!(worker.name = %self.context.name, worker.concurrency = self.concurrency, "worker started");
        let mut round =
            Round { worker: self, running: JoinSet::new(), hurry: CancellationToken::new(), periodic: None };
        let mut backoff = Backoff::default();
        while !shutdown.is_cancelled() {
            match round.fill(&shutdown).await {
                Ok(()) => {
                    self.context.outage.is_over();
                    backoff = Backoff::default();
                    round.wait(&shutdown).await;
                }
                Err(error) => {
                    self.context.outage.failed(&error);
                    round.periodic = None;
                    let _shut_down = tokio::time::timeout(backoff.next_wait(), shutdown.cancelled()).await;
                }
            }
        }
        round.drain().await;
        tracing::info!(worker.name = %self.context.name, "worker stopped");
    }
}

/// One run of a worker.
struct Round<'w> {
    worker: &'w Worker,
    running: JoinSet<()>,
    /// Fires when the grace is over.
    hurry: CancellationToken,
    /// When the periodic jobs are handed in anew; at once where not set.
    periodic: Option<Timestamp>,
}

impl Round<'_> {
    /// Takes as many jobs as there is room for.
    async fn fill(&mut self, shutdown: &CancellationToken) -> Result<()> {
        let context = &self.worker.context;
        self.enqueue_periodic().await?;
        while let Some(ended) = self.running.try_join_next() {
            log_panic(ended);
        }
        while self.running.len() < self.worker.concurrency && !shutdown.is_cancelled() {
            // Not to be given up half way on shutdown: a job taken meanwhile would wait for its lease to expire.
            let asked = context.clock.now();
            let Some(lease) = context.queue.lease(&context.name, context.lease).await? else { break };
            if shutdown.is_cancelled() {
                return context.queue.release(&lease).await;
            }
            let running = Running::new(Arc::clone(context), lease, asked, self.hurry.clone(), shutdown.clone());
            self.running.spawn(running.run());
        }
        Ok(())
    }

    async fn enqueue_periodic(&mut self) -> Result<()> {
        let context = &self.worker.context;
        let now = context.clock.now();
        if self.periodic.is_some_and(|due| now < due) {
            return Ok(());
        }
        let jobs = context.handler.periodic();
        for job in &jobs {
            context.queue.enqueue(job.enqueueable()).await?;
        }
        if let Err(error) = context.handler.periodic_handed_in(&jobs).await {
            tracing::debug!(error = error.report(), "the periodic jobs were not written down");
        }
        self.periodic = Some(now.after(PERIODIC));
        Ok(())
    }

    /// Waits for a job to come or to end.
    async fn wait(&mut self, shutdown: &CancellationToken) {
        let has_room = self.running.len() < self.worker.concurrency;
        tokio::select! {
            () = shutdown.cancelled() => {}
            Some(ended) = self.running.join_next() => log_panic(ended),
            () = self.worker.context.queue.ready(PATIENCE), if has_room => {}
        }
    }

    async fn drain(mut self) {
        let name = &self.worker.context.name;
        tracing::info!(worker.name = %name, jobs.running = self.running.len(), "worker stops");
        if tokio::time::timeout(self.worker.grace, self.join_all()).await.is_ok() {
            return;
        }
        self.hurry.cancel();
        if tokio::time::timeout(self.worker.grace, self.join_all()).await.is_err() {
            tracing::warn!(worker.name = %name, jobs.running = self.running.len(), "jobs did not stop and are cut off");
            self.running.shutdown().await;
        }
    }

    async fn join_all(&mut self) {
        while let Some(ended) = self.running.join_next().await {
            log_panic(ended);
        }
    }
}

/// Handlers panic in tasks of their own; what arrives here is a defect of a pulse or of a queue.
fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "job was left alone; it comes again when its lease has expired");
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Worker")
            .field("name", &self.context.name)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
