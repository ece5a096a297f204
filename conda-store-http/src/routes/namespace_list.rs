//! `GET /api/v1/namespace/`: the namespaces that the caller may read.

use conda_store_core::{auth::Permission, catalogue::NamespaceQuery};

use crate::{
    answer::Listing,
    caller::Caller,
    error::Answer,
    request::{NumberedPage, Parameters, ordering},
    view::NamespaceView,
};

/// The namespaces that the caller may read, by page number.
#[utoipa::path(
    get,
    path = "/namespace",
    tag = "namespace",
    params(NumberedPage),
    responses((status = OK, body = Listing<NamespaceView>)),
)]
pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Listing<NamespaceView>> {
    let page = NumberedPage::read(&caller.face, &parameters);
    parameters.check()?;
    let scope = caller.scope(Permission::NamespaceRead).await?;
    let query = NamespaceQuery { scope: &scope, order: ordering(&parameters), page: page.request() };
    let found = caller.face.store().catalogue().namespaces(&query).await?;
    Ok(page.listing(found.items.into_iter().map(NamespaceView::from).collect(), found.total))
}
