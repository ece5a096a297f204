//! When to look for what a process left behind that came to a sudden end.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use conda_store_core::clock::Timestamp;

/// Seconds between two searches.
const INTERVAL: i64 = 3600;

/// When the last search was; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sweeps(Arc<AtomicI64>);

impl Sweeps {
    /// Whether to search now. Of several that ask when it is time, one is told so.
    pub(crate) fn begin(&self, now: Timestamp) -> bool {
        let (last, now) = (self.0.load(Ordering::Relaxed), now.unix_seconds());
        now - last >= INTERVAL && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
