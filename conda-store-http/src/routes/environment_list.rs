//! `GET /api/v1/environment/`: the environments that the caller may read, by page number.

use conda_store_core::auth::Permission;

use crate::{
    answer::Listing,
    caller::Caller,
    error::Answer,
    request::{EnvironmentFilters, NumberedPage, Parameters},
    view::EnvironmentView,
};

/// The environments that the caller may read, by page number.
#[utoipa::path(
    get,
    path = "/environment",
    tag = "environment",
    params(NumberedPage, EnvironmentFilters),
    responses((status = OK, body = Listing<EnvironmentView>)),
)]
pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Listing<EnvironmentView>> {
    let page = NumberedPage::read(&caller.face, &parameters);
    let filters = EnvironmentFilters::read(&parameters)?;
    let scope = caller.scope(Permission::EnvironmentRead).await?;
    let other = caller.scope_of(Permission::EnvironmentRead, parameters.text("jwt")).await?;
    let found =
        caller.face.store().catalogue().environments(&filters.query(&scope, other.as_ref(), page.request())).await?;
    let environments = found.items.into_iter().map(EnvironmentView::from).collect();
    Ok(page.listing(environments, found.total))
}
