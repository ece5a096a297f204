//! How a waiting worker learns that jobs came.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::sync::{Notify, watch};

/// How often a service is asked where nobody tells of changes: a job starts soon enough, and a look costs next to nothing.
const UNTOLD: Duration = Duration::from_millis(50);

/// How often it is asked where changes are told, in case a message was lost.
const TOLD: Duration = Duration::from_secs(1);

/// Tells those who wait in this process of changes that this process or others made.
#[derive(Debug, Default)]
pub(crate) struct News {
    changed: Notify,
    /// Whether changes that other processes make arrive as well.
    told: AtomicBool,
    /// How many wait for news just now.
    waiting: watch::Sender<usize>,
}

/// One who waits; no longer once this is dropped.
struct Waiting<'n>(&'n News);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

impl News {
    /// Something changed.
    pub(crate) fn tell(&self) {
        self.changed.notify_waiters();
    }

    /// From now on changes by other processes arrive here, or they no longer do.
    pub(crate) fn set_told(&self, told: bool) {
        self.told.store(told, Ordering::Relaxed);
        // Whatever changed before, or since the last message.
        self.tell();
    }

    /// How many wait for news, from now on.
    #[cfg(feature = "amqp")]
    pub(crate) fn waiting(&self) -> watch::Receiver<usize> {
        self.waiting.subscribe()
    }

    fn wait(&self) -> Waiting<'_> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        Waiting(self)
    }

    /// How long to wait for a message before looking.
    pub(crate) fn patience(&self) -> Duration {
        if self.told.load(Ordering::Relaxed) { TOLD } else { UNTOLD }
    }

    /// Waits until a job is due, at most `longest`. `next` looks how long that takes; `None` where it sees no job.
    pub(crate) async fn until_due<F>(&self, longest: Duration, next: impl Fn() -> F)
    where
        F: Future<Output = Option<Duration>>,
    {
        let due = async {
            loop {
                // Asking for the notification before looking: a job that comes in between is not missed.
                let changed = self.changed.notified();
                let patience = self.patience();
                let wait = next().await.unwrap_or(patience).min(patience);
                if wait.is_zero() {
                    return;
                }
                let _waiting = self.wait();
                let _timed_out = tokio::time::timeout(wait, changed).await;
            }
        };
        let _timed_out = tokio::time::timeout(longest, due).await;
    }
}
