//! Turns at work that several jobs ask for: one does it, the others wait for what comes of it.

use std::{fs, path::PathBuf, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    Error, Result,
    file_lock::{self, FileLock, lock},
    install::blocking,
};

/// How long a job keeps its place while another does the same. Longer than a suspended one is waited for, so that this one
/// takes over instead.
const PATIENCE: Duration = file_lock::SILENCE.saturating_add(Duration::from_secs(5));

/// How much of a digest names its lock. Lock files stay, so there are only so many; two digests that share one wait for each
/// other.
const LOCK_DIGITS: usize = 3;

/// Locks between tasks and processes, by the digest of what the work depends on. A holder that ends in whatever way releases
/// its lock.
#[derive(Debug)]
pub(crate) struct Turns {
    operation: &'static str,
    locks: PathBuf,
}

impl Turns {
    /// Keeps the locks in the directory `locks`, which all who are to wait for one another have in common.
    pub(crate) async fn open(operation: &'static str, locks: PathBuf) -> Result<Self> {
        let directory = locks.clone();
        let make = move || {
            fs::create_dir_all(&directory)
                .map_err(|error| Error::io(operation, error).with("path", directory.display()))
        };
        blocking(operation, make).await?;
        Ok(Self { operation, locks })
    }

    /// The turn at the work with this digest in hexadecimal; it ends when it is dropped. `None` where another one's takes
    /// longer than a job keeps its place.
    pub(crate) async fn wait(&self, digest: &str, cancellation: &CancellationToken) -> Result<Option<FileLock>> {
        let turn = lock(self.operation, &self.locks, &digest[..LOCK_DIGITS], cancellation);
        tokio::time::timeout(PATIENCE, turn).await.ok().transpose()
    }
}
