//! The one description of an environment that all artifacts are written from.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs::{self, Metadata},
    io, iter,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use rattler_conda_types::{PrefixRecord, prefix_record::PathsEntry, utils::TimestampMs};

use crate::{Error, ErrorKind, Result, install::parallelism};

const OPERATION: &str = "read environment";

/// What conda keeps for itself at the top of a directory that is more than an environment.
const NOT_OF_THE_ENVIRONMENT: [&str; 9] =
    [".conda_lock", ".index", ".nonadmin", ".unionfs", "conda-bld", "conda-recipes", "envs", "pkgs", "users"];

/// Scripts of old versions of conda.
const CONDA_SCRIPTS: [Option<&str>; 3] = [Some("bin/activate"), Some("bin/conda"), Some("bin/deactivate")];

/// The time of environments whose packages tell none: the first that every archive format can hold, in seconds since 1970.
const NO_TIME: i64 = 315_532_800;

/// An environment on disk: what is in it, and which package brought it.
#[derive(Debug)]
pub struct Tree {
    pub(super) prefix: PathBuf,
    /// The path that its files name, which is `prefix` as text.
    pub(super) prefix_text: String,
    /// What `conda-meta` says, by name.
    pub(super) records: Vec<PrefixRecord>,
    /// Sorted by path.
    pub(super) entries: Vec<Entry>,
    /// Seconds since 1970, from the newest package.
    pub(super) time: i64,
}

/// One file, link or empty directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the prefix.
    pub path: PathBuf,
    /// The permission bits.
    pub mode: u32,
    /// What it is.
    pub kind: EntryKind,
    /// Who brought it.
    pub(super) origin: Origin,
}

/// What an [`Entry`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file of so many bytes.
    File(u64),
    /// One more name of the file at an earlier path.
    HardLink(PathBuf),
    /// A symbolic link to this.
    SymbolicLink(PathBuf),
    /// A directory with nothing in it.
    EmptyDirectory,
}

/// Who brought an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The package of this record: its path of this number.
    Package { record: usize, path: usize },
    /// It is this record.
    Record(usize),
    /// Neither: pip, a link script, or conda itself.
    Unmanaged,
}

impl Tree {
    /// Reads the environment at `prefix`. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none, [`ErrorKind::Corrupt`] where a record in `conda-meta` cannot be read.
    pub fn read(prefix: &Path) -> Result<Self> {
        let prefix_text = prefix.to_str().map(str::to_owned).ok_or_else(|| {
            Error::invalid(OPERATION, format!("prefix '{}' has to be a path in UTF-8", prefix.display()))
        })?;
        // Side by side, since nothing else can begin before.
        let (records, files) = std::thread::scope(|scope| {
            let walk = scope.spawn(|| files(prefix));
            (records(prefix), walk.join())
        });
        let (records, files) = (records?, files.map_err(|_| defect())??);
        let mut tree =
            Self { prefix: prefix.to_owned(), prefix_text, time: time(&records), records, entries: Vec::new() };
        tree.entries = Entries::of(&tree).all(files)?;
        Ok(tree)
    }

    /// The conda packages in it, by name.
    #[must_use]
    pub fn records(&self) -> &[PrefixRecord] {
        &self.records
    }

    /// Everything in it, sorted by path.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the package said of `entry`, where one brought it.
    pub(super) fn packaged(&self, entry: &Entry) -> Option<&PathsEntry> {
        match entry.origin {
            Origin::Package { record, path } => self.records[record].paths_data.paths.get(path),
            _ => None,
        }
    }

    /// The bytes of a file in it.
    pub(super) fn bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let file = self.prefix.join(path);
        fs::read(&file).map_err(|error| failed(error, &file))
    }
}

/// What `conda-meta` says, by name. Parsing it takes longer than everything else before the first byte of an archive, so all
/// cores do it.
fn records(prefix: &Path) -> Result<Vec<PrefixRecord>> {
    let directory = prefix.join("conda-meta");
    let mut files = Vec::new();
    for entry in fs::read_dir(&directory).map_err(|error| failed(error, &directory))? {
        let path = entry.map_err(|error| failed(error, &directory))?.path();
        if path.extension() == Some(OsStr::new("json")) {
            files.push(path);
        }
    }
    let next = AtomicUsize::new(0);
    // A large one holds up nobody but whoever has it.
    let some = || -> Result<Vec<PrefixRecord>> {
        iter::from_fn(|| files.get(next.fetch_add(1, Ordering::Relaxed))).map(|path| record(path)).collect()
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..parallelism()).map(|_| scope.spawn(some)).collect();
        readers.into_iter().map(|reader| reader.join().map_err(|_| defect())?).collect::<Result<_>>()
    })?;
    let mut records: Vec<PrefixRecord> = parts.into_iter().flatten().collect();
    records.sort_by(|a, b| a.name().as_normalized().cmp(b.name().as_normalized()));
    Ok(records)
}

fn record(path: &Path) -> Result<PrefixRecord> {
    PrefixRecord::from_path(path).map_err(|error| {
        Error::new(ErrorKind::Corrupt, OPERATION, "a record in conda-meta cannot be read")
            .with("file", path.display())
            .with_source(error)
    })
}

fn defect() -> Error {
    Error::unexpected(OPERATION, "reading it ended by a defect")
}

fn time(records: &[PrefixRecord]) -> i64 {
    let times = records.iter().filter_map(|record| record.repodata_record.package_record.timestamp.as_ref());
    times.map(TimestampMs::timestamp).max().unwrap_or(NO_TIME).max(NO_TIME)
}

/// Everything below `prefix` that is of the environment: files, links and empty directories, sorted by path.
fn files(prefix: &Path) -> Result<Vec<(PathBuf, Metadata)>> {
    let mut files = Vec::new();
    enter(prefix, Path::new(""), &mut files)?;
    files.sort_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
    Ok(files)
}

/// Adds what is in a directory; says whether there was nothing in it.
fn enter(prefix: &Path, directory: &Path, files: &mut Vec<(PathBuf, Metadata)>) -> Result<bool> {
    let path = prefix.join(directory);
    let mut is_empty = true;
    for entry in fs::read_dir(&path).map_err(|error| failed(error, &path))? {
        let entry = entry.map_err(|error| failed(error, &path))?;
        is_empty = false;
        let name = entry.file_name();
        if directory == Path::new("") && is_left_out(&name.to_string_lossy()) {
            continue;
        }
        let path = directory.join(name);
        let found = entry.metadata().map_err(|error| failed(error, &entry.path()))?;
        if !found.is_dir() || enter(prefix, &path, files)? {
            files.push((path, found));
        }
    }
    Ok(is_empty)
}

/// Whether this, at the top of the directory, is none of the environment's.
fn is_left_out(name: &str) -> bool {
    NOT_OF_THE_ENVIRONMENT.contains(&name) || name.ends_with('~')
}

/// What becomes of the files that were found.
struct Entries<'a> {
    tree: &'a Tree,
    owners: HashMap<PathBuf, Origin>,
}

impl<'a> Entries<'a> {
    fn of(tree: &'a Tree) -> Self {
        let mut owners = HashMap::new();
        for (number, record) in tree.records.iter().enumerate() {
            for (path, entry) in record.paths_data.paths.iter().enumerate() {
                owners.insert(entry.relative_path.clone(), Origin::Package { record: number, path });
            }
            owners.insert(Path::new("conda-meta").join(record.file_name()), Origin::Record(number));
        }
        Self { tree, owners }
    }

    fn all(self, files: Vec<(PathBuf, Metadata)>) -> Result<Vec<Entry>> {
        let paths: HashSet<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        // Python compiles anew what it imports, and old versions of conda put the scripts into environments that are active.
        let is_kept = |path: &PathBuf| {
            self.owners.contains_key(path)
                || source(path).is_none_or(|source| !paths.contains(&source)) && !CONDA_SCRIPTS.contains(&path.to_str())
        };
        let mut seen = HashMap::new();
        let files = files.into_iter().filter(|(path, _)| is_kept(path));
        files.map(|(path, found)| self.entry(path, &found, &mut seen)).collect()
    }

    fn entry(&self, path: PathBuf, found: &Metadata, seen: &mut HashMap<(u64, u64), PathBuf>) -> Result<Entry> {
        let origin = self.owners.get(&path).copied().unwrap_or(Origin::Unmanaged);
        let kind = if found.is_dir() {
            EntryKind::EmptyDirectory
        } else if found.is_symlink() {
            let link = self.tree.prefix.join(&path);
            EntryKind::SymbolicLink(fs::read_link(&link).map_err(|error| failed(error, &link))?)
        } else if !found.is_file() {
            let message = format!("'{}' is neither file, directory nor link", path.display());
            return Err(Error::invalid(OPERATION, message));
        } else if found.nlink() == 1 {
            EntryKind::File(found.len())
        } else {
            match seen.entry((found.dev(), found.ino())) {
                std::collections::hash_map::Entry::Occupied(earlier) => EntryKind::HardLink(earlier.get().clone()),
                std::collections::hash_map::Entry::Vacant(first) => {
                    first.insert(path.clone());
                    EntryKind::File(found.len())
                }
            }
        };
        Ok(Entry { mode: found.permissions().mode() & 0o7777, path, kind, origin })
    }
}

/// The Python file that the compiled file at `path` was made of ([PEP 3147](https://peps.python.org/pep-3147/)).
pub(super) fn source(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(".pyc")?;
    let directory = path.parent()?;
    if directory.file_name() != Some(OsStr::new("__pycache__")) {
        return Some(directory.join(format!("{name}.py")));
    }
    let module = name.split('.').next()?;
    Some(directory.parent()?.join(format!("{module}.py")))
}

fn failed(error: io::Error, path: &Path) -> Error {
    Error::io(OPERATION, error).with("path", path.display())
}
