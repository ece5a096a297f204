//! `GET /api/v1/build/{build_id}/`: one build, with its specification and artifacts.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::BuildPath,
    view::{BuildDetails, BuildView, SpecificationView},
};

/// One build, with its specification and artifacts.
#[utoipa::path(
    get,
    path = "/build/{build_id}",
    tag = "build",
    params(BuildPath),
    responses((status = OK, body = Envelope<BuildDetails>), Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath) -> Answer<Data<BuildDetails>> {
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    let catalogue = caller.face.store().catalogue();
    let specification = catalogue.specification_of(build.id).await?.map(SpecificationView::from);
    let artifacts = catalogue.artifacts(build.id).await?;
    Ok(Data(BuildDetails::new(BuildView::new(build, artifacts), specification)))
}
