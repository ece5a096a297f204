//! `PUT /api/v1/setting/{namespace}/{name}/`: changes settings for an environment.

use conda_store_core::settings::SettingPlace;
use serde_json::{Map, Value};

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Forbidden, Missing, schema},
    request::{EnvironmentPath, JsonBody},
    settings,
};

/// Changes some settings for an environment; the others stay as they are.
#[utoipa::path(
    put,
    path = "/setting/{namespace}/{name}",
    tag = "setting",
    params(EnvironmentPath),
    request_body = schema::Settings,
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    path: EnvironmentPath,
    JsonBody(changes): JsonBody<Map<String, Value>>,
) -> Answer<Acknowledgement> {
    settings::change(&caller, SettingPlace::Environment(&path.namespace, &path.name), &changes).await
}
