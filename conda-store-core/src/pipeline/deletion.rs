//! What a worker does about a deleted build: symlink, prefix and artifacts go, except those that outlive their build.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use super::{gone, prefix::Prefix};
use crate::{
    Error, Result, build_key,
    catalogue::Deletion,
    conda_store::CondaStore,
    error::ErrorKind,
    install,
    job::{Attempt, Outcome},
    model::{Artifact, ArtifactType, Build, BuildId},
};

impl CondaStore {
    /// Removes what a deleted build left behind. Doing it again changes nothing.
    pub(super) async fn handle_deletion(&self, build_id: BuildId, attempt: &Attempt) -> Result<Outcome> {
        match self.catalogue().deletion(build_id).await? {
            Deletion::Due => {}
            // The sweeper comes back to what is busy.
            Deletion::None | Deletion::Busy { .. } => return Ok(Outcome::Done),
        }
        attempt.unless_stopped(self.remove_build(build_id)).await
    }

    async fn remove_build(&self, build_id: BuildId) -> Result<()> {
        let build = self.catalogue().build(build_id).await?.ok_or_else(|| gone(build_id))?;
        let settings = self.settings(&build.namespace, Some(&build.environment)).await?;
        let kept = settings.build_artifacts_kept_on_deletion;
        let artifacts = self.catalogue().artifacts(build_id).await?;
        if self.remove_link(&build).await? {
            self.point_to_current(&build.namespace, &build.environment).await?;
        }
        if !kept.contains(&ArtifactType::Directory) {
            self.remove_prefixes(&build, &artifacts).await?;
        }
        for artifact in artifacts.iter().filter(|artifact| !kept.contains(&artifact.artifact_type)) {
            self.remove_artifact(&build, artifact).await?;
        }
        self.catalogue().finish_deletion(build_id).await?;
        tracing::info!(build.id = %build_id, "removed what a deleted build left behind");
        Ok(())
    }

    /// Removes the environment's symlink where it leads to the build, and says whether it did. Another process may
    /// have changed it meanwhile: whoever removed it sets it anew where the environment has a current build.
    pub(super) async fn remove_link(&self, build: &Build) -> Result<bool> {
        let format = build_key::format(build.build_key_version)?;
        let Some(link) = self.layout().environment_path(format, &build.namespace, &build.environment)? else {
            return Ok(false);
        };
        let Some(prefix) = self.prefix_of(build)? else { return Ok(false) };
        if !tokio::fs::read_link(&link).await.is_ok_and(|target| target == prefix) {
            return Ok(false);
        }
        match tokio::fs::remove_file(&link).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove the symlink of an environment", error).with("path", link.display()))
            }
            _ => Ok(true),
        }
    }

    /// The prefix of the build; none where it could not have one, since its path would be too long.
    fn prefix_of(&self, build: &Build) -> Result<Option<PathBuf>> {
        match self.layout().build_path(build) {
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(None),
            path => path.map(Some),
        }
    }

    async fn remove_prefixes(&self, build: &Build, artifacts: &[Artifact]) -> Result<()> {
        let Some(prefix) = self.prefix_of(build)? else { return Ok(()) };
        // Where the layout was another one when it was built.
        let recorded = artifacts.iter().filter(|artifact| artifact.artifact_type == ArtifactType::Directory);
        let recorded = recorded
            .map(|artifact| Path::new(&artifact.key))
            .filter(|path| path.file_name() == prefix.file_name() && self.layout().contains(path));
        let prefixes: BTreeSet<PathBuf> = recorded.map(Path::to_owned).chain([prefix.clone()]).collect();
        for prefix in prefixes {
            let programs = prefix.clone();
            install::blocking("end programs of a deleted build", move || Ok(install::end_programs(&programs))).await?;
            Prefix::new(prefix, build.id, u32::MAX).remove().await?;
        }
        Ok(())
    }

    /// Removes an artifact, unless another build has it too, and its row.
    pub(super) async fn remove_artifact(&self, build: &Build, artifact: &Artifact) -> Result<()> {
        // Looked at before and after the row goes: of two workers that remove the last two, one removes the blob.
        let shared = self.catalogue().is_shared_artifact(artifact).await?;
        if !shared {
            self.remove_content(build, artifact).await?;
        }
        self.catalogue().remove_artifact(artifact).await?;
        if shared && !self.catalogue().is_shared_artifact(artifact).await? {
            self.remove_content(build, artifact).await?;
        }
        Ok(())
    }

    async fn remove_content(&self, build: &Build, artifact: &Artifact) -> Result<()> {
        match artifact.artifact_type {
            ArtifactType::Directory => Ok(()),
            ArtifactType::ContainerRegistry => self.remove_images(build).await,
            _ => match artifact.key.parse() {
                Ok(key) => self.storage().delete(&key).await,
                Err(error) => {
                    tracing::warn!(build.id = %build.id, error = error.report(), "an artifact is at no place that storage has");
                    Ok(())
                }
            },
        }
    }

    async fn remove_images(&self, build: &Build) -> Result<()> {
        let Some(registry) = self.container_registry() else { return Ok(()) };
        for url in registry.registries() {
            registry.delete(&registry.reference(&url, build)?).await?;
        }
        Ok(())
    }
}
