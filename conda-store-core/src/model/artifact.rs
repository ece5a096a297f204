//! What is made of a finished build.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{ArtifactId, BuildId};
use crate::{Error, Result};

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
}

impl ArtifactType {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Directory,
        Self::Lockfile,
        Self::Logs,
        Self::Yaml,
        Self::CondaPack,
        Self::DockerBlob,
        Self::DockerManifest,
        Self::ContainerRegistry,
        Self::ConstructorInstaller,
    ];

    /// The name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "DIRECTORY",
            Self::Lockfile => "LOCKFILE",
            Self::Logs => "LOGS",
            Self::Yaml => "YAML",
            Self::CondaPack => "CONDA_PACK",
            Self::DockerBlob => "DOCKER_BLOB",
            Self::DockerManifest => "DOCKER_MANIFEST",
            Self::ContainerRegistry => "CONTAINER_REGISTRY",
            Self::ConstructorInstaller => "CONSTRUCTOR_INSTALLER",
        }
    }
}

impl fmt::Display for ArtifactType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for ArtifactType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|artifact| artifact.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid("read artifact type", format!("{text:?} is no artifact type; known are {known}"))
        })
    }
}

/// A row of the table `build_artifact`.
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
}
