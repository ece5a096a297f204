//! Packages made for a test, among them ones that no tool would make.

use std::{
    fs::File,
    io::{Cursor, Write},
    path::Path,
};

use rattler_conda_types::{
    PackageName, PackageRecord, RepoDataRecord, VersionWithSource,
    package::{ArchiveIdentifier, CondaArchiveType, DistArchiveIdentifier},
};
use rattler_digest::{Sha256, compute_bytes_digest};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use url::Url;

/// What goes into an archive.
pub(super) struct Draft {
    pub(super) name: &'static str,
    pub(super) index: Value,
    /// `info/paths.json`; made from the files where none.
    pub(super) paths: Option<Value>,
    entries: Vec<(EntryType, String, Vec<u8>)>,
}

impl Draft {
    pub(super) fn new(name: &'static str) -> Self {
        let index = json!({
            "name": name, "version": "1.0", "build": "0", "build_number": 0, "subdir": "noarch", "noarch": "generic",
            "depends": [],
        });
        Self { name, index, paths: None, entries: Vec::new() }
    }

    pub(super) fn file(mut self, path: &str, contents: &str) -> Self {
        self.entries.push((EntryType::Regular, path.to_owned(), contents.as_bytes().to_vec()));
        self
    }

    /// An entry of any type; `target` is what a link points to.
    pub(super) fn entry(mut self, kind: EntryType, path: &str, target: &str) -> Self {
        self.entries.push((kind, path.to_owned(), target.as_bytes().to_vec()));
        self
    }

    pub(super) fn paths(mut self, paths: &Value) -> Self {
        self.paths = Some(json!({"paths_version": 1, "paths": paths}));
        self
    }

    /// An honest entry of `paths.json` for a file.
    pub(super) fn path(path: &str, contents: &str) -> Value {
        let hash = hex::encode(compute_bytes_digest::<Sha256>(contents));
        json!({"_path": path, "path_type": "hardlink", "sha256": hash, "size_in_bytes": contents.len()})
    }

    fn stated_paths(&self) -> Value {
        let entries = self.entries.iter().map(|(kind, path, contents)| match kind {
            EntryType::Symlink => json!({"_path": path, "path_type": "softlink"}),
            _ => Self::path(path, std::str::from_utf8(contents).unwrap()),
        });
        self.paths.clone().unwrap_or_else(|| json!({"paths_version": 1, "paths": entries.collect::<Vec<_>>()}))
    }

    fn tar(&self) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        let own = [("info/index.json", self.index.clone()), ("info/paths.json", self.stated_paths())];
        for (path, contents) in own {
            append(&mut builder, EntryType::Regular, path, contents.to_string().as_bytes());
        }
        for (kind, path, contents) in &self.entries {
            append(&mut builder, *kind, path, contents);
        }
        builder.into_inner().unwrap()
    }

    /// Writes `NAME-1.0-0.tar.bz2` into `directory` and gives its record.
    pub(super) fn write(&self, directory: &Path) -> RepoDataRecord {
        let bytes = compress(&self.tar());
        let path = directory.join(format!("{}-1.0-0.tar.bz2", self.name));
        File::create(&path).unwrap().write_all(&bytes).unwrap();
        self.record(&bytes, Url::from_file_path(&path).unwrap())
    }

    /// The record of this package with the archive `bytes` at `url`.
    pub(super) fn record(&self, bytes: &[u8], url: Url) -> RepoDataRecord {
        let name = PackageName::new_unchecked(self.name);
        let version: VersionWithSource = "1.0".parse().unwrap();
        let mut package = PackageRecord::new(name, version, "0".parse().unwrap());
        package.subdir = "noarch".to_owned();
        package.sha256 = Some(compute_bytes_digest::<Sha256>(bytes));
        package.size = Some(bytes.len() as u64);
        let identifier =
            ArchiveIdentifier { name: self.name.to_owned(), version: "1.0".to_owned(), build_string: "0".to_owned() };
        RepoDataRecord {
            package_record: package,
            identifier: DistArchiveIdentifier::new(identifier, CondaArchiveType::TarBz2),
            url,
            channel: Some("https://user:secret@conda.example.org/t/tk-123/forge".to_owned()),
        }
    }
}

/// A `.tar.bz2`; rattler has a writer for directories alone, so the system's `bzip2` does it.
fn compress(tar: &[u8]) -> Vec<u8> {
    let input = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(input.path(), tar).unwrap();
    let output = std::process::Command::new("bzip2").arg("-c").arg(input.path()).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn append(builder: &mut Builder<Vec<u8>>, kind: EntryType, path: &str, contents: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_mtime(1_700_000_000);
    // Past the checks of the crate, which would not write such a name.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    if matches!(kind, EntryType::Symlink | EntryType::Link) {
        header.as_old_mut().linkname[..contents.len()].copy_from_slice(contents);
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, Cursor::new(&[])).unwrap();
        return;
    }
    let contents = if kind == EntryType::Regular { contents } else { &[] };
    header.set_size(contents.len() as u64);
    header.set_cksum();
    builder.append(&header, Cursor::new(contents)).unwrap();
}
