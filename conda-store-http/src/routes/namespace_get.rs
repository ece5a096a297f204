//! `GET /api/v1/namespace/{namespace}/`: one namespace.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::NamespacePath,
    view::NamespaceView,
};

/// One namespace.
#[utoipa::path(
    get,
    path = "/namespace/{namespace}",
    tag = "namespace",
    params(NamespacePath),
    responses((status = OK, body = Envelope<NamespaceView>), Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, NamespacePath(name): NamespacePath) -> Answer<Data<NamespaceView>> {
    let namespace = caller.namespace(&name, &[Permission::NamespaceRead]).await?;
    let mut mappings = caller.face.store().catalogue().role_mappings(&[namespace.id]).await?;
    Ok(Data(NamespaceView::new(namespace, &mut mappings)))
}
