//! A clock that stands still until it is told.

use std::{sync::Mutex, time::Duration};

use crate::clock::{Clock, Timestamp};

/// Shows the time that a test sets.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows 2024-05-01T00:00:00.
    ///
    /// # Panics
    /// Never: the date exists.
    #[must_use]
    pub fn new() -> Self {
        let start = chrono::DateTime::from_timestamp(1_714_521_600, 0).unwrap_or_default();
        Self(Mutex::new(start.into()))
    }

    /// Moves the time on.
    ///
    /// # Panics
    /// If another user of the clock panicked.
    #[expect(clippy::unwrap_used, reason = "for tests alone")]
    pub fn advance(&self, duration: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.after(duration);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    #[expect(clippy::unwrap_used, reason = "for tests alone")]
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}
