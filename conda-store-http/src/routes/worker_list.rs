//! `GET /api/v2/worker/`: which workers there are, and what they do.

use crate::{
    answer::Piece,
    caller::Caller,
    error::Answer,
    openapi::Forbidden,
    request::{CursorPage, Parameters, ordering},
    view::WorkerView,
};

/// The workers, idle ones too, in the order in which they were first seen. One that stops by itself is gone from here; one
/// that was lost is shown for a day. For whoever may do everything.
#[utoipa::path(
    get,
    path = "/worker",
    tag = "work",
    params(CursorPage),
    responses((status = OK, body = Piece<WorkerView>), Forbidden),
)]
pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Piece<WorkerView>> {
    let page = CursorPage::read(&caller.face, &parameters);
    let order = ordering(&parameters);
    parameters.check()?;
    caller.require_everything().await?;
    let found = caller.face.store().catalogue().workers(order, &page.request()).await;
    let found = found.map_err(|error| page.refused(error))?;
    let workers = found.items.into_iter().map(WorkerView::from).collect();
    Ok(CursorPage::piece(workers, found.total, found.next.as_ref()))
}
