//! `DELETE /api/v1/namespace/{namespace}/role`: takes the role of another namespace away.

use conda_store_core::{auth::Permission, model::NamespaceName};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Forbidden, Missing},
    request::{JsonBody, NamespacePath},
};

/// Whose role it is.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Bearer {
    /// The namespace that has the role.
    other_namespace: String,
}

/// Takes the role in a namespace away from those whose own another one is.
#[utoipa::path(
    delete,
    path = "/namespace/{namespace}/role",
    tag = "namespace",
    params(NamespacePath),
    request_body = Bearer,
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    NamespacePath(name): NamespacePath,
    JsonBody(bearer): JsonBody<Bearer>,
) -> Answer<Acknowledgement> {
    caller.namespace(&name, &[Permission::RoleMappingDelete]).await?;
    let other: NamespaceName = bearer.other_namespace.parse()?;
    caller.face.store().catalogue().delete_namespace_role(&name, &other).await?;
    Ok(Acknowledgement(None))
}
