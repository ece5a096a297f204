//! `PUT /api/v1/setting/`: changes settings for the installation.

use conda_store_core::settings::SettingPlace;
use serde_json::{Map, Value};

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Forbidden, schema},
    request::JsonBody,
    settings,
};

/// Changes some settings for the installation; the others stay as they are.
#[utoipa::path(
    put,
    path = "/setting",
    tag = "setting",
    request_body = schema::Settings,
    responses((status = OK, body = Acknowledged), BadInput, Forbidden),
)]
pub(crate) async fn handle(caller: Caller, JsonBody(changes): JsonBody<Map<String, Value>>) -> Answer<Acknowledgement> {
    settings::change(&caller, SettingPlace::Global, &changes).await
}
