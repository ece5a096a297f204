//! Owner and mode of every file of a tree, and how much room it takes.
//!
//! A hard-linked file or symbolic link shares its owner and mode with the package store and so with every other environment. Therefore
//! the store gives packages the permissions of the installation while they are its own ([`PackageStore`] takes them as
//! a setting): an environment with the same ones finds nothing to do. Where an environment has others, the file is
//! replaced by a copy of its own first, and neither the store nor other environments notice.
//!
//! [`PackageStore`]: super::PackageStore

use std::{
    collections::HashSet,
    fs::{self, File, FileTimes, Metadata},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink},
    path::{Path, PathBuf},
};

use tokio_util::sync::CancellationToken;

use super::cancelled;
use crate::{Error, Result};

const OPERATION: &str = "set permissions";
/// The bits that `chmod` sets.
const MODE_BITS: u32 = 0o7777;

/// What the files of an environment shall have; what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// The owner.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
    /// The mode bits, the same for files and directories; links have none.
    pub mode: Option<u32>,
}

impl Permissions {
    /// Gives every file, directory and link below `root`, and `root` itself, these permissions. Links are not followed.
    ///
    /// Runs on the calling thread, which it blocks.
    ///
    /// # Errors
    /// What the file system says, with the path; [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    pub fn apply(&self, root: &Path, cancellation: &CancellationToken) -> Result<()> {
        if *self == Self::default() {
            return Ok(());
        }
        walk(root, &mut |path, found| {
            if cancellation.is_cancelled() {
                return Err(cancelled(OPERATION));
            }
            self.apply_to(path, found).map_err(|error| Error::io(OPERATION, error).with("file", path.display()))
        })
    }

    fn apply_to(&self, path: &Path, found: &Metadata) -> io::Result<()> {
        let owner = self.uid.is_some_and(|uid| uid != found.uid()) || self.gid.is_some_and(|gid| gid != found.gid());
        let mode = self.mode.filter(|mode| !found.is_symlink() && *mode & MODE_BITS != found.mode() & MODE_BITS);
        if !owner && mode.is_none() {
            return Ok(());
        }
        if !found.is_dir() && found.nlink() > 1 {
            replace_by_copy(path, found)?;
        }
        if owner {
            lchown(path, self.uid, self.gid)?;
        }
        // Last, because changing the owner takes the bits for set-user-id and set-group-id away.
        mode.map_or(Ok(()), |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode & MODE_BITS)))
    }
}

/// Takes `path` out of its group of hard links; times are kept, because compiled Python files rely on them.
fn replace_by_copy(path: &Path, found: &Metadata) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".unshared");
    let copy = path.with_file_name(name);
    if found.is_symlink() {
        symlink(fs::read_link(path)?, &copy)?;
        return fs::rename(&copy, path);
    }
    fs::copy(path, &copy)?;
    let times = FileTimes::new().set_modified(found.modified()?).set_accessed(found.accessed()?);
    File::options().append(true).open(&copy).and_then(|file| file.set_times(times))?;
    fs::rename(&copy, path)
}

/// Bytes that `root` takes on its file system, as `du` counts them: whole blocks, each file once however many names it
/// has in there.
///
/// # Errors
/// What the file system says, with the path.
pub fn disk_usage(root: &Path) -> Result<u64> {
    /// `stat` counts in these, whatever the block size of the file system is.
    const BLOCK: u64 = 512;
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    walk(root, &mut |_, found| {
        if found.is_dir() || found.nlink() == 1 || seen.insert((found.dev(), found.ino())) {
            bytes += found.blocks() * BLOCK;
        }
        Ok(())
    })?;
    Ok(bytes)
}

/// Visits everything below `root` and `root` itself, directories after what they hold, without following links.
fn walk(root: &Path, visit: &mut impl FnMut(&Path, &Metadata) -> Result<()>) -> Result<()> {
    let fail = |path: &Path, error| Error::io("read directory", error).with("directory", path.display());
    let found = fs::symlink_metadata(root).map_err(|error| fail(root, error))?;
    let mut pending: Vec<(PathBuf, Metadata, bool)> = vec![(root.to_owned(), found, false)];
    while let Some((path, found, entered)) = pending.pop() {
        if entered || !found.is_dir() {
            visit(&path, &found)?;
            continue;
        }
        let entries = fs::read_dir(&path).map_err(|error| fail(&path, error))?;
        let parent = path.clone();
        pending.push((path, found, true));
        for entry in entries {
            let entry = entry.map_err(|error| fail(&parent, error))?;
            let found = entry.metadata().map_err(|error| fail(&entry.path(), error))?;
            pending.push((entry.path(), found, false));
        }
    }
    Ok(())
}
