//! What a process leaves behind that comes to a sudden end, and when to look for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use conda_store_core::{Error, clock::Timestamp, storage::StorageKey};

/// The directory where files are written before they get the name of their blob; no blob lies in it.
pub(crate) const UPLOADS: &str = ".conda-store-uploads";

/// An upload this old belongs to nobody any more.
pub(crate) const STALE: Duration = Duration::from_hours(24);

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

/// That `key` is kept for uploads.
pub(crate) fn reserved(key: &StorageKey) -> Error {
    Error::invalid("write blob", format!("keys below {UPLOADS}/ are reserved for unfinished uploads")).with("key", key)
}
