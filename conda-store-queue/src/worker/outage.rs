//! Patience with a queue that cannot be reached.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use conda_store_core::Error;

/// Whether the queue fails just now, so that the loop and all running jobs together log it once.
#[derive(Debug, Default)]
pub(super) struct Outage(AtomicBool);

impl Outage {
    pub(super) fn failed(&self, error: &Error) {
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::warn!(error = %error.report(), "the queue fails; trying on");
        }
    }

    pub(super) fn is_over(&self) {
        if self.0.swap(false, Ordering::Relaxed) {
            tracing::info!("the queue works again");
        }
    }
}

/// Waits that double.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    const LONGEST: Duration = Duration::from_secs(5);

    /// How long to wait before the next try.
    pub(super) fn next_wait(&mut self) -> Duration {
        let wait = self.0;
        self.0 = wait.saturating_mul(2).min(Self::LONGEST);
        wait
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_seconds() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.next_wait().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    }
}
