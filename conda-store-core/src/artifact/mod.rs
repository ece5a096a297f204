//! What people take away of a completed environment: its export, an archive that can be unpacked anywhere, an installer.
//!
//! All are made from one description of the environment, [`Tree`], and are a function of the lock alone: the path, the time
//! and the machine of the build leave no trace in them (the export names the path, as conda's does). Documented
//! differences to what conda-pack 0.9 makes of the same directory:
//!
//! - owners, times and the order of entries are fixed; `link` in `conda-meta` says copy and hashes of files with a replaced
//!   prefix are left out, since they hold for one prefix;
//! - files that hold the prefix have the package's placeholder in its place, also where the package cache is gone; those
//!   that pip wrote have conda's standard one;
//! - a first line with arguments keeps the placeholder, for `/usr/bin/env` takes none on Linux;
//! - compiled Python files that no package brings are left out;
//! - `conda-unpack` is a shell script and needs no Python, so there is no `conda_unpack_progress.py`; it also gives programs
//!   back the absolute path of their interpreter.

mod archive;
mod conda_meta;
mod export;
mod gzip;
mod installer;
mod placeholder;
mod portable;
mod shell;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use crate::{
    Error, ErrorKind, Result,
    install::blocking,
    model::{ArtifactType, EnvironmentName},
    storage::{Body, ByteStream, Storage, StorageKey},
};

pub use self::tree::{Entry, EntryKind, Tree};

/// The artifacts that [`make`] makes.
pub const MADE: [ArtifactType; 3] = [ArtifactType::Yaml, ArtifactType::CondaPack, ArtifactType::ConstructorInstaller];

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
    let Request { prefix, name, build_key, channel_alias } = request;
    let tree = blocking("read environment", move || Tree::read(&prefix)).await?;
    match artifact_type {
        ArtifactType::Yaml => {
            let text = blocking("export environment", move || export::export(&tree, &name, &channel_alias)).await?;
            publish(storage, format!("yaml/{build_key}.yml"), bytes(text)).await
        }
        ArtifactType::CondaPack => publish(storage, format!("archive/{build_key}.tar.gz"), archive::stream(tree)).await,
        ArtifactType::ConstructorInstaller => {
            publish(storage, format!("installer/{build_key}.sh"), installer::stream(tree)).await
        }
        other => {
            let message = format!("{other} is not made of a completed environment");
            Err(Error::new(ErrorKind::Unsupported, "make artifact", message))
        }
    }
}

fn bytes(text: String) -> ByteStream {
    Box::pin(futures::stream::once(async { Ok(text.into()) }))
}

/// Puts what `stream` yields into storage, and measures it on the way.
async fn publish(storage: &dyn Storage, key: String, stream: ByteStream) -> Result<Made> {
    let key: StorageKey = key.parse()?;
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
