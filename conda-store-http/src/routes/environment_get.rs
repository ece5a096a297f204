//! `GET /api/v1/environment/{namespace}/{name}/`: one environment.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::EnvironmentPath,
    view::EnvironmentView,
};

/// One environment.
#[utoipa::path(
    get,
    path = "/environment/{namespace}/{name}",
    tag = "environment",
    params(EnvironmentPath),
    responses((status = OK, body = Envelope<EnvironmentView>), Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, path: EnvironmentPath) -> Answer<Data<EnvironmentView>> {
    let environment = caller.environment(&path.namespace, &path.name, Permission::EnvironmentRead).await?;
    Ok(Data(environment.into()))
}
