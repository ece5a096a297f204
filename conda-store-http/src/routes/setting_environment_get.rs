//! `GET /api/v1/setting/{namespace}/{name}/`: the settings in effect for an environment.

use conda_store_core::settings::{SettingPlace, Settings};

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing, schema},
    request::EnvironmentPath,
    settings,
};

/// The settings in effect for an environment, all of them.
#[utoipa::path(
    get,
    path = "/setting/{namespace}/{name}",
    tag = "setting",
    params(EnvironmentPath),
    responses((status = OK, body = Envelope<schema::Settings>), Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, path: EnvironmentPath) -> Answer<Data<Settings>> {
    settings::show(&caller, SettingPlace::Environment(&path.namespace, &path.name)).await
}
