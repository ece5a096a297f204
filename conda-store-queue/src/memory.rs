//! A queue in memory.

use std::{
    cmp::Reverse,
    collections::HashMap,
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use conda_store_core::{
    Result,
    clock::{Clock, Timestamp},
    queue::{
        Cancel, Enqueued, Group, Heartbeat, JobName, Lease, NewJob, Priority, Queue, QueueCapabilities, QueueDepth,
        Retry,
    },
};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::course::{Course, Ending, Next, Progress, stale};

/// Keeps jobs in memory: for a server with its workers in one process, and for tests.
///
/// Jobs are gone with the process; the sweeper enqueues anew what the catalogue still wants. Taking a job looks at each
/// one that is there, which is fast for some ten thousand.
pub struct MemoryQueue {
    jobs: Mutex<Jobs>,
    clock: Arc<dyn Clock>,
    changed: Notify,
}

#[derive(Default)]
struct Jobs {
    by_name: HashMap<JobName, Entry>,
    groups: HashMap<String, Share>,
    /// Breaks the tie between jobs that are due at the same moment.
    enqueued: u64,
}

/// What a group has of the workers.
#[derive(Default)]
struct Share {
    at_once: Option<NonZeroU32>,
    /// When it last got a worker.
    served: Option<Timestamp>,
}

struct Entry {
    payload: serde_json::Value,
    priority: Priority,
    group: String,
    course: Course,
    number: u64,
    /// When it may be leased; of a leased one, when the lease expires.
    due: Timestamp,
    /// The latest lease's token, unless it was settled.
    token: Option<String>,
}

impl Entry {
    fn new(job: &NewJob, number: u64, now: Timestamp) -> Self {
        let course = Course { retry: job.retry, every: job.every, progress: Progress::default(), canceled: false };
        let group = job.group.as_ref().map(|group| group.name.clone()).unwrap_or_default();
        let due = now.after(job.delay);
        Self { payload: job.payload.clone(), priority: job.priority, group, course, number, due, token: None }
    }

    fn take_interval(&mut self, every: Duration, now: Timestamp) {
        if self.course.every.is_none() {
            return;
        }
        self.course.every = Some(every);
        if self.token.is_none() {
            self.due = self.due.min(now.after(every));
        }
    }

    fn lease(&mut self, name: JobName, worker: &str, expires: Timestamp) -> Lease {
        let token = Uuid::new_v4().to_string();
        self.due = expires;
        self.token = Some(token.clone());
        self.course.progress.attempt += 1;
        Lease {
            name,
            payload: self.payload.clone(),
            attempt: self.course.progress.attempt,
            attempts: self.course.limit(),
            worker: worker.to_owned(),
            token,
            expires,
        }
    }

    fn is_held(&self, now: Timestamp) -> bool {
        self.token.is_some() && self.due > now
    }

    fn is_gone(&self, now: Timestamp) -> bool {
        self.course.canceled && self.due <= now
    }
}

impl Jobs {
    /// The entry of a live lease.
    fn held(&mut self, operation: &'static str, lease: &Lease, now: Timestamp) -> Result<&mut Entry> {
        self.by_name
            .get_mut(&lease.name)
            .filter(|entry| entry.is_held(now) && entry.token.as_ref() == Some(&lease.token))
            .ok_or_else(|| stale(operation, lease))
    }

    fn next(&self, now: Timestamp) -> Option<JobName> {
        let held = self.held_by_group(now);
        let due = self.by_name.iter().filter(|(_, entry)| entry.due <= now && !self.is_full(&entry.group, &held));
        let next = due.min_by_key(|(_, entry)| {
            let group = entry.group.as_str();
            let served = self.groups.get(group).and_then(|share| share.served);
            (Reverse(entry.priority), held.get(group), served, entry.due, entry.number)
        });
        next.map(|(name, _)| name.clone())
    }

    /// When a job may be due that a worker can have.
    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let held = self.held_by_group(now);
        let within_reach = |entry: &&Entry| entry.due > now || !self.is_full(&entry.group, &held);
        self.by_name.values().filter(within_reach).map(|entry| entry.due).min()
    }

    /// How many jobs of each group are in live leases.
    fn held_by_group(&self, now: Timestamp) -> HashMap<&str, usize> {
        let mut held = HashMap::new();
        for entry in self.by_name.values().filter(|entry| entry.is_held(now)) {
            *held.entry(entry.group.as_str()).or_default() += 1;
        }
        held
    }

    fn is_full(&self, group: &str, held: &HashMap<&str, usize>) -> bool {
        let at_once = self.groups.get(group).and_then(|share| share.at_once);
        at_once.is_some_and(|at_once| held.get(group).is_some_and(|held| *held >= at_once.get() as usize))
    }

    fn take_limit(&mut self, group: &Group) {
        self.groups.entry(group.name.clone()).or_default().at_once = group.at_once;
    }
}

impl MemoryQueue {
    /// An empty queue that reads `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { jobs: Mutex::default(), clock, changed: Notify::new() }
    }

    /// The jobs without those that were canceled and whose holder is gone.
    fn jobs(&self, now: Timestamp) -> MutexGuard<'_, Jobs> {
        // No method leaves the jobs half changed where it panics, so a poisoned lock guards sound data.
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.by_name.retain(|_, entry| !entry.is_gone(now));
        jobs
    }

    fn settle(&self, lease: &Lease, ending: Ending) -> Result<Option<Next>> {
        let now = self.clock.now();
        let mut jobs = self.jobs(now);
        let entry = jobs.held(ending.operation(), lease, now)?;
        let next = entry.course.after(ending, now);
        if let Some(Next { due, progress }) = next {
            entry.due = due;
            entry.course.progress = progress;
            entry.token = None;
        } else {
            jobs.by_name.remove(&lease.name);
        }
        drop(jobs);
        self.changed.notify_waiters();
        Ok(next)
    }
}

impl fmt::Debug for MemoryQueue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryQueue").finish_non_exhaustive()
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    fn capabilities(&self) -> QueueCapabilities {
        QueueCapabilities { durable: false, shared: false, cancel_leased: true }
    }

    async fn enqueue(&self, job: NewJob) -> Result<Enqueued> {
        let now = self.clock.now();
        let mut jobs = self.jobs(now);
        if let Some(group) = &job.group {
            jobs.take_limit(group);
        }
        let enqueued = if let Some(entry) = jobs.by_name.get_mut(&job.name) {
            if let Some(every) = job.every {
                entry.take_interval(every, now);
            }
            Enqueued::Duplicate
        } else {
            jobs.enqueued += 1;
            let entry = Entry::new(&job, jobs.enqueued, now);
            jobs.by_name.insert(job.name, entry);
            Enqueued::New
        };
        drop(jobs);
        self.changed.notify_waiters();
        Ok(enqueued)
    }

    async fn lease(&self, worker: &str, duration: Duration) -> Result<Option<Lease>> {
        let now = self.clock.now();
        let mut jobs = self.jobs(now);
        let Some(name) = jobs.next(now) else { return Ok(None) };
        let Some(entry) = jobs.by_name.get_mut(&name) else { return Ok(None) };
        let (group, lease) = (entry.group.clone(), entry.lease(name, worker, now.after(duration)));
        jobs.groups.entry(group).or_default().served = Some(now);
        Ok(Some(lease))
    }

    async fn ready(&self, longest: Duration) {
        // Asking for the notification before looking: a job that comes in between is not missed.
        let changed = self.changed.notified();
        let now = self.clock.now();
        let due = self.jobs(now).next_due(now);
        let wait = due.map_or(longest, |due| due.since(now).min(longest));
        if !wait.is_zero() {
            let _timed_out = tokio::time::timeout(wait, changed).await;
        }
    }

    async fn heartbeat(&self, lease: &Lease, duration: Duration) -> Result<Heartbeat> {
        let now = self.clock.now();
        let mut jobs = self.jobs(now);
        let entry = jobs.held("renew lease", lease, now)?;
        entry.due = now.after(duration);
        Ok(if entry.course.canceled { Heartbeat::CancelRequested } else { Heartbeat::Held })
    }

    async fn ack(&self, lease: &Lease) -> Result<()> {
        self.settle(lease, Ending::Done).map(drop)
    }

    async fn retry(&self, lease: &Lease) -> Result<Retry> {
        self.settle(lease, Ending::Failed).map(Next::retry)
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.settle(lease, Ending::HandedBack).map(drop)
    }

    async fn cancel(&self, name: &JobName) -> Result<Cancel> {
        let now = self.clock.now();
        let mut jobs = self.jobs(now);
        let Some(entry) = jobs.by_name.get_mut(name) else { return Ok(Cancel::Absent) };
        if entry.is_held(now) {
            entry.course.canceled = true;
            return Ok(Cancel::Requested);
        }
        jobs.by_name.remove(name);
        Ok(Cancel::Removed)
    }

    async fn depth(&self) -> Result<QueueDepth> {
        let now = self.clock.now();
        let mut depth = QueueDepth::default();
        for entry in self.jobs(now).by_name.values() {
            let count = match entry.due <= now {
                true => &mut depth.ready,
                false if entry.token.is_some() => &mut depth.leased,
                false => &mut depth.delayed,
            };
            *count += 1;
        }
        Ok(depth)
    }
}

#[cfg(test)]
mod tests {
    use conda_store_core::testing::ManualClock;

    use super::*;

    #[expect(clippy::unused_async, reason = "the suite awaits its fixture")]
    async fn memory() -> Option<(Arc<dyn Queue>, Arc<ManualClock>, ())> {
        let clock = Arc::new(ManualClock::new());
        Some((Arc::new(MemoryQueue::new(Arc::<ManualClock>::clone(&clock))), clock, ()))
    }

    conda_store_core::queue_suite!(memory);
}
