//! `GET /api/v1/setting/{namespace}/`: the settings in effect for a namespace.

use conda_store_core::settings::{SettingPlace, Settings};

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing, schema},
    request::NamespacePath,
    settings,
};

/// The settings in effect for a namespace, all of them.
#[utoipa::path(
    get,
    path = "/setting/{namespace}",
    tag = "setting",
    params(NamespacePath),
    responses((status = OK, body = Envelope<schema::Settings>), Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, NamespacePath(namespace): NamespacePath) -> Answer<Data<Settings>> {
    settings::show(&caller, SettingPlace::Namespace(&namespace)).await
}
