//! `PUT /api/v1/namespace/{namespace}/role`: gives another namespace another role in a namespace.

use conda_store_core::auth::{ArnPattern, Permission};

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Forbidden, Missing},
    request::{GivenRole, JsonBody, NamespacePath},
};

/// Gives those whose own another namespace is another role in a namespace.
#[utoipa::path(
    put,
    path = "/namespace/{namespace}/role",
    tag = "namespace",
    params(NamespacePath),
    request_body = GivenRole,
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    NamespacePath(name): NamespacePath,
    JsonBody(given): JsonBody<GivenRole>,
) -> Answer<Acknowledgement> {
    caller.namespace(&name, &[Permission::RoleMappingUpdate]).await?;
    let (other, role) = given.read()?;
    caller.require_to_hand_on(&[(ArnPattern::namespace(&name), [role].into())].into()).await?;
    caller.face.store().catalogue().update_namespace_role(&name, &other, role).await?;
    Ok(Acknowledgement(None))
}
