//! `GET /api/v2/token/`: the tokens that the caller asked for.

use crate::{
    answer::Piece,
    caller::Caller,
    error::Answer,
    openapi::Unauthenticated,
    request::{CursorPage, Parameters},
    view::TokenView,
};

/// The valid tokens that the caller asked for, the newest first; those of everybody for whoever may do everything.
#[utoipa::path(
    get,
    path = "/token",
    tag = "token",
    params(CursorPage),
    responses((status = OK, body = Piece<TokenView>), Unauthenticated),
)]
pub(crate) async fn handle(caller: Caller, parameters: Parameters) -> Answer<Piece<TokenView>> {
    let page = CursorPage::read(&caller.face, &parameters);
    parameters.check()?;
    let own = &caller.logged_in()?.primary_namespace;
    let owner = if caller.may_everything().await? { None } else { Some(own.as_str()) };
    let found = caller.face.store().catalogue().tokens(owner, &page.request()).await;
    let found = found.map_err(|error| page.refused(error))?;
    let tokens = found.items.into_iter().map(TokenView::from).collect();
    Ok(CursorPage::piece(tokens, found.total, found.next.as_ref()))
}
