//! `DELETE /api/v1/namespace/{namespace}/roles`: takes all roles in a namespace away.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::NamespacePath,
};

/// Takes all roles in a namespace away that other namespaces have.
#[utoipa::path(
    delete,
    path = "/namespace/{namespace}/roles",
    tag = "namespace",
    params(NamespacePath),
    responses((status = OK, body = Acknowledged), Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, NamespacePath(name): NamespacePath) -> Answer<Acknowledgement> {
    caller.namespace(&name, &[Permission::RoleMappingDelete]).await?;
    caller.face.store().catalogue().delete_namespace_roles(&name).await?;
    Ok(Acknowledgement(None))
}
