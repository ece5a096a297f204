//! Access to files below one directory that cannot leave it.
//!
//! Each step goes from an open directory to an entry of it and follows no symbolic link, so that a link somebody planted
//! leads nowhere, also when it is planted between two steps. Everything here blocks.

use std::{
    io::{self, ErrorKind},
    path::Path,
    time::SystemTime,
};

use cap_fs_ext::{DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt};
use cap_std::{
    ambient_authority,
    fs::{Dir, File, Metadata, OpenOptions},
};
use chrono::{DateTime, Utc};
use conda_store_core::{
    clock::Timestamp,
    storage::{BlobInfo, StorageKey},
};

use crate::leftovers::UPLOADS;

/// Opens the directory at `path`, and makes it where it is missing.
pub(super) fn open_root(path: &Path) -> io::Result<Dir> {
    Dir::create_ambient_dir_all(path, ambient_authority())?;
    Dir::open_ambient_dir(path, ambient_authority())
}

/// The directory that would hold the blob, as segments, and the blob's name in it; `None` for what no blob can be called.
pub(super) fn place(key: &StorageKey) -> Option<(&str, &str)> {
    let (directory, name) = key.as_str().rsplit_once('/').unwrap_or(("", key.as_str()));
    let first = key.as_str().split('/').next();
    (first != Some(UPLOADS)).then_some((directory, name))
}

/// What is at `name`; a name that the file system does not take is as absent as any other.
fn entry(directory: &Dir, name: &str) -> io::Result<Option<Metadata>> {
    match directory.symlink_metadata(name) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidFilename) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The file `name` of `directory`, where it is one.
fn regular_file(directory: &Dir, name: &str) -> io::Result<Option<Metadata>> {
    Ok(entry(directory, name)?.filter(Metadata::is_file))
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The directory at `path`, where every segment of it is one.
pub(super) fn descend(root: &Dir, path: &str) -> io::Result<Option<Dir>> {
    let mut directory = root.try_clone()?;
    for segment in segments(path) {
        if !entry(&directory, segment)?.is_some_and(|found| found.is_dir()) {
            return Ok(None);
        }
        directory = directory.open_dir_nofollow(segment)?;
    }
    Ok(Some(directory))
}

/// The directory at `path`; what is missing of it is made, and stays after a loss of power.
pub(super) fn descend_or_create(root: &Dir, path: &str) -> io::Result<Dir> {
    let mut directory = root.try_clone()?;
    for segment in segments(path) {
        match directory.create_dir(segment) {
            Ok(()) => synchronize(&directory)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        directory = directory.open_dir_nofollow(segment)?;
    }
    Ok(directory)
}

/// Writes the directory's entries to the disk.
pub(super) fn synchronize(directory: &Dir) -> io::Result<()> {
    directory.open(".")?.sync_all()
}

/// Makes a new file that nobody else has.
pub(super) fn create_file(directory: &Dir, name: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).follow(FollowSymlinks::No);
    directory.open_with(name, &options)
}

/// What is known about the blob, where there is one.
pub(super) fn head(root: &Dir, key: &StorageKey) -> io::Result<Option<BlobInfo>> {
    let Some((path, name)) = place(key) else { return Ok(None) };
    let Some(directory) = descend(root, path)? else { return Ok(None) };
    regular_file(&directory, name)?.map(|metadata| info(key.clone(), &metadata)).transpose()
}

/// The blob's file opened for reading, where there is one.
pub(super) fn open(root: &Dir, key: &StorageKey) -> io::Result<Option<(BlobInfo, File)>> {
    let Some((path, name)) = place(key) else { return Ok(None) };
    let Some(directory) = descend(root, path)? else { return Ok(None) };
    // Looked at before it is opened: opening a named pipe would wait for its writer.
    if regular_file(&directory, name)?.is_none() {
        return Ok(None);
    }
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No);
    let file = match directory.open_with(name, &options) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some((info(key.clone(), &file.metadata()?)?, file)))
}

/// Removes the blob, where there is one.
pub(super) fn remove(root: &Dir, key: &StorageKey) -> io::Result<()> {
    let Some((path, name)) = place(key) else { return Ok(()) };
    let Some(directory) = descend(root, path)? else { return Ok(()) };
    if regular_file(&directory, name)?.is_none() {
        return Ok(());
    }
    match directory.remove_file(name) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The blobs right in it.
    pub(super) blobs: Vec<BlobInfo>,
    /// The paths of the directories in it.
    pub(super) directories: Vec<String>,
}

/// The blobs and directories in the directory at `path`, without what cannot be a blob.
pub(super) fn list(root: &Dir, path: &str) -> io::Result<Listing> {
    let mut listing = Listing::default();
    let Some(directory) = descend(root, path)? else { return Ok(listing) };
    for found in directory.entries()? {
        let Ok(name) = found?.file_name().into_string() else { continue };
        let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        let Ok(key) = below.parse::<StorageKey>() else { continue };
        match entry(&directory, &name)? {
            Some(metadata) if metadata.is_file() => listing.blobs.push(info(key, &metadata)?),
            Some(metadata) if metadata.is_dir() && below != UPLOADS => listing.directories.push(below),
            _ => {}
        }
    }
    Ok(listing)
}

/// When the file was last written.
pub(super) fn modified(metadata: &Metadata) -> io::Result<SystemTime> {
    metadata.modified().map(cap_std::time::SystemTime::into_std)
}

/// What a file says about the blob in it.
///
/// Every put makes a file of its own, so its number and time tell contents apart.
pub(super) fn info(key: StorageKey, metadata: &Metadata) -> io::Result<BlobInfo> {
    let modified = DateTime::<Utc>::from(modified(metadata)?);
    let nanoseconds = modified.timestamp_nanos_opt().unwrap_or_default();
    let etag = format!("{:x}-{nanoseconds:x}-{:x}", metadata.ino(), metadata.len());
    Ok(BlobInfo { key, size: metadata.len(), modified: Timestamp::from(modified), etag })
}
