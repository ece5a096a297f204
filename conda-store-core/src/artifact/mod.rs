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
mod digest;
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

use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, ErrorKind, Result,
    install::blocking,
    lockfile::PipPackage,
    model::{ArchiveFormat, Artifact, ArtifactType, EnvironmentName},
    storage::{Body, ByteStream, Storage, StorageKey},
};

use self::compress::Compression;
pub use self::tree::{Entry, EntryKind, Tree};

const OPERATION: &str = "make artifact";

/// The artifacts that are made of environments.
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

/// Those of `wanted` that are made of environments.
pub(crate) fn made_of(wanted: &[ArtifactType]) -> Vec<ArtifactType> {
    MADE.into_iter().filter(|artifact_type| wanted.contains(artifact_type)).collect()
}

/// An environment that was read for an artifact.
#[derive(Debug)]
pub struct Draft {
    key: StorageKey,
    content: Content,
}

/// What the artifact will be.
#[derive(Clone, Debug)]
enum Content {
    Text(String),
    Archive(Arc<Tree>, ArchiveFormat),
    Installer(Arc<Tree>),
}

/// Of what an artifact is made, as SHA-256 in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeOf {
    /// The packages, and the form that the artifact has.
    pub packages: String,
    /// Everything that its bytes depend on: artifacts that have this in common are the same.
    pub content: String,
}

impl Draft {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for an artifact that is not in [`MADE`]; [`ErrorKind::Corrupt`] where `conda-meta` cannot be
    /// read; what the file system says.
    pub async fn read(artifact_type: ArtifactType, request: Request) -> Result<Self> {
        blocking(OPERATION, move || read(artifact_type, request)).await
    }

    /// [`MadeOf::packages`] of the artifact, without which no other is the same; `None` where the artifact is made sooner than
    /// another one is found.
    pub(crate) fn packages(&self) -> Option<String> {
        self.content.of_tree().map(|(tree, form)| digest::packages(tree, &form))
    }

    /// [`MadeOf::content`] of the artifact, for which much of the environment may have to be read; `None` where that is too
    /// much.
    pub(crate) async fn digest(&self) -> Result<Option<String>> {
        let content = self.content.clone();
        let stop = CancellationToken::new();
        // Dropping this future stops the thread too.
        let _dropped = stop.clone().drop_guard();
        let digest = move || match content.of_tree() {
            Some((tree, form)) => digest::digest(tree, &form, &stop),
            None => Ok(None),
        };
        blocking(OPERATION, digest).await
    }

    /// Makes the artifact and puts it into `storage`.
    ///
    /// # Errors
    /// What the file system and the storage say.
    pub async fn publish(&self, storage: &dyn Storage) -> Result<Made> {
        publish(storage, self.key.clone(), self.content.stream(), None).await
    }

    /// Puts a copy of `other`, which is the same, in the place of the artifact; `None` where it is not there any more, or not
    /// what it was.
    pub(crate) async fn copy(&self, storage: &dyn Storage, other: &Artifact) -> Result<Option<Made>> {
        let Some(sha256) = other.sha256.clone() else { return Ok(None) };
        let copied = async {
            let blob = storage.get(&other.key.parse()?, None).await?;
            publish(storage, self.key.clone(), blob.stream, Some(sha256)).await
        };
        match copied.await {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => Ok(None),
            copied => copied.map(Some),
        }
    }
}

fn read(artifact_type: ArtifactType, request: Request) -> Result<Draft> {
    let Request { prefix, name, build_key, channel_alias, archive_format, pip } = request;
    let tree = Arc::new(Tree::read(&prefix)?);
    let (key, content) = match artifact_type {
        ArtifactType::Yaml => {
            let text = export::export(&tree, &name, &channel_alias)?;
            (format!("yaml/{build_key}.yml"), Content::Text(text))
        }
        ArtifactType::Sbom => {
            let text = sbom::sbom(&tree, &name, &pip)?;
            (format!("sbom/{build_key}.spdx.json"), Content::Text(text))
        }
        ArtifactType::CondaPack => {
            (format!("archive/{build_key}.{archive_format}"), Content::Archive(tree, archive_format))
        }
        ArtifactType::ConstructorInstaller => (format!("installer/{build_key}.sh"), Content::Installer(tree)),
        other => {
            let message = format!("{other} is not made of a completed environment");
            return Err(Error::new(ErrorKind::Unsupported, OPERATION, message));
        }
    };
    Ok(Draft { key: key.parse()?, content })
}

impl Content {
    /// The environment and the form that it is given.
    fn of_tree(&self) -> Option<(&Tree, String)> {
        match self {
            Self::Text(_) => None,
            Self::Archive(tree, format) => Some((tree, format!("archive {format}"))),
            Self::Installer(tree) => Some((tree, "installer".into())),
        }
    }

    fn stream(&self) -> ByteStream {
        match self.clone() {
            Self::Text(text) => Box::pin(stream::once(async { Ok(text.into()) })),
            Self::Archive(tree, ArchiveFormat::TarGz) => archive::stream(tree, Compression::Gzip),
            Self::Archive(tree, ArchiveFormat::TarZst) => archive::stream(tree, Compression::Zstandard),
            Self::Archive(tree, ArchiveFormat::Squashfs) => squashfs::stream(tree),
            Self::Installer(tree) => installer::stream(tree),
        }
    }
}

/// Puts what `stream` yields into storage, and measures it on the way. Nothing is stored where it is not what is `expected`.
async fn publish(storage: &dyn Storage, key: StorageKey, stream: ByteStream, expected: Option<String>) -> Result<Made> {
    let measured = Arc::new(Mutex::new((Sha256::new(), 0)));
    let measure = Arc::clone(&measured);
    let stream = stream.inspect_ok(move |bytes| {
        let mut measured = measure.lock().unwrap_or_else(PoisonError::into_inner);
        measured.0.update(bytes);
        measured.1 += bytes.len() as u64;
    });
    let hashed = Arc::clone(&measured);
    let defect = stream::once(async move {
        let sha256 = sha256(&hashed);
        expected.filter(|expected| *expected != sha256).map(|expected| Err(other_content(&expected)))
    });
    let stream = stream.chain(defect.filter_map(async |defect| defect));
    storage.put(&key, Body::Stream(Box::pin(stream))).await?;
    let size = measured.lock().unwrap_or_else(PoisonError::into_inner).1;
    Ok(Made { key, sha256: sha256(&measured), size })
}

fn sha256(measured: &Mutex<(Sha256, u64)>) -> String {
    let hash = measured.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
    hex::encode(hash.finalize())
}

fn other_content(expected: &str) -> Error {
    Error::new(ErrorKind::Corrupt, OPERATION, "the blob is not what was stored").with("expected", expected)
}
