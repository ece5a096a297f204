//! `GET /api/v1/build/{build_id}/docker/`: the name of the container image.

use conda_store_core::{auth::Permission, model::ArtifactType};

use crate::{
    answer,
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Forbidden, Missing},
    request::BuildPath,
};

/// The name under which the registry gives the container image, as `docker pull` takes it.
#[utoipa::path(
    get,
    path = "/build/{build_id}/docker",
    tag = "build",
    params(BuildPath),
    responses((status = OK, body = String, content_type = "text/plain; charset=utf-8"), BadInput, Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath) -> Answer<String> {
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    let face = &caller.face;
    let manifest = answer::require_artifact(face, &build, ArtifactType::DockerManifest).await;
    manifest.map_err(|failure| answer::unavailable(failure, &build, "a docker manifest"))?;
    let key = face.store().build_key(&build)?;
    let registry = &face.options().registry_external_url;
    Ok(format!("{registry}/{}/{}:{key}", build.namespace, build.environment))
}
