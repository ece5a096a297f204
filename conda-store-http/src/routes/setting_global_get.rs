//! `GET /api/v1/setting/`: the settings in effect for the installation.

use conda_store_core::settings::{SettingPlace, Settings};

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, schema},
    settings,
};

/// The settings in effect for the installation, all of them.
#[utoipa::path(
    get,
    path = "/setting",
    tag = "setting",
    responses((status = OK, body = Envelope<schema::Settings>), Forbidden),
)]
pub(crate) async fn handle(caller: Caller) -> Answer<Data<Settings>> {
    settings::show(&caller, SettingPlace::Global).await
}
