//! `GET /api/v2/environment/`: the environments that the caller may read, by cursor.

use conda_store_core::auth::Permission;

use crate::{
    answer::Piece,
    caller::Caller,
    error::Answer,
    request::{CursorPage, EnvironmentFilters, Parameters},
    view::EnvironmentView,
};

/// The environments that the caller may read, by cursor.
#[utoipa::path(
    get,
    path = "/environment",
    tag = "environment",
    params(CursorPage, EnvironmentFilters),
    responses((status = OK, body = Piece<EnvironmentView>)),
)]
pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Piece<EnvironmentView>> {
    let page = CursorPage::read(&caller.face, &parameters);
    let filters = EnvironmentFilters::read(&parameters)?;
    let scope = caller.scope(Permission::EnvironmentRead).await?;
    let other = caller.scope_of(Permission::EnvironmentRead, parameters.text("jwt")).await?;
    let query = filters.query(&scope, other.as_ref(), page.request());
    let found = caller.face.store().catalogue().environments(&query).await.map_err(|error| page.refused(error))?;
    let environments = found.items.into_iter().map(EnvironmentView::from).collect();
    Ok(CursorPage::piece(environments, found.total, found.next.as_ref()))
}
