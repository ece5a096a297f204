//! The lockfile that a build left in storage.

use crate::{
    CondaStore, Error, ErrorKind, Result,
    lockfile::Lockfile,
    model::{ArtifactType, Build},
    storage::StorageExt,
};

/// The most that is read of one in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

impl CondaStore {
    /// The lockfile of a build; none where it was removed, or the build has none yet.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] where it is none that can be read, and what the storage says.
    pub async fn lockfile(&self, build: &Build) -> Result<Option<Lockfile>> {
        let artifacts = self.catalogue().artifacts(build.id).await?;
        let kept = artifacts.into_iter().rfind(|artifact| artifact.artifact_type == ArtifactType::Lockfile);
        let Some(kept) = kept else { return Ok(None) };
        let text = self.storage().read(&kept.key.parse()?, LARGEST).await?;
        let corrupt = |error: Error| {
            let message = "the lockfile of the build cannot be read";
            Error::new(ErrorKind::Corrupt, "read lockfile", message).with("build", build.id).with_source(error)
        };
        let value = serde_json::from_slice(&text);
        let value = value.map_err(|error| Error::invalid("read lockfile", "it is no JSON").with_source(error));
        value.and_then(|value| Lockfile::from_json(&value)).map(Some).map_err(corrupt)
    }
}
