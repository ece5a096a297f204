//! Artifacts that several builds ask for, made once at a time.
//!
//! Environments of one lock have the same archive, and to compress it is most of the work. Whoever makes one has the turn at it
//! until the catalogue says where it is. Others wait for their turn and put a copy into the place of their own: every build
//! keeps a blob for itself, so that deleting one needs to know of no other.

use super::artifact::OPERATION;
use crate::{
    Error, ErrorKind, Result,
    artifact::{Draft, Made, MadeOf},
    conda_store::CondaStore,
    file_lock::FileLock,
    job::{Attempt, Stop},
    model::{ArtifactType, BuildId},
};

/// How many artifacts of other builds are tried. Each that is not what it was is passed over from then on.
const TRIED: u32 = 4;

impl CondaStore {
    /// The turn at artifacts of the `packages`; none where they are not shared. Gives way where another build's takes long.
    pub(super) async fn turn(&self, packages: Option<&str>, attempt: &Attempt) -> Result<Option<FileLock>> {
        let Some(packages) = packages else { return Ok(None) };
        let turn = self.parts().artifact_turns.wait(packages, &attempt.cancellation).await?;
        turn.map(Some).ok_or_else(|| {
            attempt.stop(Stop::GiveWay);
            Error::new(ErrorKind::Cancelled, OPERATION, "the same is being made for another build")
        })
    }

    /// Puts the artifact into storage, as a copy of another build's or else by making it, and says of what it is made, where
    /// others may take it.
    pub(super) async fn make_or_copy(
        &self,
        draft: &Draft,
        packages: Option<String>,
        build: BuildId,
        kind: ArtifactType,
    ) -> Result<(Made, Option<MadeOf>)> {
        let Some(packages) = packages else { return Ok((draft.publish(self.storage().as_ref()).await?, None)) };
        let made_of = |content| MadeOf { packages: packages.clone(), content };
        // Where there is nothing to copy, whoever waits for the artifact need not wait for its digest.
        if !self.catalogue().has_artifact_of_packages(kind, &packages).await? {
            let made = draft.publish(self.storage().as_ref()).await?;
            return Ok((made, draft.digest().await?.map(made_of)));
        }
        let made_of = draft.digest().await?.map(made_of);
        let copied = match &made_of {
            Some(made_of) => self.copy(draft, made_of, build, kind).await?,
            None => None,
        };
        let made = match copied {
            Some(made) => made,
            None => draft.publish(self.storage().as_ref()).await?,
        };
        Ok((made, made_of))
    }

    async fn copy(&self, draft: &Draft, made_of: &MadeOf, build: BuildId, kind: ArtifactType) -> Result<Option<Made>> {
        for other in self.catalogue().artifacts_made_of(kind, made_of, TRIED).await? {
            let from = other.build_id;
            if let Some(made) = draft.copy(self.storage().as_ref(), &other).await? {
                tracing::info!(build.id = %build, artifact = %kind, artifact.from = %from, "took the artifact of another build");
                return Ok(Some(made));
            }
            tracing::warn!(build.id = %from, artifact = %kind, "the blob of an artifact is gone or damaged");
            self.catalogue().set_made_of(from, kind, None).await?;
        }
        Ok(None)
    }
}
