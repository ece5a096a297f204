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
    let catalogue = caller.face.store().catalogue();
    let found = catalogue.namespaces(&query).await?;
    let ids: Vec<_> = found.items.iter().map(|namespace| namespace.id).collect();
    let mut mappings = catalogue.role_mappings(&ids).await?;
    let namespaces = found.items.into_iter().map(|namespace| NamespaceView::new(namespace, &mut mappings));
    Ok(page.listing(namespaces.collect(), found.total))
}
