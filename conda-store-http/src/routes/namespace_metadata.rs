//! `PUT /api/v1/namespace/{namespace}/metadata`: other words about a namespace.

use conda_store_core::auth::Permission;
use serde_json::{Map, Value};

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing, schema},
    request::{JsonBody, NamespacePath},
};

/// Replaces what is written down about a namespace.
#[utoipa::path(
    put,
    path = "/namespace/{namespace}/metadata",
    tag = "namespace",
    params(NamespacePath),
    request_body = schema::Metadata,
    responses((status = OK, body = Acknowledged), Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    NamespacePath(name): NamespacePath,
    JsonBody(metadata): JsonBody<Map<String, Value>>,
) -> Answer<Acknowledgement> {
    caller.namespace(&name, &[Permission::NamespaceUpdate]).await?;
    caller.face.store().catalogue().update_namespace(&name, Some(&metadata), None).await?;
    Ok(Acknowledgement(None))
}
