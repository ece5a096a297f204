//! `GET /api/v1/package/`: the packages that the service knows of.

use crate::{
    answer::Listing,
    caller::Caller,
    error::Answer,
    request::{NumberedPage, PackageSearchFilters, Parameters},
    view::PackageView,
};

/// The packages of indexed channels and of builds, by page number.
#[utoipa::path(
    get,
    path = "/package",
    tag = "package",
    params(NumberedPage, PackageSearchFilters),
    responses((status = OK, body = Listing<PackageView>)),
)]
pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Listing<PackageView>> {
    let page = NumberedPage::read(&caller.face, &parameters);
    let filters = PackageSearchFilters::read(&parameters)?;
    let search = filters.search(page);
    let (packages, count) = caller.face.store().catalogue().search_packages(&search).await?;
    Ok(page.listing(packages.into_iter().map(PackageView::from).collect(), count))
}
