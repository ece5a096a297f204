//! What is verified of an unpacked package before it may be linked, once per package of the store.
//!
//! Nothing here trusts `info/`: every path is a plain relative one, is there once, has real directories above it, and
//! is of the type, size and hash that `info/paths.json` states.

use std::{
    collections::HashSet,
    fs::{self, Metadata},
    io,
    path::{Component, Path},
};

use rattler_conda_types::package::{
    IndexJson, LinkJson, NoArchLinks, PackageFile, PathType, PathsEntry, PathsJson, PrefixPlaceholder,
};
use rattler_digest::{Sha256, compute_file_digest};
use tokio_util::sync::CancellationToken;

use super::{cancelled, manifest::Manifest};
use crate::{Error, ErrorKind, Result};

const OPERATION: &str = "check package";

/// Verifies the package unpacked at `package` and describes its contents.
///
/// # Errors
/// [`ErrorKind::Corrupt`] with a sentence that names the file, what it is and what was expected.
pub(super) fn check(package: &Path, cancellation: &CancellationToken) -> Result<Manifest> {
    let index = IndexJson::from_package_directory(package).map_err(|error| unreadable("info/index.json", error))?;
    let mut paths = PathsJson::from_package_directory_with_deprecated_fallback(package)
        .map_err(|error| unreadable("info/paths.json", error))?
        .paths;
    let mut checker = Checker { package, seen: HashSet::new(), directories: HashSet::new() };
    for entry in &mut paths {
        if cancellation.is_cancelled() {
            return Err(cancelled(OPERATION));
        }
        checker.entry(entry)?;
    }
    checker.nothing_below_files(&paths)?;
    let entry_points = if index.noarch.is_python() { entry_points(package)? } else { Vec::new() };
    Ok(Manifest { index, paths, entry_points })
}

fn entry_points(package: &Path) -> Result<Vec<rattler_conda_types::package::EntryPoint>> {
    match LinkJson::from_package_directory(package) {
        Ok(LinkJson { noarch: NoArchLinks::Python(python), .. }) => Ok(python.entry_points),
        Ok(_) => Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unreadable("info/link.json", error)),
    }
}

struct Checker<'a> {
    package: &'a Path,
    seen: HashSet<std::path::PathBuf>,
    directories: HashSet<std::path::PathBuf>,
}

impl Checker<'_> {
    fn entry(&mut self, entry: &mut PathsEntry) -> Result<()> {
        let path = entry.relative_path.as_path();
        plain(path)?;
        if !self.seen.insert(path.to_owned()) {
            return Err(wrong(path, "is listed twice in info/paths.json; each path may be there once"));
        }
        if let Some(parent) = path.parent() {
            self.real_directory(path, parent)?;
        }
        let found = match fs::symlink_metadata(self.package.join(path)) {
            Ok(found) => found,
            // An archive need not hold an entry for an empty directory: it is made from paths.json alone.
            Err(error) if missing(&error) && entry.path_type == PathType::Directory => return Ok(()),
            Err(error) if missing(&error) => {
                return Err(wrong(path, "is listed in info/paths.json but not in the package"));
            }
            Err(error) => return Err(Error::io(OPERATION, error).with("file", path.display())),
        };
        same_type(path, entry.path_type, &found)?;
        if entry.path_type == PathType::HardLink { self.contents(entry, &found) } else { Ok(()) }
    }

    /// Every directory above an entry must be one, and no link: else the entry would be somewhere else.
    fn real_directory(&mut self, path: &Path, directory: &Path) -> Result<()> {
        if directory.as_os_str().is_empty() || self.directories.contains(directory) {
            return Ok(());
        }
        if let Some(parent) = directory.parent() {
            self.real_directory(path, parent)?;
        }
        match fs::symlink_metadata(self.package.join(directory)) {
            Ok(found) if found.is_symlink() => {
                let message =
                    format!("lies below '{}', which is a link and has to be a directory", directory.display());
                return Err(wrong(path, &message));
            }
            Ok(_) => {}
            Err(error) if missing(&error) => {}
            Err(error) => return Err(Error::io(OPERATION, error).with("file", directory.display())),
        }
        self.directories.insert(directory.to_owned());
        Ok(())
    }

    fn contents(&self, entry: &mut PathsEntry, found: &Metadata) -> Result<()> {
        let path = &entry.relative_path;
        if let Some(expected) = entry.size_in_bytes.filter(|expected| *expected != found.len()) {
            return Err(wrong(path, &format!("has {} bytes where {expected} are stated", found.len())));
        }
        let hash = compute_file_digest::<Sha256>(&self.package.join(path))
            .map_err(|error| Error::io(OPERATION, error).with("file", path.display()))?;
        if let Some(expected) = entry.sha256.filter(|expected| *expected != hash) {
            let (found, expected) = (hex::encode(hash), hex::encode(expected));
            return Err(wrong(path, &format!("has the sha256 {found} where {expected} is stated")));
        }
        entry.size_in_bytes = Some(found.len());
        entry.sha256 = Some(hash);
        placeholder(path, entry.prefix_placeholder.as_ref())
    }

    /// A file or link cannot have entries below it, whatever the archive holds at that place.
    fn nothing_below_files(&self, paths: &[PathsEntry]) -> Result<()> {
        for entry in paths.iter().filter(|entry| entry.path_type != PathType::Directory) {
            if self.directories.contains(&entry.relative_path) {
                return Err(wrong(&entry.relative_path, "is no directory, but other entries lie below it"));
            }
        }
        Ok(())
    }
}

/// An empty placeholder occurs everywhere: replacing it would have no end.
fn placeholder(path: &Path, placeholder: Option<&PrefixPlaceholder>) -> Result<()> {
    match placeholder {
        Some(placeholder) if placeholder.placeholder.is_empty() => {
            Err(wrong(path, "has an empty prefix_placeholder; it must be the prefix that the package was built in"))
        }
        _ => Ok(()),
    }
}

/// Relative, without `.` and `..`, and none of the files in which an environment keeps account of itself.
fn plain(path: &Path) -> Result<()> {
    let mut components = path.components();
    if path.as_os_str().is_empty() || !components.all(|part| matches!(part, Component::Normal(_))) {
        return Err(wrong(path, "must be a relative path without '..' in info/paths.json"));
    }
    if path.to_str().is_none_or(|text| text.contains('\0')) {
        return Err(wrong(path, "must be UTF-8 without a null byte in info/paths.json"));
    }
    let own = path.parent() == Some(Path::new("conda-meta"))
        && (path.extension().is_some_and(|extension| extension == "json")
            || path.file_name().is_some_and(|name| name == "history" || name == "state"));
    if own || path == Path::new("conda-meta") {
        return Err(wrong(path, "belongs to the environment itself; a package may not bring it"));
    }
    Ok(())
}

fn same_type(path: &Path, expected: PathType, found: &Metadata) -> Result<()> {
    let found = match found.file_type() {
        kind if kind.is_symlink() => PathType::SoftLink,
        kind if kind.is_dir() => PathType::Directory,
        _ => PathType::HardLink,
    };
    if found == expected {
        return Ok(());
    }
    Err(wrong(path, &format!("is a {} where a {} is stated", type_name(found), type_name(expected))))
}

fn type_name(kind: PathType) -> &'static str {
    match kind {
        PathType::HardLink => "file",
        PathType::SoftLink => "symbolic link",
        PathType::Directory => "directory",
    }
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn wrong(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, OPERATION, format!("file '{}' {what}", path.display()))
}

fn unreadable(file: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Corrupt, OPERATION, format!("{file} of the package cannot be read: {error}"))
        .with_source(error)
}
