//! `GET /api/v1/namespace/{namespace}/`: one namespace.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::{Answer, Failure},
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
    caller.require(&name, None, &[Permission::NamespaceRead]).await?;
    let found = caller.face.store().catalogue().namespace(&name).await?;
    found.map(|namespace| Data(namespace.into())).ok_or_else(|| Failure::missing("namespace does not exist"))
}
