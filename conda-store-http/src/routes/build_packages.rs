//! `GET /api/v1/build/{build_id}/packages/`: the packages of a build.

use conda_store_core::{auth::Permission, model::CondaPackage};

use crate::{
    answer::Listing,
    caller::Caller,
    error::Answer,
    request::{BuildPath, NumberedPage, PackageFilters, Parameters},
};

pub(crate) async fn handle(
    caller: Caller,
    BuildPath(id): BuildPath,
    parameters: Parameters,
) -> Answer<Listing<CondaPackage>> {
    let page = NumberedPage::read(&caller.face, &parameters);
    let filters = PackageFilters::read(&parameters)?;
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    let query = filters.query(page.request());
    let found = caller.face.store().catalogue().build_packages(build.id, &query).await?;
    Ok(page.listing(found.items, found.total))
}
