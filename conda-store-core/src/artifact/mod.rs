//! What people take away of a completed environment: its export, an archive that can be unpacked anywhere, an installer, and
//! a list of what it consists of.
//!
//! All are made from one description of the environment, [`Tree`], and are a function of its name and the lock alone: the
//! path, the time and the machine of the build leave no trace in them. Documented differences to what conda-pack 0.9 makes
//! of the same directory:
//!
//! - owners, times and the order of entries are fixed; `link` in `conda-meta` says copy and hashes of files with a replaced
//!   prefix are left out, since they hold for one prefix;
//! - files that hold the prefix have the package's placeholder in its place, also where the package cache is gone; those
//!   that pip wrote have conda's standard one;
//! - a first line with arguments keeps the placeholder, for `/usr/bin/env` takes none on Linux;
//! - compiled Python files that no package brings are left out;
//! - activation sets the environment variables of packages and of the specification, as `conda activate` does;
//! - a compressed tar file is a series of gzip members or Zstandard frames; a file system has its hard links as files of
//!   their own;
//! - `conda-unpack` is a shell script and needs no Python, so there is no `conda_unpack_progress.py`; it also gives programs
//!   back the absolute path of their interpreter.

mod archive;
mod compress;
mod conda_meta;
mod contents;
mod distributions;
mod export;
mod installer;
mod license;
mod placeholder;
mod portable;
mod sbom;
mod shell;
mod squashfs;
#[cfg(test)]
mod tests;
mod tree;
mod variables;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use crate::{
    Error, ErrorKind, Result,
    install::blocking,
    lockfile::PipPackage,
    model::{ArchiveFormat, ArtifactType, EnvironmentName},
    storage::{Body, ByteStream, Storage, StorageKey},
};

use self::compress::Compression;
pub use self::tree::{Entry, EntryKind, Tree};

/// The artifacts that [`make`] makes.
pub const MADE: [ArtifactType; 4] =
    [ArtifactType::Yaml, ArtifactType::CondaPack, ArtifactType::ConstructorInstaller, ArtifactType::Sbom];

/// What an artifact is to be made of.
#[derive(Clone, Debug)]
pub struct Request {
    /// The directory of the environment.
    pub prefix: PathBuf,
    /// Its name.
    pub name: EnvironmentName,
    /// The key of the build, of which that of the artifact is made.
    pub build_key: String,
    /// What stands in front of the channels that are called by a name.
    pub channel_alias: String,
    /// What kind of file the archive is.
    pub archive_format: ArchiveFormat,
    /// What the lockfile of the build says of what pip installed.
    pub pip: Vec<PipPackage>,
}

/// An artifact in storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Where it is.
    pub key: StorageKey,
    /// SHA-256 of it in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Those of `wanted` that [`make`] makes.
pub(crate) fn made_of(wanted: &[ArtifactType]) -> Vec<ArtifactType> {
    MADE.into_iter().filter(|artifact_type| wanted.contains(artifact_type)).collect()
}

/// Makes an artifact and puts it into `storage`.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for one that is not in [`MADE`]; [`ErrorKind::Corrupt`] where `conda-meta` cannot be read;
/// what the file system and the storage say.
pub async fn make(artifact_type: ArtifactType, request: Request, storage: &dyn Storage) -> Result<Made> {
    let (key, content) = content(artifact_type, request).await?;
    publish(storage, key.parse()?, content).await
}

/// The key of an artifact and its bytes.
async fn content(artifact_type: ArtifactType, request: Request) -> Result<(String, ByteStream)> {
    let Request { prefix, name, build_key, channel_alias, archive_format, pip } = request;
    let tree = blocking("read environment", move || Tree::read(&prefix)).await?;
    Ok(match artifact_type {
        ArtifactType::Yaml => {
            let text = blocking("export environment", move || export::export(&tree, &name, &channel_alias)).await?;
            (format!("yaml/{build_key}.yml"), bytes(text))
        }
        ArtifactType::CondaPack => (format!("archive/{build_key}.{archive_format}"), archive(tree, archive_format)),
        ArtifactType::ConstructorInstaller => (format!("installer/{build_key}.sh"), installer::stream(tree)),
        ArtifactType::Sbom => {
            let text = blocking("list packages", move || sbom::sbom(&tree, &name, &pip)).await?;
            (format!("sbom/{build_key}.spdx.json"), bytes(text))
        }
        other => {
            let message = format!("{other} is not made of a completed environment");
            return Err(Error::new(ErrorKind::Unsupported, "make artifact", message));
        }
    })
}

fn archive(tree: Tree, format: ArchiveFormat) -> ByteStream {
    match format {
        ArchiveFormat::TarGz => archive::stream(tree, Compression::Gzip),
        ArchiveFormat::TarZst => archive::stream(tree, Compression::Zstandard),
        ArchiveFormat::Squashfs => squashfs::stream(tree),
    }
}

fn bytes(text: String) -> ByteStream {
    Box::pin(futures::stream::once(async { Ok(text.into()) }))
}

/// Puts what `stream` yields into storage, and measures it on the way.
async fn publish(storage: &dyn Storage, key: StorageKey, stream: ByteStream) -> Result<Made> {
    let measured = Arc::new(Mutex::new((Sha256::new(), 0)));
    let measure = Arc::clone(&measured);
    let stream = stream.inspect_ok(move |bytes| {
        let mut measured = measure.lock().unwrap_or_else(PoisonError::into_inner);
        measured.0.update(bytes);
        measured.1 += bytes.len() as u64;
    });
    storage.put(&key, Body::Stream(Box::pin(stream))).await?;
    let (hash, size) = measured.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Made { key, sha256: hex::encode(hash.finalize()), size })
}
