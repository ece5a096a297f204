//! `GET /api/v1/build/{build_id}/installer/`: a script that installs the environment anywhere.

use axum::response::Response;
use conda_store_core::{auth::Permission, model::ArtifactType};

use crate::{
    answer,
    caller::Caller,
    error::Answer,
    openapi::{Artifact, BadInput, Forbidden, Missing},
    request::{BuildPath, Conditions},
};

/// A script that installs the environment anywhere, without network.
#[utoipa::path(
    get,
    path = "/build/{build_id}/installer",
    tag = "build",
    params(BuildPath),
    responses(Artifact, BadInput, Forbidden, Missing)
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath, wanted: Conditions) -> Answer<Response> {
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    let found = answer::artifact(&caller.face, &build, ArtifactType::ConstructorInstaller, &wanted).await;
    found.map_err(|failure| answer::unavailable(failure, &build, "an installer"))
}
