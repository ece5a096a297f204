//! `GET /api/v2/build/{build_id}/diff/{other_id}/`: what another build has otherwise.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::TwoBuildsPath,
    view::DifferenceView,
};

/// Which packages the other build has added, removed and changed.
#[utoipa::path(
    get,
    path = "/build/{build_id}/diff/{other_id}",
    tag = "build",
    params(TwoBuildsPath),
    responses((status = OK, body = Envelope<DifferenceView>), Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, path: TwoBuildsPath) -> Answer<Data<DifferenceView>> {
    let before = caller.build(path.build, Permission::EnvironmentRead).await?;
    let after = caller.build(path.other, Permission::EnvironmentRead).await?;
    let difference = caller.face.store().catalogue().build_difference(before.id, after.id).await?;
    Ok(Data(difference.into()))
}
