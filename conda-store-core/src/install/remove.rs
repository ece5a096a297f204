//! Taking an environment away again, finished or not.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::blocking;
use crate::{Error, ErrorKind, Result};

const OPERATION: &str = "remove environment";

/// Removes the directory `prefix` with everything in it; links are removed, never followed. A directory that is not
/// there counts as removed, and one without permission to write is given it.
///
/// # Errors
/// [`ErrorKind::Invalid`] where `prefix` is a link or no directory; else what the file system says.
pub async fn remove_prefix(prefix: &Path) -> Result<()> {
    let prefix = prefix.to_owned();
    blocking(OPERATION, move || remove(&prefix)).await
}

fn remove(prefix: &Path) -> Result<()> {
    let fail = |error| Error::io(OPERATION, error).with("prefix", prefix.display());
    match fs::symlink_metadata(prefix) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
        Ok(found) if !found.is_dir() => {
            let message = "prefix is not a directory of its own, it is not removed";
            return Err(Error::new(ErrorKind::Invalid, OPERATION, message).with("prefix", prefix.display()));
        }
        Ok(_) => {}
    }
    match fs::remove_dir_all(prefix) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(prefix).and_then(|()| fs::remove_dir_all(prefix)).map_err(fail)
        }
        result => result.map_err(fail),
    }
}

/// Names can only be removed from directories that their owner may write to.
fn make_writable(root: &Path) -> io::Result<()> {
    let mut pending: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    Ok(())
}
