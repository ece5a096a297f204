//! One attempt at one job: keeps its lease alive while the handler works, and settles with the queue.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, OnceLock},
    time::Duration,
};

use conda_store_core::{
    ErrorKind, Result,
    clock::Timestamp,
    job::{Attempt, Job, Outcome, Stop},
    queue::{Heartbeat, Lease, Retry},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument;

use super::{Backoff, Context, PULSE, QUESTION};
use crate::course::Ending;

/// A job that this worker holds.
pub(super) struct Running {
    context: Arc<Context>,
    lease: Lease,
    attempt: Attempt,
    /// When the lease expires, as far as this worker knows.
    expires: watch::Sender<Timestamp>,
    hurry: CancellationToken,
    shutdown: CancellationToken,
}

impl Running {
    /// What runs under `lease`, for which the worker asked at `asked`.
    pub(super) fn new(
        context: Arc<Context>,
        lease: Lease,
        asked: Timestamp,
        hurry: CancellationToken,
        shutdown: CancellationToken,
    ) -> Self {
        let attempt = Attempt {
            worker: context.name.clone(),
            number: lease.attempt,
            limit: lease.attempts,
            lease: context.lease,
            cancellation: CancellationToken::new(),
            stop: Arc::new(OnceLock::new()),
        };
        let (expires, _) = watch::channel(asked.after(context.lease));
        Self { context, lease, attempt, expires, hurry, shutdown }
    }

    /// Does the job and settles.
    pub(super) async fn run(self) {
        let span = tracing::info_span!("job", job.name = %self.lease.name, job.attempt = self.lease.attempt);
        let work = async {
            let ending = match Job::from_payload(&self.lease.payload) {
                Ok(job) => self.work(&job).await,
                Err(error) => {
                    tracing::error!(error = %error.report(), "job cannot be read; a newer worker may know it");
                    Ending::Failed
                }
            };
            self.settle(ending).await;
        };
        work.instrument(span).await;
    }

    async fn work(&self, job: &Job) -> Ending {
        let (handler, attempt, own) = (Arc::clone(&self.context.handler), self.attempt.clone(), job.clone());
        let handle = async move { handler.handle(&own, &attempt).await };
        let task = AbortOnDropHandle::new(tokio::spawn(handle.in_current_span()));
        let ended = tokio::select! {
            ended = task => ended,
            never = self.keep(job) => match never {},
        };
        let outcome = ended.unwrap_or_else(|error| {
            Err(conda_store_core::Error::unexpected("run job", "the handler of the job panicked").with_source(error))
        });
        self.ending(outcome).await
    }

    /// What an outcome means to the queue.
    async fn ending(&self, outcome: Result<Outcome>) -> Ending {
        if let Err(error) = &outcome {
            tracing::warn!(error = %error.report(), job.stop = ?self.attempt.stop_reason(), "job failed");
        }
        match (self.attempt.stop_reason(), outcome) {
            (Some(Stop::Canceled), _) | (_, Ok(Outcome::Done)) => Ending::Done,
            (Some(Stop::Shutdown), _) => Ending::HandedBack,
            (_, Err(_)) => Ending::Failed,
            (_, Ok(Outcome::HandBack)) => {
                // It is due at once, perhaps for this very worker: not so soon that the two chase each other.
                let _shut_down = tokio::time::timeout(PULSE, self.shutdown.cancelled()).await;
                Ending::HandedBack
            }
        }
    }

    /// Keeps the lease alive and tells the attempt when to stop, for as long as it is polled.
    async fn keep(&self, job: &Job) -> Infallible {
        tokio::join!(self.renew(), self.ask_handler(job), self.watch_expiry(), self.heed_shutdown());
        pending().await
    }

    async fn renew(&self) {
        let mut ticks = ticks(PULSE);
        loop {
            ticks.tick().await;
            let asked = self.context.clock.now();
            match self.context.queue.heartbeat(&self.lease, self.context.lease).await {
                Ok(heartbeat) => {
                    self.context.outage.is_over();
                    self.expires.send_replace(asked.after(self.context.lease));
                    if heartbeat == Heartbeat::CancelRequested {
                        self.attempt.stop(Stop::Canceled);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Stale => return self.attempt.stop(Stop::Stale),
                Err(error) => self.context.outage.failed(&error),
            }
        }
    }

    async fn ask_handler(&self, job: &Job) {
        let mut ticks = ticks(QUESTION);
        let mut failing = false;
        loop {
            ticks.tick().await;
            let answer = self.context.handler.pulse(job, &self.attempt).await;
            match &answer {
                Ok(Some(stop)) => self.attempt.stop(*stop),
                Err(error) if error.kind() == ErrorKind::Stale => self.attempt.stop(Stop::Stale),
                Err(error) if !failing => tracing::warn!(error = %error.report(), "pulse of a job fails; trying on"),
                Ok(None) | Err(_) => {}
            }
            failing = answer.is_err();
        }
    }

    /// Stops the attempt when the lease has expired by the clock, also while a heartbeat waits for an answer.
    async fn watch_expiry(&self) {
        loop {
            let left = self.expires.borrow().since(self.context.clock.now());
            if left.is_zero() {
                return self.attempt.stop(Stop::Stale);
            }
            sleep(left.min(PULSE)).await;
        }
    }

    async fn heed_shutdown(&self) {
        self.hurry.cancelled().await;
        self.attempt.stop(Stop::Shutdown);
    }

    /// Tells the queue, which may be away for a while: until the lease has expired, or the worker has to hurry.
    async fn settle(&self, ending: Ending) {
        let mut backoff = Backoff::default();
        loop {
            let Err(error) = self.tell(ending).await else { return };
            if error.kind() == ErrorKind::Stale {
                tracing::info!("the lease of the job was lost; another worker may have it");
                return;
            }
            self.context.outage.failed(&error);
            if self.hurry.is_cancelled() || self.context.clock.now() >= *self.expires.borrow() {
                tracing::warn!(error = %error.report(), "the queue was not told how the job ended; it comes again");
                return;
            }
            sleep(backoff.next_wait()).await;
        }
    }

    async fn tell(&self, ending: Ending) -> Result<()> {
        let queue = &self.context.queue;
        match ending {
            Ending::Done => queue.ack(&self.lease).await,
            Ending::HandedBack => queue.release(&self.lease).await,
            Ending::Failed => queue.retry(&self.lease).await.map(|retry| match retry {
                Retry::At(due) => tracing::info!(job.due = %due, "job is tried again"),
                Retry::Exhausted => tracing::error!(job.attempts = self.lease.attempts, "job is dropped"),
            }),
        }
    }
}

/// The beats of a running job: the first one `every` after now, none made up for.
fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.reset();
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
