//! What is made of a finished build.

use serde::{Deserialize, Serialize};

use super::{ArtifactId, BuildId};
use crate::text::texts;

/// The kinds of artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ArtifactType {
    /// The environment itself, a directory.
    Directory,
    /// The exact packages, as conda-lock writes them.
    Lockfile,
    /// What was said during the build.
    Logs,
    /// What `conda env export` would print.
    Yaml,
    /// A relocatable archive, as conda-pack makes it.
    CondaPack,
    /// A layer of a container image.
    DockerBlob,
    /// The manifest of a container image.
    DockerManifest,
    /// An image in an outside registry.
    ContainerRegistry,
    /// A self-extracting installer.
    ConstructorInstaller,
    /// The packages with their licences, hashes and sources, as SPDX writes them.
    Sbom,
}

texts!(ArtifactType, "artifact type", {
    Directory = "DIRECTORY",
    Lockfile = "LOCKFILE",
    Logs = "LOGS",
    Yaml = "YAML",
    CondaPack = "CONDA_PACK",
    DockerBlob = "DOCKER_BLOB",
    DockerManifest = "DOCKER_MANIFEST",
    ContainerRegistry = "CONTAINER_REGISTRY",
    ConstructorInstaller = "CONSTRUCTOR_INSTALLER",
    Sbom = "SBOM",
});

impl ArtifactType {
    /// Whether the original knows it. It cannot read a row of `build_artifact` with another, so those have a table of their
    /// own.
    #[must_use]
    pub fn is_original(self) -> bool {
        self != Self::Sbom
    }
}

/// What kind of file an archive is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArchiveFormat {
    /// A tar file, compressed with gzip.
    #[default]
    #[serde(rename = "tar.gz")]
    TarGz,
    /// A tar file, compressed with Zstandard.
    #[serde(rename = "tar.zst")]
    TarZst,
    /// A file system that can be mounted.
    #[serde(rename = "squashfs")]
    Squashfs,
}

texts!(ArchiveFormat, "archive format", {
    TarGz = "tar.gz",
    TarZst = "tar.zst",
    Squashfs = "squashfs",
});

/// A row of the table `build_artifact`, or of `cs_artifact`, whose ids are negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// The build it was made of.
    pub build_id: BuildId,
    /// What it is.
    pub artifact_type: ArtifactType,
    /// Where it is: a storage key, or a path for [`ArtifactType::Directory`].
    pub key: String,
    /// SHA-256 of it in hexadecimal, as far as it is known: nothing is known of a directory, of an image, of what is
    /// being made anew, and of what the original made.
    pub sha256: Option<String>,
    /// Its bytes, as far as they are known.
    pub size: Option<i64>,
}
