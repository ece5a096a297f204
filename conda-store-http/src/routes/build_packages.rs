//! `GET /api/v1/build/{build_id}/packages/`: the packages of a build.

use conda_store_core::auth::Permission;

use crate::{
    answer::Listing,
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::{BuildPath, NumberedPage, PackageFilters, Parameters},
    view::PackageView,
};

/// The packages of a build, by page number.
#[utoipa::path(
    get,
    path = "/build/{build_id}/packages",
    tag = "build",
    params(BuildPath, NumberedPage, PackageFilters),
    responses((status = OK, body = Listing<PackageView>), Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    BuildPath(id): BuildPath,
    parameters: Parameters,
) -> Answer<Listing<PackageView>> {
    let page = NumberedPage::read(&caller.face, &parameters);
    let filters = PackageFilters::read(&parameters)?;
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    let query = filters.query(page.request());
    let found = caller.face.store().catalogue().build_packages(build.id, &query).await?;
    Ok(page.listing(found.items.into_iter().map(PackageView::from).collect(), found.total))
}
