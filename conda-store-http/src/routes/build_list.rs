//! `GET /api/v1/build/`: the builds of environments that the caller may read.

use std::collections::BTreeMap;

use conda_store_core::{
    auth::Permission,
    model::{Artifact, BuildId},
};

use crate::{
    answer::Listing,
    caller::Caller,
    error::Answer,
    request::{BuildFilters, NumberedPage, Parameters},
    view::BuildView,
};

/// The builds of environments that the caller may read, by page number.
#[utoipa::path(
    get,
    path = "/build",
    tag = "build",
    params(NumberedPage, BuildFilters),
    responses((status = OK, body = Listing<BuildView>)),
)]
pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Listing<BuildView>> {
    let page = NumberedPage::read(&caller.face, &parameters);
    let filters = BuildFilters::read(&parameters)?;
    let scope = caller.scope(Permission::EnvironmentRead).await?;
    let catalogue = caller.face.store().catalogue();
    let found = catalogue.builds(&filters.query(&scope, page.request())).await?;
    let ids: Vec<BuildId> = found.items.iter().map(|build| build.id).collect();
    let mut artifacts = by_build(catalogue.artifacts_of(&ids).await?);
    let view = |build: conda_store_core::model::Build| {
        let own = artifacts.remove(&build.id).unwrap_or_default();
        BuildView::new(build, own)
    };
    Ok(page.listing(found.items.into_iter().map(view).collect(), found.total))
}

fn by_build(artifacts: Vec<Artifact>) -> BTreeMap<BuildId, Vec<Artifact>> {
    artifacts.into_iter().fold(BTreeMap::new(), |mut grouped, artifact| {
        grouped.entry(artifact.build_id).or_insert_with(Vec::new).push(artifact);
        grouped
    })
}
