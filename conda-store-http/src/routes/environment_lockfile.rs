//! `GET /api/v1/environment/{namespace}/{name}/lockfile/`, also as `conda-lock.yml` and `conda-lock.yaml`: the exact
//! packages of the current build.

use axum::response::Response;
use conda_store_core::{auth::Permission, model::ArtifactType};

use crate::{
    answer,
    caller::Caller,
    error::{Answer, Failure},
    openapi::{Artifact, Forbidden, Missing},
    request::{Conditions, EnvironmentPath},
};

/// The exact packages of the current build, as conda-lock writes them.
#[utoipa::path(
    get,
    path = "/environment/{namespace}/{name}/lockfile",
    tag = "environment",
    params(EnvironmentPath),
    responses(Artifact, Forbidden, Missing)
)]
pub(crate) async fn handle(caller: Caller, path: EnvironmentPath, wanted: Conditions) -> Answer<Response> {
    let environment = caller.environment(&path.namespace, &path.name, Permission::EnvironmentRead).await?;
    let no_build = || Failure::missing("environment has no completed build yet");
    let current = environment.current_build_id.ok_or_else(no_build)?;
    let build = caller.build(Some(current), Permission::EnvironmentRead).await?;
    answer::artifact(&caller.face, &build, ArtifactType::Lockfile, &wanted).await
}
