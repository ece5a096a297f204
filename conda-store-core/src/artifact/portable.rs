//! Files of an environment as they are in one that has no place yet.

use std::{borrow::Cow, ffi::OsStr, fs::File, io::Read, path::Path};

use rattler_conda_types::{
    package::FileMode,
    prefix_record::{PathType, PathsEntry},
};
use rattler_digest::{Sha256, compute_bytes_digest};

use super::{
    conda_meta,
    placeholder::{Held, held, replace, restore_binary, restore_interpreter, without_interpreter},
    tree::{Entry, EntryKind, Origin, Tree},
};
use crate::{Error, Result};

/// What stands for the prefix in files that no package brought: the placeholder of packages that name none.
const STANDARD: &str = "/opt/anaconda1anaconda2anaconda3";

/// So much of a file tells whether it is a program.
const SAMPLE: u64 = 8192;

/// A file, and what has to be done to it once it has a place.
#[derive(Debug)]
pub(super) struct Portable {
    /// Its bytes; none where those on disk are right.
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) repairs: Vec<Repair>,
}

/// What has to be done to a file once it has a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// Replace this wherever it stands.
    Text(String),
    /// Replace this in these strings.
    Binary(String, Vec<Held>),
    /// Have this program, relative to the prefix, run it.
    Interpreter(String),
}

impl Portable {
    fn as_it_is() -> Self {
        Self { bytes: None, repairs: Vec::new() }
    }

    fn of(bytes: Vec<u8>) -> Self {
        Self { bytes: Some(bytes), repairs: Vec::new() }
    }
}

impl Tree {
    /// The file at `entry` without the prefix of this environment.
    pub(super) fn portable(&self, entry: &Entry) -> Result<Portable> {
        let EntryKind::File(_) = entry.kind else { return Ok(Portable::as_it_is()) };
        match (entry.origin, self.packaged(entry)) {
            (Origin::Record(number), _) => conda_meta::record(self, number).map(Portable::of),
            (_, Some(packaged)) => self.of_package(&entry.path, packaged),
            (_, None) => self.unmanaged(entry),
        }
    }

    fn of_package(&self, path: &Path, packaged: &PathsEntry) -> Result<Portable> {
        if packaged.path_type == PathType::UnixPythonEntryPoint {
            return Ok(in_text(path, self.bytes(path)?, &self.prefix_text));
        }
        let Some(placeholder) = &packaged.prefix_placeholder else { return Ok(Portable::as_it_is()) };
        let linked = self.bytes(path)?;
        match packaged.file_mode.unwrap_or(FileMode::Text) {
            FileMode::Binary => {
                let bytes = restore_binary(&linked, self.prefix_text.as_bytes(), placeholder.as_bytes());
                let strings = held(&bytes, placeholder.as_bytes());
                Ok(Portable { bytes: Some(bytes), repairs: vec![Repair::Binary(placeholder.clone(), strings)] })
            }
            FileMode::Text => {
                let bytes = self.original_text(&linked, packaged, placeholder);
                Ok(in_text(path, bytes, placeholder))
            }
        }
    }

    /// The text that linking replaced the placeholder in.
    fn original_text(&self, linked: &[u8], packaged: &PathsEntry, placeholder: &str) -> Vec<u8> {
        let restored = replace(linked, self.prefix_text.as_bytes(), placeholder.as_bytes());
        let is_original =
            |bytes: &[u8]| packaged.sha256.is_some_and(|hash| compute_bytes_digest::<Sha256>(bytes) == hash);
        if is_original(&restored) {
            return restored;
        }
        // The first line of a script changes in another way where the prefix is too long for one.
        let other = restore_interpreter(&restored, placeholder);
        other.filter(|bytes| is_original(bytes)).unwrap_or(restored)
    }

    fn unmanaged(&self, entry: &Entry) -> Result<Portable> {
        let path = &entry.path;
        if path == Path::new("conda-meta/history") {
            return conda_meta::history(self).map(Portable::of);
        }
        if self.is_program(path)? {
            return Ok(Portable::as_it_is());
        }
        let bytes = self.bytes(path)?;
        let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(Portable::as_it_is()) };
        if is_list_of_files(path) {
            return Ok(Portable::of(without_hashes_of_scripts(text).into_owned().into()));
        }
        if !text.contains(&self.prefix_text) {
            return Ok(Portable::of(bytes));
        }
        // With a placeholder of its own the text is the same wherever the environment was.
        let bytes = replace(&bytes, self.prefix_text.as_bytes(), STANDARD.as_bytes());
        Ok(in_text(path, bytes, STANDARD))
    }

    fn is_program(&self, path: &Path) -> Result<bool> {
        let file = self.prefix.join(path);
        let mut sample = Vec::new();
        let read = File::open(&file).and_then(|file| file.take(SAMPLE).read_to_end(&mut sample));
        read.map_err(|error| Error::io("read environment", error).with("path", file.display()))?;
        Ok(sample.contains(&0))
    }
}

/// A text that holds `placeholder`, which may also be the prefix itself in the first line of a command.
fn in_text(path: &Path, bytes: Vec<u8>, placeholder: &str) -> Portable {
    let mut repairs = Vec::new();
    let is_command = path.parent() == Some(Path::new("bin"));
    let rewritten = if is_command { without_interpreter(&bytes, placeholder.as_bytes()) } else { None };
    let bytes = match rewritten {
        Some((bytes, program)) => {
            repairs.push(Repair::Interpreter(program));
            bytes
        }
        None => bytes,
    };
    if memchr::memmem::find(&bytes, placeholder.as_bytes()).is_some() {
        repairs.push(Repair::Text(placeholder.to_owned()));
    }
    Portable { bytes: Some(bytes), repairs }
}

/// Whether this is pip's list of what it installed
/// (<https://packaging.python.org/en/latest/specifications/recording-installed-packages/>).
fn is_list_of_files(path: &Path) -> bool {
    path.file_name() == Some(OsStr::new("RECORD"))
        && path.parent().and_then(Path::extension) == Some(OsStr::new("dist-info"))
}

/// Commands have the prefix in their first line, so their hash and size hold for one prefix; both may be left out.
fn without_hashes_of_scripts(text: &str) -> Cow<'_, str> {
    if !text.contains("/bin/") {
        return text.into();
    }
    let line = |line: &str| match line.split_once(',') {
        Some((file, _)) if file.starts_with("../") && file.contains("/bin/") => format!("{file},,\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect::<String>().into()
}
