//! `PUT /api/v1/setting/{namespace}/`: changes settings for a namespace.

use conda_store_core::settings::SettingPlace;
use serde_json::{Map, Value};

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Forbidden, Missing, schema},
    request::{JsonBody, NamespacePath},
    settings,
};

/// Changes some settings for a namespace; the others stay as they are.
#[utoipa::path(
    put,
    path = "/setting/{namespace}",
    tag = "setting",
    params(NamespacePath),
    request_body = schema::Settings,
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    NamespacePath(namespace): NamespacePath,
    JsonBody(changes): JsonBody<Map<String, Value>>,
) -> Answer<Acknowledgement> {
    settings::change(&caller, SettingPlace::Namespace(&namespace), &changes).await
}
