//! What becomes of a job when an attempt at it ends: the same rules for every implementation.

use std::time::Duration;

use conda_store_core::{
    Error, ErrorKind,
    clock::Timestamp,
    queue::{Lease, Retry, RetryPolicy},
};

/// What decides when a job is due again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    pub(crate) retry: RetryPolicy,
    pub(crate) every: Option<Duration>,
    pub(crate) progress: Progress,
    pub(crate) canceled: bool,
}

/// How far a job has come since it was enqueued, or since its interval began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The number of the latest attempt; 0 before the first.
    pub(crate) attempt: u32,
    /// How many of them were handed back.
    pub(crate) handed_back: u32,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    Failed,
    HandedBack,
}

impl Ending {
    /// The operation that an error names.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Done => "acknowledge job",
            Self::Failed => "retry job",
            Self::HandedBack => "release job",
        }
    }
}

/// When a job is due again, and as which attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) due: Timestamp,
    pub(crate) progress: Progress,
}

impl Next {
    /// What the holder of a failed job is told.
    pub(crate) fn retry(next: Option<Self>) -> Retry {
        match next {
            Some(Self { due, progress }) if progress != Progress::default() => Retry::At(due),
            _ => Retry::Exhausted,
        }
    }
}

impl Course {
    /// The number of the last attempt.
    pub(crate) fn limit(&self) -> u32 {
        self.retry.attempts.saturating_add(self.progress.handed_back)
    }

    /// When the job is due again after an attempt ended at `now`; `None` where it is gone.
    pub(crate) fn after(&self, ending: Ending, now: Timestamp) -> Option<Next> {
        if self.canceled {
            return None;
        }
        let progress = self.progress;
        match ending {
            Ending::HandedBack => {
                let progress = Progress { handed_back: progress.handed_back.saturating_add(1), ..progress };
                Some(Next { due: now, progress })
            }
            Ending::Failed if progress.attempt < self.limit() => {
                let failures = progress.attempt.saturating_sub(progress.handed_back);
                Some(Next { due: now.after(self.retry.delay(failures)), progress })
            }
            Ending::Failed | Ending::Done => {
                self.every.map(|every| Next { due: now.after(every), progress: Progress::default() })
            }
        }
    }
}

/// The refusal of whoever no longer holds `lease`.
pub(crate) fn stale(operation: &'static str, lease: &Lease) -> Error {
    Error::new(ErrorKind::Stale, operation, "the lease of the job expired or was given up")
        .with("job", &lease.name)
        .with("worker", &lease.worker)
        .with("attempt", lease.attempt)
}
