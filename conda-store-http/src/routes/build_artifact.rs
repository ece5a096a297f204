//! `GET /api/v1/build/{build_id}/logs/` and the other artifacts of a build.

use axum::response::Response;
use conda_store_core::{auth::Permission, model::ArtifactType};

use crate::{answer, caller::Caller, error::Answer, request::BuildPath};

pub(crate) async fn handle(artifact_type: ArtifactType, caller: Caller, BuildPath(id): BuildPath) -> Answer<Response> {
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    answer::artifact(&caller.face, &build, artifact_type).await
}
