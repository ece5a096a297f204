//! `PUT /api/v2/build/{build_id}/artifact/{artifact_type}/`: has an artifact of a completed build made, also again.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::{Answer, unacceptable},
    openapi::{BadInput, Forbidden, Missing},
    request::BuildArtifactPath,
};

/// Has an artifact of a completed build made, also where it is there or could not be made before.
#[utoipa::path(
    put,
    path = "/build/{build_id}/artifact/{artifact_type}",
    tag = "build",
    params(BuildArtifactPath),
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, path: BuildArtifactPath) -> Answer<Acknowledgement> {
    let BuildArtifactPath { build_id, artifact_type } = path;
    let build = caller.build(build_id, Permission::EnvironmentUpdate).await?;
    caller.face.store().make_artifact(build.id, artifact_type).await.map_err(unacceptable)?;
    Ok(Acknowledgement(Some(format!("{artifact_type} of build {} is being made", build.id))))
}
