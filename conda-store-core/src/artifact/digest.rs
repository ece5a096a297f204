//! A digest of what is in an archive, and so of everything that its bytes depend on, long before they are there.
//!
//! It takes in the archive entry by entry as every format does, and of a file the hash of its bytes. Of most files that is
//! known: their package said it, and it was checked when the package came.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use rattler_conda_types::prefix_record::PathType;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{
    contents::{self, Attributes, Content, Sink},
    tree::{Entry, EntryKind, Origin, Tree},
};
use crate::{Error, ErrorKind, Result, install::has_link_script};

const OPERATION: &str = "read environment";

/// Has to change whenever the same content begins to give other bytes within a version of the program.
const EDITION: u32 = 1;

/// Bytes that are read at most. One core reads them, and all of them compress; beyond this, that is done sooner than read twice.
const READ_AT_MOST: u64 = 4 << 30;

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;

type Hash = [u8; 32];

/// A digest, in hexadecimal, of the packages of `tree` and of the `form` that it is given.
pub(super) fn packages(tree: &Tree, form: &str) -> String {
    let mut hash = begin(form);
    for record in &tree.records {
        let package = &record.repodata_record;
        add(&mut hash, package.identifier.to_file_name().as_bytes());
        add(&mut hash, package.package_record.sha256.as_ref().map(AsRef::as_ref).unwrap_or_default());
        add(&mut hash, package.url.as_str().as_bytes());
    }
    hex::encode(hash.finalize())
}

/// A digest that begins with the `form`, and with what else is the same for all environments.
fn begin(form: &str) -> Sha256 {
    let mut hash = Sha256::new();
    for part in [form, env!("CARGO_PKG_VERSION"), &EDITION.to_string()] {
        add(&mut hash, part.as_bytes());
    }
    hash
}

/// Adds a part in such a way that no other parts give the same.
fn add(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_le_bytes());
    hash.update(part);
}

/// The digest, in hexadecimal, of what is in `tree` and of the `form` that it is given; `None` where there is too much to
/// read.
pub(super) fn digest(tree: &Tree, form: &str, stop: &CancellationToken) -> Result<Option<String>> {
    let known = known_hashes(tree)?;
    let unknown = tree.entries.iter().filter(|entry| !known.contains_key(entry.path.as_path()));
    let to_read: u64 = unknown.map(|entry| if let EntryKind::File(size) = entry.kind { size } else { 0 }).sum();
    if to_read > READ_AT_MOST {
        return Ok(None);
    }
    let mut digesting = Digesting { hash: begin(form), known, stop };
    contents::write(tree, &mut digesting)?;
    Ok(Some(hex::encode(digesting.hash.finalize())))
}

/// What packages say of their files, where these are certainly as they came: where nothing but packages wrote to the
/// environment, no script and no pip, and the file is of one package, as long as that said, and not written to since that was
/// built, here or through another name in the cache.
fn known_hashes(tree: &Tree) -> Result<HashMap<&Path, Hash>> {
    let is_foreign = |entry: &Entry| entry.origin == Origin::Unmanaged && !entry.path.starts_with("conda-meta");
    if tree.records.iter().any(has_link_script) || tree.entries.iter().any(is_foreign) {
        return Ok(HashMap::new());
    }
    let disputed = disputed(tree);
    let mut known = HashMap::new();
    for entry in tree.entries.iter().filter(|entry| !disputed.contains(entry.path.as_path())) {
        let Some((hash, built)) = said(tree, entry) else { continue };
        let file = tree.prefix.join(&entry.path);
        let found = fs::symlink_metadata(&file).map_err(|error| failed(error, &file))?;
        if found.mtime() <= built {
            known.insert(entry.path.as_path(), hash);
        }
    }
    Ok(known)
}

/// Paths that several packages bring.
fn disputed(tree: &Tree) -> HashSet<&Path> {
    let mut seen = HashSet::new();
    let paths = tree.records.iter().flat_map(|record| &record.paths_data.paths);
    paths.map(|entry| entry.relative_path.as_path()).filter(|path| !seen.insert(*path)).collect()
}

/// The hash that its package gives of a file which linking left as it was, and when the package was built, in seconds since
/// 1970.
fn said(tree: &Tree, entry: &Entry) -> Option<(Hash, i64)> {
    let (EntryKind::File(size), Origin::Package { record, path }) = (&entry.kind, entry.origin) else { return None };
    let record = &tree.records[record];
    let packaged = record.paths_data.paths.get(path)?;
    let is_unchanged = packaged.path_type == PathType::HardLink
        && packaged.prefix_placeholder.is_none()
        && packaged.size_in_bytes == Some(*size);
    let built = record.repodata_record.package_record.timestamp.as_ref()?;
    packaged.sha256.filter(|_| is_unchanged).map(|hash| (hash.into(), built.timestamp()))
}

struct Digesting<'a> {
    hash: Sha256,
    known: HashMap<&'a Path, Hash>,
    stop: &'a CancellationToken,
}

impl Digesting<'_> {
    fn entry(&mut self, kind: &str, path: &Path, attributes: Attributes, content: &[u8]) -> Result<()> {
        self.go_on()?;
        for part in [kind.as_bytes(), path.as_os_str().as_bytes(), content] {
            add(&mut self.hash, part);
        }
        self.hash.update(attributes.mode.to_le_bytes());
        self.hash.update(attributes.time.to_le_bytes());
        Ok(())
    }

    fn go_on(&self) -> Result<()> {
        if self.stop.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, OPERATION, "nobody wants the artifact any more"));
        }
        Ok(())
    }

    fn read(&self, file: &Path) -> Result<Hash> {
        let mut hash = Sha256::new();
        let mut opened = File::open(file).map_err(|error| failed(error, file))?;
        let mut chunk = vec![0; CHUNK];
        loop {
            self.go_on()?;
            let read = opened.read(&mut chunk).map_err(|error| failed(error, file))?;
            if read == 0 {
                return Ok(hash.finalize().into());
            }
            hash.update(&chunk[..read]);
        }
    }
}

impl Sink for Digesting<'_> {
    fn directory(&mut self, path: &Path, attributes: Attributes) -> Result<()> {
        self.entry("directory", path, attributes, &[])
    }

    fn symbolic_link(&mut self, path: &Path, target: &Path, attributes: Attributes) -> Result<()> {
        self.entry("symbolic link", path, attributes, target.as_os_str().as_bytes())
    }

    fn hard_link(&mut self, path: &Path, target: &Path, attributes: Attributes) -> Result<()> {
        self.entry("hard link", path, attributes, target.as_os_str().as_bytes())
    }

    fn file(&mut self, path: &Path, content: Content<'_>, attributes: Attributes) -> Result<()> {
        let hash = match (content, self.known.get(path)) {
            (Content::Bytes(bytes), _) => Sha256::digest(bytes).into(),
            (Content::OnDisk(..), Some(hash)) => *hash,
            (Content::OnDisk(file, _), None) => self.read(&file)?,
        };
        self.entry("file", path, attributes, &hash)
    }
}

fn failed(error: io::Error, path: &Path) -> Error {
    Error::io(OPERATION, error).with("path", path.display())
}
