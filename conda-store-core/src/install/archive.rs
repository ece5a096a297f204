//! Package archives, unpacked by code that refuses whatever would land outside the directory.
//!
//! The directory is new and nobody else's, so every component of a path in it was made here: remembering which paths
//! are links is enough to know that none is written through, without asking the file system about each entry.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Component, Path, PathBuf},
};

use rattler_conda_types::package::CondaArchiveType;
use rattler_package_streaming::{ExtractError, read::stream_tar_bz2, seek};
use tar::{Entry, EntryType};
use tokio_util::sync::CancellationToken;

use super::cancelled;
use crate::{Error, ErrorKind, Result};

const OPERATION: &str = "unpack package";

/// Unpacks `archive` (`.conda`: <https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html>, or
/// `.tar.bz2`) into the new and empty directory `destination`.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for an archive that cannot be read, or with an entry that is absolute, contains `..`, lies
/// below a link, links to a file outside, or is neither file, directory nor link; [`ErrorKind::Full`] where the disk
/// is; [`ErrorKind::Cancelled`].
pub(super) fn unpack(
    archive: &File,
    kind: CondaArchiveType,
    destination: &Path,
    cancellation: &CancellationToken,
) -> Result<()> {
    let result = unpack_sections(archive, kind, destination, cancellation);
    if cancellation.is_cancelled() {
        return Err(cancelled(OPERATION));
    }
    result
}

fn unpack_sections(
    archive: &File,
    kind: CondaArchiveType,
    destination: &Path,
    cancellation: &CancellationToken,
) -> Result<()> {
    let mut target = Target::new(destination);
    let source = || Source::open(archive, cancellation);
    match kind {
        CondaArchiveType::TarBz2 => target.write(stream_tar_bz2(source()?)),
        CondaArchiveType::Conda => {
            target.write(seek::stream_conda_info(source()?).map_err(|error| unreadable(&error))?)?;
            target.write(seek::stream_conda_content(source()?).map_err(|error| unreadable(&error))?)
        }
    }
}

/// The archive from its start; reading ends with an error once the work is canceled.
struct Source<'a> {
    file: &'a File,
    cancellation: &'a CancellationToken,
}

impl<'a> Source<'a> {
    fn open(mut file: &'a File, cancellation: &'a CancellationToken) -> Result<Self> {
        file.seek(SeekFrom::Start(0)).map_err(|error| Error::io(OPERATION, error))?;
        Ok(Self { file, cancellation })
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancellation.is_cancelled() {
            return Err(io::Error::other("canceled"));
        }
        self.file.read(buffer)
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// The directory that is filled, and what has been put there.
struct Target<'a> {
    root: &'a Path,
    directories: HashSet<PathBuf>,
    files: HashSet<PathBuf>,
    links: HashSet<PathBuf>,
}

impl<'a> Target<'a> {
    fn new(root: &'a Path) -> Self {
        Self { root, directories: HashSet::new(), files: HashSet::new(), links: HashSet::new() }
    }

    fn write<R: Read>(&mut self, mut archive: tar::Archive<R>) -> Result<()> {
        for entry in archive.entries().map_err(|error| damaged(error, None))? {
            self.write_entry(entry.map_err(|error| damaged(error, None))?)?;
        }
        Ok(())
    }

    fn write_entry<R: Read>(&mut self, mut entry: Entry<'_, R>) -> Result<()> {
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let name = entry.path().map_err(|error| damaged(error, None))?.into_owned();
        let Some(path) = relative(&name)? else { return Ok(()) };
        self.make_parents(&path)?;
        match kind {
            EntryType::Directory => self.make_directory(&path),
            EntryType::Symlink => self.make_symlink(&entry, path),
            EntryType::Link => self.make_hard_link(&entry, path),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.claim(&path)?;
                entry.unpack(self.root.join(&path)).map_err(|error| damaged(error, Some(&path)))?;
                self.files.insert(path);
                Ok(())
            }
            _ => Err(refused(&path, "is neither a file nor a directory nor a link; packages hold nothing else")),
        }
    }

    fn make_parents(&mut self, path: &Path) -> Result<()> {
        let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
        if self.directories.contains(parent) {
            return Ok(());
        }
        self.make_parents(parent)?;
        self.make_directory(parent)
    }

    fn make_directory(&mut self, path: &Path) -> Result<()> {
        if self.links.contains(path) {
            return Err(refused(path, "is a link, and another entry is to be written through it"));
        }
        if self.directories.contains(path) {
            return Ok(());
        }
        self.claim(path)?;
        fs::create_dir(self.root.join(path)).map_err(|error| damaged(error, Some(path)))?;
        self.directories.insert(path.to_owned());
        Ok(())
    }

    fn make_symlink<R: Read>(&mut self, entry: &Entry<'_, R>, path: PathBuf) -> Result<()> {
        self.claim(&path)?;
        let target = link_name(entry, &path)?;
        std::os::unix::fs::symlink(target, self.root.join(&path)).map_err(|error| damaged(error, Some(&path)))?;
        self.links.insert(path);
        Ok(())
    }

    fn make_hard_link<R: Read>(&mut self, entry: &Entry<'_, R>, path: PathBuf) -> Result<()> {
        self.claim(&path)?;
        let Some(target) = relative(&link_name(entry, &path)?)?.filter(|target| self.files.contains(target)) else {
            return Err(refused(&path, "is a hard link to something that is no file of the package before it"));
        };
        fs::hard_link(self.root.join(target), self.root.join(&path)).map_err(|error| damaged(error, Some(&path)))?;
        self.files.insert(path);
        Ok(())
    }

    /// Refuses a second entry of one name: which of them counts would depend on who reads the archive.
    fn claim(&self, path: &Path) -> Result<()> {
        if self.files.contains(path) || self.links.contains(path) || self.directories.contains(path) {
            return Err(refused(path, "occurs twice; each path may be there once"));
        }
        Ok(())
    }
}

/// `name` without `.` components, or `None` for the root itself.
fn relative(name: &Path) -> Result<Option<PathBuf>> {
    let mut path = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err(refused(name, "contains '..'; a path may not leave the package")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(refused(name, "is absolute; paths are relative to the package"));
            }
        }
    }
    Ok((!path.as_os_str().is_empty()).then_some(path))
}

fn link_name<R: Read>(entry: &Entry<'_, R>, path: &Path) -> Result<PathBuf> {
    let name = entry.link_name().map_err(|error| damaged(error, Some(path)))?;
    name.map(std::borrow::Cow::into_owned).ok_or_else(|| refused(path, "is a link without a target"))
}

fn refused(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, OPERATION, format!("archive entry '{}' {what}", path.display()))
}

/// What the file system has to say keeps its kind; everything else means that the archive is damaged.
fn damaged(error: io::Error, path: Option<&Path>) -> Error {
    let subject = path.map_or_else(String::new, |path| format!(" at '{}'", path.display()));
    if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
        return Error::new(ErrorKind::Full, OPERATION, format!("no space left to unpack the package{subject}"))
            .with_source(error);
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Error::io(OPERATION, error);
    }
    Error::new(ErrorKind::Corrupt, OPERATION, format!("archive cannot be read{subject}: {error}")).with_source(error)
}

fn unreadable(error: &ExtractError) -> Error {
    Error::new(ErrorKind::Corrupt, OPERATION, format!("archive cannot be read: {error}"))
}
