//! `DELETE /api/v2/token/{token_id}/`: revokes a token.

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing, Unauthenticated},
    request::TokenPath,
};

/// Revokes a token: from now on it is refused.
#[utoipa::path(
    delete,
    path = "/token/{token_id}",
    tag = "token",
    params(TokenPath),
    responses((status = OK, body = Acknowledged), Unauthenticated, Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, TokenPath(id): TokenPath) -> Answer<Acknowledgement> {
    let token = caller.token(id).await?;
    caller.face.store().catalogue().revoke_token(token.id).await?;
    Ok(Acknowledgement(None))
}
