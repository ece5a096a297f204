//! `GET /api/v1/namespace/{namespace}/roles`: who has which role in a namespace.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::NamespacePath,
    view::NamespaceRoleView,
};

/// Who has which role in a namespace.
#[utoipa::path(
    get,
    path = "/namespace/{namespace}/roles",
    tag = "namespace",
    params(NamespacePath),
    responses((status = OK, body = Envelope<Vec<NamespaceRoleView>>), Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, NamespacePath(name): NamespacePath) -> Answer<Data<Vec<NamespaceRoleView>>> {
    caller.namespace(&name, &[Permission::RoleMappingRead]).await?;
    let roles = caller.face.store().catalogue().namespace_roles(&name).await?;
    Ok(Data(roles.into_iter().map(NamespaceRoleView::from).collect()))
}
