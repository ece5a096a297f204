//! A directory for package lists that no other process uses at the same time.
//!
//! The gateway locks each list on the disk while it reads or fetches it, and waits for such a lock without a limit: a
//! process that was suspended meanwhile would hold up all that share its directory. So everybody takes a directory of
//! its own, the first that is free, and finds there what an earlier one left.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// A numbered directory, taken as long as this lives; the lock goes with the process at the latest.
#[derive(Debug)]
pub(super) struct ListDirectory {
    path: PathBuf,
    _lock: File,
}

impl ListDirectory {
    /// Takes the first directory below `parent` that nobody has.
    ///
    /// # Errors
    /// What the file system says, with the path.
    pub(super) fn take(parent: &Path) -> Result<Self> {
        fs::create_dir_all(parent).map_err(|error| disk(parent, error))?;
        let mut number = 0_u32;
        loop {
            let lock = parent.join(format!("{number}.lock"));
            if let Some(lock) = try_lock(&lock).map_err(|error| disk(&lock, error))? {
                return Ok(Self { path: parent.join(number.to_string()), _lock: lock });
            }
            number += 1;
        }
    }

    /// Where lists are kept; it may not be there yet.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn disk(path: &Path, error: io::Error) -> Error {
    Error::io("open package lists", error).with("path", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_another_directory_and_the_next_has_that_of_the_last() {
        let parent = tempfile::tempdir().unwrap();
        let first = ListDirectory::take(&parent.path().join("lists")).unwrap();
        let second = ListDirectory::take(&parent.path().join("lists")).unwrap();
        assert_ne!(first.path(), second.path());

        let path = first.path().to_owned();
        drop(first);
        assert_eq!(ListDirectory::take(&parent.path().join("lists")).unwrap().path(), path);
    }
}
