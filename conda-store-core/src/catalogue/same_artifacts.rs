//! Artifacts that are the same as others, since they are made of the same.

use super::Catalogue;
use crate::{
    Result,
    artifact::MadeOf,
    model::{Artifact, ArtifactType, BuildId},
};

impl Catalogue {
    /// Writes down of what the artifact of a build, which is there, was made; `None` where it is not to be taken for
    /// another. It holds until the state of the artifact changes.
    pub async fn set_made_of(&self, build: BuildId, kind: ArtifactType, made_of: Option<&MadeOf>) -> Result<()> {
        const UPDATE: &str = "update cs_artifact_state set packages = $1, made_of = $2 \
            where build_id = $3 and artifact_type = $4 and state = 'DONE'";
        let update = self.database.query("note of what an artifact was made", UPDATE);
        let update = update.value(made_of.map(|made_of| made_of.packages.clone()));
        let update = update.value(made_of.map(|made_of| made_of.content.clone()));
        update.value(build).value(kind.as_str()).run().await.map(drop)
    }

    /// Whether any artifact of this type was made of these [`packages`](MadeOf::packages).
    pub async fn has_artifact_of_packages(&self, kind: ArtifactType, packages: &str) -> Result<bool> {
        const SELECT: &str = "select build_id from cs_artifact_state where packages = $1 and artifact_type = $2 \
            and state = 'DONE' limit 1";
        let query = self.database.query("find artifacts made of the same", SELECT);
        let found: Option<(BuildId,)> = query.value(packages.to_owned()).value(kind.as_str()).first().await?;
        Ok(found.is_some())
    }

    /// The artifacts of this type that were made of the same: at most `limit`, those of the newest builds.
    pub async fn artifacts_made_of(&self, kind: ArtifactType, made_of: &MadeOf, limit: u32) -> Result<Vec<Artifact>> {
        const SELECT: &str = "select build_id from cs_artifact_state where packages = $1 and made_of = $2 \
            and artifact_type = $3 and state = 'DONE' order by build_id desc limit $4";
        let query = self.database.query("find artifacts made of the same", SELECT);
        let query = query.value(made_of.packages.clone()).value(made_of.content.clone());
        let query = query.value(kind.as_str()).value(i64::from(limit));
        let builds: Vec<(BuildId,)> = query.all().await?;
        let builds: Vec<_> = builds.into_iter().map(|(build,)| build).collect();
        let mut artifacts = self.artifacts_of(&builds).await?;
        artifacts.retain(|artifact| artifact.artifact_type == kind);
        Ok(artifacts)
    }
}
