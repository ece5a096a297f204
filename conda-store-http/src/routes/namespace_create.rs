//! `POST /api/v1/namespace/{namespace}/`: makes a namespace.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Conflict, Forbidden},
    request::NewNamespacePath,
};

/// Makes a namespace.
#[utoipa::path(
    post,
    path = "/namespace/{namespace}",
    tag = "namespace",
    params(NewNamespacePath),
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Conflict),
)]
pub(crate) async fn handle(caller: Caller, NewNamespacePath(name): NewNamespacePath) -> Answer<Acknowledgement> {
    caller.require(&name, None, &[Permission::NamespaceCreate]).await?;
    caller.face.store().catalogue().create_namespace(&name).await?;
    Ok(Acknowledgement(None))
}
