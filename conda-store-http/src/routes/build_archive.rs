//! `GET /api/v1/build/{build_id}/archive/`: the environment as an archive that can be unpacked anywhere.

use axum::response::Response;
use conda_store_core::{auth::Permission, model::ArtifactType};

use crate::{
    answer,
    caller::Caller,
    error::Answer,
    openapi::{Artifact, Forbidden, Missing},
    request::{BuildPath, Conditions},
};

/// The environment as an archive that can be unpacked anywhere, as conda-pack makes it.
#[utoipa::path(
    get,
    path = "/build/{build_id}/archive",
    tag = "build",
    params(BuildPath),
    responses(Artifact, Forbidden, Missing)
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath, wanted: Conditions) -> Answer<Response> {
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    answer::artifact(&caller.face, &build, ArtifactType::CondaPack, &wanted).await
}
