//! Locks between tasks and processes: locked files, each released when its holder ends, however that comes about.

use std::{
    fs::{self, File, FileTimes, TryLockError},
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use uuid::Uuid;

use crate::{Error, ErrorKind, Result};

/// How often the holder of a lock shows that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// After so long without a sign of life the holder of a lock is not waited for.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);
/// How often a lock that another process holds is asked for; within a task, waiting is rare.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// A held lock. It is released when this is dropped.
pub(crate) struct FileLock {
    name: String,
    _file: Arc<File>,
    _life: AbortOnDropHandle<()>,
}

impl FileLock {
    /// The name, which is another one where a silent holder was not waited for.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Shows a sign of life on the file from now on, so that whoever waits sees that the holder is not suspended.
    fn new(name: String, file: File) -> Self {
        let file = Arc::new(file);
        // Not the file itself: the lock lasts until the last handle of it is closed.
        let held = Arc::downgrade(&file);
        let life = tokio::spawn(async move {
            while let Some(sign) = held.upgrade() {
                // It matters that the time changes, not what it is; without a change others do this work, too.
                let _unchanged = sign.set_times(FileTimes::new().set_modified(SystemTime::now()));
                drop(sign);
                tokio::time::sleep(SIGN_OF_LIFE).await;
            }
        });
        Self { name, _file: file, _life: AbortOnDropHandle::new(life) }
    }
}

/// Waits for the lock `name` in the directory `locks`.
///
/// A process that was suspended keeps its locks. After a silence nobody waits for it any more: the answer is a lock of
/// another name, and the work is done beside that of the silent one.
pub(crate) async fn lock(
    operation: &'static str,
    locks: &Path,
    name: &str,
    cancellation: &CancellationToken,
) -> Result<FileLock> {
    let path = locks.join(name);
    let (mut sign, mut since) = (None, Instant::now());
    loop {
        if let Some(file) = try_lock(operation, &path)? {
            return Ok(FileLock::new(name.to_owned(), file));
        }
        let shown = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
        if shown != sign {
            (sign, since) = (shown, Instant::now());
        }
        if since.elapsed() > SILENCE {
            let other = format!("{name}.{}", Uuid::new_v4().simple());
            if let Some(file) = try_lock(operation, &locks.join(&other))? {
                return Ok(FileLock::new(other, file));
            }
        }
        if cancellation.run_until_cancelled(tokio::time::sleep(LOCK_INTERVAL)).await.is_none() {
            return Err(Error::new(ErrorKind::Cancelled, operation, "canceled on request"));
        }
    }
}

/// The lock at `path`, unless somebody holds it.
pub(crate) fn try_lock(operation: &'static str, path: &Path) -> Result<Option<File>> {
    let failed = |error| Error::io(operation, error).with("path", path.display());
    let open = File::options().create(true).truncate(false).write(true).open(path);
    let file = open.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
