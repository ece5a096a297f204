//! What is in an archive, whatever its format: the environment as it is without a place, and the scripts that give it one.

use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    portable::Portable,
    shell,
    tree::{Entry, EntryKind, Tree, source},
    variables::variables,
};
use crate::Result;

/// Where the scripts are, in their order.
const SCRIPTS: [&str; 4] = ["bin/activate", "bin/activate.fish", "bin/conda-unpack", "bin/deactivate"];

/// Permissions and time of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) time: u32,
}

/// The bytes of a file.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// These.
    Bytes(&'a [u8]),
    /// So many, which are at this path.
    OnDisk(PathBuf, u64),
}

/// Something that an archive is written to. Paths are relative to the prefix and come in their order, scripts last.
pub(super) trait Sink {
    fn directory(&mut self, path: &Path, attributes: Attributes) -> Result<()>;
    fn symbolic_link(&mut self, path: &Path, target: &Path, attributes: Attributes) -> Result<()>;
    /// One more name of the file that came earlier as `target`.
    fn hard_link(&mut self, path: &Path, target: &Path, attributes: Attributes) -> Result<()>;
    fn file(&mut self, path: &Path, content: Content<'_>, attributes: Attributes) -> Result<()>;
}

/// Hands the whole archive to `sink`.
pub(super) fn write(tree: &Tree, sink: &mut impl Sink) -> Result<()> {
    let mut writing = Writing { tree, sink, compiled: compiled(tree), repairs: Vec::new() };
    // The package conda brings scripts of the same names, for environments that have a place.
    let entries = tree.entries.iter().filter(|entry| !SCRIPTS.iter().any(|script| entry.path == Path::new(script)));
    for entry in entries {
        writing.add(entry).map_err(|error| error.with("path", entry.path.display()))?;
    }
    writing.scripts()
}

struct Writing<'a, S> {
    tree: &'a Tree,
    sink: &'a mut S,
    /// The compiled forms of Python files.
    compiled: HashMap<PathBuf, &'a Path>,
    /// The lines of `conda-unpack`.
    repairs: Vec<u8>,
}

impl<S: Sink> Writing<'_, S> {
    fn add(&mut self, entry: &Entry) -> Result<()> {
        let attributes = self.attributes(entry.mode);
        match &entry.kind {
            EntryKind::EmptyDirectory => self.sink.directory(&entry.path, attributes),
            EntryKind::SymbolicLink(target) => self.sink.symbolic_link(&entry.path, target, attributes),
            EntryKind::HardLink(target) => self.sink.hard_link(&entry.path, target, attributes),
            EntryKind::File(size) => self.file(entry, attributes, *size),
        }
    }

    fn file(&mut self, entry: &Entry, mut attributes: Attributes, size: u64) -> Result<()> {
        let Portable { bytes, repairs } = self.tree.portable(entry)?;
        for repair in &repairs {
            shell::repair(&mut self.repairs, &entry.path, repair);
        }
        // When the file was written that a package brings in compiled form too, as that form has it: Python ignores one
        // that names another time.
        if let Some(time) = self.compiled.get(&entry.path).and_then(|path| source_time(&self.tree.prefix.join(path))) {
            attributes.time = time;
        }
        let content = match &bytes {
            Some(bytes) => Content::Bytes(bytes),
            None => Content::OnDisk(self.tree.prefix.join(&entry.path), size),
        };
        self.sink.file(&entry.path, content, attributes)
    }

    /// Adds what makes an environment of the unpacked files.
    fn scripts(&mut self) -> Result<()> {
        let variables = variables(self.tree)?;
        let texts = [
            (shell::activate(&variables, &self.tree.prefix_text), 0o644),
            (shell::activate_fish(&variables, &self.tree.prefix_text), 0o644),
            (shell::conda_unpack(&self.repairs), 0o755),
            (shell::DEACTIVATE.into(), 0o644),
        ];
        for (path, (text, mode)) in SCRIPTS.into_iter().zip(texts) {
            self.sink.file(path.as_ref(), Content::Bytes(&text), self.attributes(mode))?;
        }
        Ok(())
    }

    fn attributes(&self, mode: u32) -> Attributes {
        // The formats end in 2106.
        Attributes { mode, time: u32::try_from(self.tree.time).unwrap_or(u32::MAX) }
    }
}

/// The compiled forms of Python files, by those.
fn compiled(tree: &Tree) -> HashMap<PathBuf, &Path> {
    let compiled = tree.entries.iter().filter_map(|entry| Some((source(&entry.path)?, entry.path.as_path())));
    compiled.collect()
}

/// The time of its source that a compiled file names ([PEP 552](https://peps.python.org/pep-0552/)).
fn source_time(compiled: &Path) -> Option<u32> {
    let mut header = [0; 12];
    File::open(compiled).ok()?.read_exact(&mut header).ok()?;
    let [_, flags, time] =
        [0, 4, 8].map(|at| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    // With flags, it names a hash of the file instead.
    (flags == 0 && time > 0).then_some(time)
}
