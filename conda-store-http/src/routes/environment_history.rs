//! `GET /api/v2/environment/{namespace}/{name}/history/`: the builds that an environment can or could be.

use conda_store_core::{
    auth::{Permission, Scope},
    catalogue::{BuildQuery, Order},
    model::BuildStatus,
};

use crate::{
    answer::Piece,
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::{CursorPage, EnvironmentPath, Parameters},
    view::HistoryView,
};

/// The completed builds of an environment, deleted ones as well, the newest first, by cursor.
#[utoipa::path(
    get,
    path = "/environment/{namespace}/{name}/history",
    tag = "environment",
    params(EnvironmentPath, CursorPage),
    responses((status = OK, body = Piece<HistoryView>), Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    path: EnvironmentPath,
    parameters: Parameters,
) -> Answer<Piece<HistoryView>> {
    let page = CursorPage::read(&caller.face, &parameters);
    parameters.check()?;
    let environment = caller.environment(&path.namespace, &path.name, Permission::EnvironmentRead).await?;
    // Whoever may read the environment may read all of its builds.
    let everything = Scope::everything();
    let query = BuildQuery {
        environment_id: Some(environment.id),
        status: Some(BuildStatus::Completed),
        order: Order::Descending,
        page: page.request(),
        ..BuildQuery::new(&everything, 0)
    };
    let found = caller.face.store().catalogue().builds(&query).await.map_err(|error| page.refused(error))?;
    let current = environment.current_build_id;
    let builds = found.items.iter().map(|build| HistoryView::new(build, current)).collect();
    Ok(CursorPage::piece(builds, found.total, found.next.as_ref()))
}
