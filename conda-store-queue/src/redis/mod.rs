//! A queue in Redis.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use conda_store_core::{
    Error, ErrorKind, Result,
    clock::{Clock, Timestamp},
    queue::{
        Cancel, Enqueued, Heartbeat, JobName, Lease, NewJob, Queue, QueueCapabilities, QueueDepth, Retry, RetryPolicy,
    },
};
use redis::{Script, ScriptInvocation};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use self::{scripts::Scripts, service::Service};
use crate::{
    course::{Course, Ending, Next, Progress, stale},
    news::News,
};

mod scripts;
mod service;
#[cfg(test)]
mod tests;

/// Keeps jobs in a Redis service, version 6 or later (or one that speaks its protocol and runs scripts).
///
/// Workers in several processes share the jobs. They outlive the service where it writes to disk; where it does not, or
/// is flushed, the sweeper enqueues anew what the catalogue still wants. All processes have to agree on the time, as with
/// [`SqlQueue`](crate::SqlQueue).
///
/// A waiting worker is told of a new job (`PUBLISH`, for which it holds a second connection).
pub struct RedisQueue {
    service: Service,
    scripts: Scripts,
    /// What the names of all keys begin with.
    keys: String,
    clock: Arc<dyn Clock>,
    news: Arc<News>,
    listener: OnceLock<AbortOnDropHandle<()>>,
}

/// The fields of a job that decide what becomes of it, in the order of [`Columns`].
const COURSE: [&str; 7] = ["attempts", "backoff", "longest", "every", "attempt", "handed_back", "canceled"];

/// A [`Course`] as Redis keeps it; times are microseconds.
type Columns = (u32, u64, u64, Option<u64>, u32, u32, Option<u8>);

impl RedisQueue {
    /// The queue in the service at `url`: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, with TLS `rediss://`, or
    /// `redis+unix:///PATH`. With TLS the service needs a certificate that browsers trust, or one of the authorities in the
    /// file that the parameter `ssl_ca_certs=PATH` names. All its keys begin with `{PREFIX}:`, so that several queues can share a service; the braces
    /// keep them on one node of a cluster.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for another URL or refused credentials, [`ErrorKind::Unavailable`] where the service cannot
    /// be reached.
    pub async fn connect(url: &str, prefix: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let (service, keys) = (Service::connect(url).await?, format!("{{{prefix}}}:"));
        Ok(Self { service, scripts: Scripts::new(), keys, clock, news: Arc::default(), listener: OnceLock::new() })
    }

    /// `script` on the keys of this queue, with the time as its first argument.
    fn at<'s>(&self, script: &'s Script, now: Timestamp) -> ScriptInvocation<'s> {
        let mut invocation = script.key(&self.keys);
        invocation.arg(digits(now));
        invocation
    }

    /// Sees to it that changes by other processes arrive.
    fn listen(&self) {
        let listen = || self.service.clone().listen(format!("{}news", self.keys), Arc::clone(&self.news));
        self.listener.get_or_init(|| AbortOnDropHandle::new(tokio::spawn(listen())));
    }

    /// How long until a job may be due.
    async fn next(&self) -> Option<Duration> {
        let now = self.clock.now();
        let due: Result<Option<u64>> = self.service.invoke("look for jobs", &self.at(&self.scripts.next, now)).await;
        due.ok().flatten().map(|due| Duration::from_micros(due.saturating_sub(microseconds(now))))
    }

    async fn course(&self, operation: &'static str, lease: &Lease, now: Timestamp) -> Result<Course> {
        let mut script = self.at(&self.scripts.course, now);
        script.arg(&lease.name.0).arg(&lease.token).arg(&COURSE);
        let columns: Option<Columns> = self.service.invoke(operation, &script).await?;
        columns.map(course).ok_or_else(|| stale(operation, lease))
    }

    async fn settle(&self, lease: &Lease, ending: Ending) -> Result<Option<Next>> {
        let operation = ending.operation();
        loop {
            let now = self.clock.now();
            let course = self.course(operation, lease, now).await?;
            let next = course.after(ending, now);
            let progress = next.map_or(course.progress, |next| next.progress);
            let mut script = self.at(&self.scripts.settle, now);
            script.arg(&lease.name.0).arg(&lease.token);
            script.arg(or_nothing(course.every.map(whole_microseconds))).arg(or_nothing(course.canceled.then_some(1)));
            script.arg(or_nothing(next.map(|next| digits(next.due)))).arg(progress.attempt).arg(progress.handed_back);
            match self.service.invoke(operation, &script).await? {
                Some(true) => return Ok(next),
                // Somebody canceled it or changed its interval in between.
                Some(false) => {}
                None => return Err(stale(operation, lease)),
            }
        }
    }
}

/// Microseconds since 1970.
fn microseconds(moment: Timestamp) -> u64 {
    u64::try_from(moment.naive().and_utc().timestamp_micros()).unwrap_or_default()
}

/// A moment as the scripts take it.
fn digits(moment: Timestamp) -> String {
    format!("{:019}", microseconds(moment))
}

/// An argument that has to stand there: the empty text for none.
fn or_nothing(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn whole_microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn course((attempts, backoff, longest, every, attempt, handed_back, canceled): Columns) -> Course {
    let [backoff, longest] = [backoff, longest].map(Duration::from_micros);
    Course {
        retry: RetryPolicy { attempts, backoff, longest },
        every: every.map(Duration::from_micros),
        progress: Progress { attempt, handed_back },
        canceled: canceled.is_some(),
    }
}

#[async_trait]
impl Queue for RedisQueue {
    fn capabilities(&self) -> QueueCapabilities {
        QueueCapabilities { durable: true, shared: true, cancel_leased: true }
    }

    async fn enqueue(&self, job: NewJob) -> Result<Enqueued> {
        let now = self.clock.now();
        let mut script = self.at(&self.scripts.enqueue, now);
        script.arg(&job.name.0).arg(digits(now.after(job.delay)));
        script.arg(or_nothing(job.every.map(|every| digits(now.after(every)))));
        let group = job.group.as_ref();
        let limit = group.and_then(|group| group.at_once);
        script.arg(u8::from(group.is_some())).arg(or_nothing(limit));
        script.arg("group").arg(group.map_or("", |group| group.name.as_str()));
        script.arg("payload").arg(job.payload.to_string()).arg("priority").arg(job.priority.0);
        script.arg("attempts").arg(job.retry.attempts).arg("attempt").arg(0).arg("handed_back").arg(0);
        script.arg("backoff").arg(whole_microseconds(job.retry.backoff));
        script.arg("longest").arg(whole_microseconds(job.retry.longest));
        if let Some(every) = job.every {
            script.arg("every").arg(whole_microseconds(every));
        }
        let new: bool = self.service.invoke("enqueue job", &script).await?;
        Ok(if new { Enqueued::New } else { Enqueued::Duplicate })
    }

    async fn lease(&self, worker: &str, duration: Duration) -> Result<Option<Lease>> {
        let now = self.clock.now();
        let (token, expires) = (Uuid::new_v4().to_string(), now.after(duration));
        let mut script = self.at(&self.scripts.lease, now);
        script.arg(digits(expires)).arg(worker).arg(&token).arg(&COURSE);
        let leased: Option<(String, String, Columns)> = self.service.invoke("lease job", &script).await?;
        Ok(leased.map(|(name, payload, columns)| {
            let course = course(columns);
            Lease {
                name: JobName(name),
                // Text that is no JSON is no job of any version; whoever reads jobs deals with those.
                payload: serde_json::from_str(&payload).unwrap_or_default(),
                attempt: course.progress.attempt,
                attempts: course.limit(),
                worker: worker.to_owned(),
                token,
                expires,
            }
        }))
    }

    async fn ready(&self, longest: Duration) {
        self.listen();
        self.news.until_due(longest, || self.next()).await;
    }

    async fn heartbeat(&self, lease: &Lease, duration: Duration) -> Result<Heartbeat> {
        const OPERATION: &str = "renew lease";
        let now = self.clock.now();
        let mut script = self.at(&self.scripts.renew, now);
        script.arg(&lease.name.0).arg(&lease.token).arg(digits(now.after(duration)));
        match self.service.invoke(OPERATION, &script).await? {
            Some(true) => Ok(Heartbeat::CancelRequested),
            Some(false) => Ok(Heartbeat::Held),
            None => Err(stale(OPERATION, lease)),
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
        let mut script = self.at(&self.scripts.cancel, self.clock.now());
        script.arg(&name.0);
        match self.service.invoke("cancel job", &script).await? {
            0 => Ok(Cancel::Absent),
            1 => Ok(Cancel::Removed),
            2 => Ok(Cancel::Requested),
            other => Err(Error::new(ErrorKind::Corrupt, "cancel job", format!("the script answered {other}"))),
        }
    }

    async fn depth(&self) -> Result<QueueDepth> {
        let script = self.at(&self.scripts.depth, self.clock.now());
        let (ready, delayed, leased) = self.service.invoke("count jobs", &script).await?;
        Ok(QueueDepth { ready, delayed, leased })
    }
}

impl fmt::Debug for RedisQueue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisQueue")
            .field("service", &self.service.address())
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
