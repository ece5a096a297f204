//! Files of the package store become files of an environment.
//!
//! What is where was decided before ([`layout`](super::layout)), so packages are linked in parallel and in any order
//! with the same outcome. Single files are rattler's work: the kinds of links, and replacing the prefix in text and
//! programs.
//!
//! Modules of noarch Python packages are not compiled, which conda does and rattler does not: it would take many times as
//! long as linking, and two machines would not make the same bytes of one lock. Python compiles what it imports where it
//! may write. So `conda-meta` lists those `.pyc` files alone that packages bring.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use filetime::FileTime;
use rattler::install::{
    AppleCodeSignBehavior, ExternalSymlinkPolicy, LinkFileError, LinkMethod as RattlerMethod, PythonInfo, link_file,
    python_entry_point_template,
};
use rattler_conda_types::{
    Subdir,
    package::{EntryPoint, PathType, PathsEntry},
    prefix::Prefix,
    prefix_record::{self, LinkType},
};
use rattler_digest::{Sha256, compute_bytes_digest};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    cancelled,
    layout::{Content, Placed},
    store::StoredPackage,
};
use crate::{Error, ErrorKind, Result};

const OPERATION: &str = "link package";

/// How a file of the package store gets into an environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkMethod {
    /// As a hard link where both are on one file system, else as a reflink, else as a copy.
    #[default]
    Auto,
    /// As a reflink (copy on write) where the file system has them, else as a copy.
    Reflink,
    /// As a copy.
    Copy,
}

/// The environment that packages are linked into.
#[derive(Debug)]
pub(super) struct Linker {
    prefix: Prefix,
    prefix_text: String,
    platform: Subdir,
    python: Option<PythonInfo>,
    hard_links: bool,
    reflinks: bool,
}

impl Linker {
    /// Creates `directory`, which may not hold anything yet, for an environment that will be at `prefix`. Both are
    /// absolute.
    ///
    /// `sample` is a file of the package store, on which hard links are tried.
    pub(super) fn create(
        directory: &Path,
        prefix: &Path,
        platform: Subdir,
        python: Option<PythonInfo>,
        method: LinkMethod,
        sample: Option<&Path>,
    ) -> Result<Self> {
        let prefix_text = prefix.to_str().filter(|_| prefix.is_absolute()).map(str::to_owned).ok_or_else(|| {
            let message = format!("prefix '{}' has to be an absolute path in UTF-8", prefix.display());
            Error::invalid(OPERATION, message)
        })?;
        confirm_vacant(directory)?;
        let prefix = Prefix::create(directory).map_err(|error| disk(directory, error))?;
        // This tag keeps directories out of backups and archives; environments belong into both.
        let tag = prefix.path().join("CACHEDIR.TAG");
        fs::remove_file(&tag).map_err(|error| disk(&tag, error))?;
        let hard_links = method == LinkMethod::Auto && sample.is_none_or(|sample| can_hard_link(sample, prefix.path()));
        let reflinks = method != LinkMethod::Copy && !hard_links;
        Ok(Self { prefix, prefix_text, platform, python, hard_links, reflinks })
    }

    /// Creates the directories, which are relative to the prefix and each after the one that it lies in.
    pub(super) fn make_directories(&self, directories: &[PathBuf]) -> Result<()> {
        for directory in directories {
            let path = self.prefix.path().join(directory);
            match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(disk(&path, error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// What the records of packages call the way they were linked.
    pub(super) fn link_type(&self) -> LinkType {
        if self.hard_links { LinkType::HardLink } else { LinkType::Copy }
    }

    /// Links one package, whose directories exist, and says what is there now.
    pub(super) fn link(
        &self,
        package: &StoredPackage,
        places: Vec<Placed>,
        cancellation: &CancellationToken,
    ) -> Result<Vec<prefix_record::PathsEntry>> {
        let modified = modification_time(&package.directory)?;
        let mut linked = Vec::with_capacity(places.len());
        for Placed { target, content } in places {
            if cancellation.is_cancelled() {
                return Err(cancelled(OPERATION));
            }
            linked.push(match content {
                Content::EntryPoint(entry_point) => self.entry_point(target, &entry_point)?,
                Content::Entry(entry) if entry.path_type == PathType::Directory => recorded(target, &entry),
                Content::Entry(entry) => self.file(package, target, &entry, modified)?,
            });
        }
        Ok(linked)
    }

    fn file(
        &self,
        package: &StoredPackage,
        target: PathBuf,
        entry: &PathsEntry,
        modified: FileTime,
    ) -> Result<prefix_record::PathsEntry> {
        if self.shares_link(package, &target, entry) {
            return Ok(recorded(target, entry));
        }
        let linked = link_file(
            entry,
            target.clone(),
            &package.directory,
            &self.prefix,
            &self.prefix_text,
            true,
            self.hard_links && !entry.no_link,
            self.reflinks && !entry.no_link,
            self.platform,
            AppleCodeSignBehavior::Fail,
            modified,
            ExternalSymlinkPolicy::Allow,
        );
        let linked = linked.map_err(|error| failed(&target, error))?.ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, OPERATION, "link has vanished from the package store")
                .with("file", target.display())
        })?;
        let mut record = recorded(target, entry);
        if entry.path_type == PathType::HardLink {
            record.sha256_in_prefix = Some(linked.sha256);
        }
        if let RattlerMethod::Patched(mode) = linked.method {
            record.file_mode = Some(mode);
        }
        Ok(record)
    }

    /// Gives a symbolic link of the package a second name in the environment, which `cp -al` does too: a link of its own
    /// would be one more file that the file system has to write. False where that cannot be done here.
    fn shares_link(&self, package: &StoredPackage, target: &Path, entry: &PathsEntry) -> bool {
        entry.path_type == PathType::SoftLink
            && self.hard_links
            && !entry.no_link
            && fs::hard_link(package.directory.join(&entry.relative_path), self.prefix.path().join(target)).is_ok()
    }

    /// Writes a command that runs a function of a noarch Python package.
    fn entry_point(&self, target: PathBuf, entry_point: &EntryPoint) -> Result<prefix_record::PathsEntry> {
        let Some(python) = &self.python else {
            return Err(Error::unexpected(OPERATION, "entry point without python").with("file", target.display()));
        };
        let text = python_entry_point_template(&self.prefix_text, false, entry_point, python);
        let path = self.prefix.path().join(&target);
        let created = OpenOptions::new().write(true).create_new(true).mode(0o775).open(&path);
        created.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| disk(&path, error))?;
        let hash = compute_bytes_digest::<Sha256>(&text);
        Ok(prefix_record::PathsEntry {
            relative_path: target,
            original_path: None,
            path_type: prefix_record::PathType::UnixPythonEntryPoint,
            no_link: false,
            sha256: Some(hash),
            sha256_in_prefix: Some(hash),
            size_in_bytes: Some(text.len() as u64),
            file_mode: None,
            prefix_placeholder: None,
        })
    }
}

fn confirm_vacant(prefix: &Path) -> Result<()> {
    match fs::read_dir(prefix).map(|mut entries| entries.next()) {
        Ok(None) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Some(_)) => {
            let message =
                format!("'{}' is not empty; environments are made in a directory of their own", prefix.display());
            Err(Error::new(ErrorKind::Conflict, OPERATION, message))
        }
        Err(error) => Err(disk(prefix, error)),
    }
}

fn can_hard_link(sample: &Path, prefix: &Path) -> bool {
    let trial = prefix.join("conda-meta/.hard-link-trial");
    fs::hard_link(sample, &trial).and_then(|()| fs::remove_file(&trial)).is_ok()
}

/// Files with a replaced prefix are a second younger than the package, and so the same whenever it is linked; were they
/// as old, a compiled Python file would be taken for that of the new contents.
fn modification_time(package: &Path) -> Result<FileTime> {
    let index = package.join("info/index.json");
    let found = fs::metadata(&index).map_err(|error| disk(&index, error))?;
    let time = FileTime::from_last_modification_time(&found);
    Ok(FileTime::from_unix_time(time.unix_seconds() + 1, 0))
}

fn recorded(target: PathBuf, entry: &PathsEntry) -> prefix_record::PathsEntry {
    prefix_record::PathsEntry {
        relative_path: target,
        original_path: None,
        path_type: entry.path_type.into(),
        no_link: entry.no_link,
        sha256: entry.sha256,
        sha256_in_prefix: None,
        size_in_bytes: entry.size_in_bytes,
        file_mode: None,
        prefix_placeholder: entry.prefix_placeholder.as_ref().map(|prefix| prefix.placeholder.clone()),
    }
}

fn disk(path: &Path, error: io::Error) -> Error {
    Error::io(OPERATION, error).with("path", path.display())
}

/// A failure of rattler, with the kind and the words of the input/output error below it.
fn failed(target: &Path, error: LinkFileError) -> Error {
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let (kind, reason) = match causes.filter_map(|error| error.downcast_ref::<io::Error>()).last() {
        Some(cause) => (Error::io(OPERATION, cause.kind().into()).kind(), cause.to_string()),
        None => (ErrorKind::Unexpected, error.to_string()),
    };
    let message = format!("file cannot be linked: {reason}");
    Error::new(kind, OPERATION, message).with("path", target.display()).with_source(error)
}

/// The Python among `records`, which noarch packages are laid out for.
pub(super) fn python<'a>(
    records: impl IntoIterator<Item = &'a rattler_conda_types::PackageRecord>,
    platform: Subdir,
) -> Result<Option<Arc<PythonInfo>>> {
    let Some(python) = records.into_iter().find(|record| record.name.as_normalized() == "python") else {
        return Ok(None);
    };
    let info = PythonInfo::from_python_record(python, platform)
        .map_err(|error| Error::invalid(OPERATION, error.to_string()).with_source(error))?;
    super::layout::confirm_python(&info)?;
    Ok(Some(Arc::new(info)))
}
