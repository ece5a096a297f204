//! `DELETE /api/v1/namespace/{namespace}/`: deletes a namespace and everything in it.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::NamespacePath,
};

/// Deletes a namespace with its environments and builds; workers remove what is on disk and in storage.
#[utoipa::path(
    delete,
    path = "/namespace/{namespace}",
    tag = "namespace",
    params(NamespacePath),
    responses((status = OK, body = Acknowledged), Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, NamespacePath(name): NamespacePath) -> Answer<Acknowledgement> {
    caller.namespace(&name, &[Permission::NamespaceDelete]).await?;
    caller.face.store().delete_namespace(&name).await?;
    Ok(Acknowledgement(None))
}
