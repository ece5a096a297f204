//! A blob on its way: a file under a temporary name, until it is whole.

use std::io;

use cap_std::fs::{Dir, File};
use chrono::{DateTime, Utc};
use conda_store_core::{Error, ErrorKind, Result, clock::Timestamp, storage::StorageKey};
use tracing::{info, warn};
use uuid::Uuid;

use super::directory;
use crate::leftovers::{STALE, UPLOADS, reserved};

/// A file that nobody sees yet; dropped before it was published, it is removed.
#[derive(Debug)]
pub(super) struct Upload {
    uploads: Dir,
    name: String,
    published: bool,
}

impl Upload {
    /// Makes an empty file. Blocks.
    pub(super) fn begin(root: &Dir) -> io::Result<(Self, File)> {
        let uploads = directory::descend_or_create(root, UPLOADS)?;
        let name = Uuid::new_v4().to_string();
        let file = directory::create_file(&uploads, &name)?;
        Ok((Self { uploads, name, published: false }, file))
    }

    /// Gives the file, whose content is on the disk already, the name of its blob. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] where something that is no blob has that name, or another blob the name of its directory.
    pub(super) fn publish(mut self, root: &Dir, key: &StorageKey) -> Result<()> {
        let (path, name) = directory::place(key).ok_or_else(|| reserved(key))?;
        let parent = directory::descend_or_create(root, path).map_err(|error| in_the_way(error, key))?;
        self.uploads.rename(&self.name, &parent, name).map_err(|error| in_the_way(error, key))?;
        self.published = true;
        directory::synchronize(&parent).map_err(|error| Error::io("write blob", error).with("key", key))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        if let Err(error) = self.uploads.remove_file(&self.name) {
            warn!(upload.name = self.name, error = %error, "could not remove an unfinished upload");
        }
    }
}

fn in_the_way(error: io::Error, key: &StorageKey) -> Error {
    let sentence = match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "a part of the key is no directory",
        io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => "there is a directory of this name",
        io::ErrorKind::InvalidFilename => {
            let message = "the file system takes no name as long as a part of the key";
            return Error::invalid("write blob", message).with("key", key).with_source(error);
        }
        _ => return Error::io("write blob", error).with("key", key),
    };
    Error::new(ErrorKind::Conflict, "write blob", sentence).with("key", key).with_source(error)
}

/// Removes the uploads that a process left behind which came to a sudden end. Blocks.
pub(super) fn sweep(root: &Dir, now: Timestamp) -> io::Result<()> {
    let Some(uploads) = directory::descend(root, UPLOADS)? else { return Ok(()) };
    for found in uploads.entries()? {
        let found = found?;
        let modified = match found.metadata() {
            Ok(metadata) => Timestamp::from(DateTime::<Utc>::from(directory::modified(&metadata)?)),
            // It was published or removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if now.since(modified) >= STALE && found.remove_file().is_ok() {
            info!(upload.name = ?found.file_name(), "removed a stale upload");
        }
    }
    Ok(())
}
