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
});

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
