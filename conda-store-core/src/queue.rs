//! How work reaches workers: the trait [`Queue`] and its vocabulary.

use std::{fmt, num::NonZeroU32, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Result, clock::Timestamp};

/// Names a job; at most one job of a name waits or runs at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobName(pub String);

impl fmt::Display for JobName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How urgent a job is; the higher goes first, and among equals the one that has been due longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(pub i16);

impl Priority {
    /// Housekeeping: metrics, indices.
    pub const PERIODIC: Self = Self(-100);
    /// What follows of something finished and nobody waits for: deletions.
    pub const FOLLOW_UP: Self = Self(0);
    /// What somebody waits for: builds and their artifacts; and the sweep, which all others rely on.
    pub const INTERACTIVE: Self = Self(100);
}

/// Whose job it is. The groups that have jobs share the workers, however many jobs each has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Group {
    /// Its name; the one of jobs that belong to no group is empty.
    pub name: String,
    /// How many jobs of the group run at once; as many as workers take where none.
    pub at_once: Option<NonZeroU32>,
}

/// When and how often a job that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// How often it is leased at most, the first time included; a lease that expired counts.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles with each further one.
    pub backoff: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl RetryPolicy {
    /// The wait after attempt number `attempt` (from 1) failed.
    #[must_use]
    pub fn delay(&self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt.saturating_sub(1).min(31)).unwrap_or(u32::MAX);
        self.backoff.saturating_mul(factor).min(self.longest)
    }
}

impl Default for RetryPolicy {
    /// Three attempts, one second apart at first, a minute at most.
    fn default() -> Self {
        Self { attempts: 3, backoff: Duration::from_secs(1), longest: Duration::from_mins(1) }
    }
}

/// A job as it is handed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    /// Its name.
    pub name: JobName,
    /// What it is about; the queue does not look inside.
    pub payload: serde_json::Value,
    /// How urgent it is.
    pub priority: Priority,
    /// Whose job it is. Jobs of nobody in particular share the workers as one group more.
    pub group: Option<Group>,
    /// Not before this long from now.
    pub delay: Duration,
    /// What happens when it fails.
    pub retry: RetryPolicy,
    /// Where set, an acknowledged job is due again this long after; it stays until it is canceled.
    pub every: Option<Duration>,
}

/// What became of a job that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It waits now.
    New,
    /// One of its name waits or runs already; this one was dropped. A periodic one takes the new interval.
    Duplicate,
}

/// A job that this worker holds, until the lease expires.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// The job's name.
    pub name: JobName,
    /// What it is about.
    pub payload: serde_json::Value,
    /// The number of this attempt, from 1; higher than that of every earlier lease of the job since it was enqueued. A
    /// periodic job begins at 1 again each time it is due after its interval.
    pub attempt: u32,
    /// The number of the last attempt: what the [`RetryPolicy`] says, and one more for each that was handed back.
    pub attempts: u32,
    /// Who holds it.
    pub worker: String,
    /// Tells this lease from every other; only the queue looks inside.
    pub token: String,
    /// When it expires.
    pub expires: Timestamp,
}

/// What a holder learns when it renews its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// Go on.
    Held,
    /// Somebody asked to cancel the job: stop, clean up and acknowledge. The lease is renewed all the same.
    CancelRequested,
}

/// What became of a failed job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It is due again then.
    At(Timestamp),
    /// That was the last attempt, or somebody canceled it; the job is gone (a periodic one that was not canceled is due
    /// again after its interval).
    Exhausted,
}

/// What became of a request to cancel a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// It was waiting and is gone.
    Removed,
    /// A worker holds it and learns of it at its next heartbeat.
    Requested,
    /// There is no such job.
    Absent,
}

/// How many jobs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Due, and nobody has them.
    pub ready: u64,
    /// Due later.
    pub delayed: u64,
    /// In somebody's hands.
    pub leased: u64,
}

/// What an implementation can do by itself; the catalogue stands in for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueCapabilities {
    /// Jobs outlive the process.
    pub durable: bool,
    /// Workers in other processes see the same jobs.
    pub shared: bool,
    /// [`Queue::cancel`] reaches a job that a worker holds.
    pub cancel_leased: bool,
}

/// Hands jobs to workers, each to one at a time.
///
/// # Contract
/// - A job that was enqueued is leased sooner or later, unless it is canceled: no job is lost, also when a worker
///   disappears. An expired lease is given to another worker with a higher attempt number.
/// - A job is in at most one live lease. Whoever no longer holds it gets [`ErrorKind::Stale`](crate::ErrorKind::Stale)
///   from [`heartbeat`](Self::heartbeat), [`ack`](Self::ack), [`retry`](Self::retry) and [`release`](Self::release),
///   which then change nothing.
/// - [`lease`](Self::lease) gives a due job of the highest priority, and `None` where no job is due. It does not wait.
///   Among equals it gives one of the group that has the fewest jobs in live leases, among such groups one of that whose
///   latest lease was longest ago, and within a group the one due longest.
/// - A group has at most [`at_once`](Group::at_once) jobs in live leases, as the latest job said that was handed in for it,
///   also one that was dropped; what is due beyond that waits, and wakes nobody.
/// - A job whose last attempt's lease expired is leased once more with `attempt > attempts`, so that its handler can
///   record the loss; the holder acknowledges it.
/// - A second job of a name that waits or runs is dropped.
/// - A job with `every` is due again that long after its acknowledgement.
/// - A canceled waiting job is never leased; the holder of a canceled leased one learns of it at its next heartbeat,
///   and when its lease expires instead the job is gone.
///
/// # Errors
/// A service that cannot be reached is [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable).
///
/// # Implementing
/// `testing::queue` holds a case for each sentence above; `queue_suite!` makes tests of them, on a manual clock.
#[async_trait]
pub trait Queue: fmt::Debug + Send + Sync + 'static {
    /// What this implementation can do by itself.
    fn capabilities(&self) -> QueueCapabilities;

    /// Hands in a job.
    async fn enqueue(&self, job: NewJob) -> Result<Enqueued>;

    /// Takes the next due job for `worker`, for `duration` from now.
    async fn lease(&self, worker: &str, duration: Duration) -> Result<Option<Lease>>;

    /// Waits until a job may be due, at most `longest`; returning early is always right.
    async fn ready(&self, longest: Duration);

    /// Renews the lease: it expires `duration` from now.
    async fn heartbeat(&self, lease: &Lease, duration: Duration) -> Result<Heartbeat>;

    /// The job is done.
    async fn ack(&self, lease: &Lease) -> Result<()>;

    /// The job failed: try again as its [`RetryPolicy`] says. Attempts handed back do not lengthen the wait.
    async fn retry(&self, lease: &Lease) -> Result<Retry>;

    /// Hands the job back undone and due at once; the attempt does not count, so [`Lease::attempts`] grows with
    /// [`Lease::attempt`].
    async fn release(&self, lease: &Lease) -> Result<()>;

    /// Calls a job off.
    async fn cancel(&self, name: &JobName) -> Result<Cancel>;

    /// How many jobs there are.
    async fn depth(&self) -> Result<QueueDepth>;
}
