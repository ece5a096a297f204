//! `POST /api/v1/namespace/{namespace}/role`: gives another namespace a role in a namespace.

use conda_store_core::auth::{ArnPattern, Permission};

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Conflict, Forbidden, Missing},
    request::{GivenRole, JsonBody, NamespacePath},
};

/// Gives those whose own another namespace is a role in a namespace.
#[utoipa::path(
    post,
    path = "/namespace/{namespace}/role",
    tag = "namespace",
    params(NamespacePath),
    request_body = GivenRole,
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Missing, Conflict),
)]
pub(crate) async fn handle(
    caller: Caller,
    NamespacePath(name): NamespacePath,
    JsonBody(given): JsonBody<GivenRole>,
) -> Answer<Acknowledgement> {
    caller.namespace(&name, &[Permission::RoleMappingCreate]).await?;
    let (other, role) = given.read()?;
    caller.require_to_hand_on(&[(ArnPattern::namespace(&name), [role].into())].into()).await?;
    caller.face.store().catalogue().create_namespace_role(&name, &other, role).await?;
    Ok(Acknowledgement(None))
}
