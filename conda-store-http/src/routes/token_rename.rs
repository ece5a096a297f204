//! `PUT /api/v2/token/{token_id}/`: calls a token something else.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Forbidden, Missing, Unauthenticated},
    request::{JsonBody, TokenPath, token_name},
};

/// What it is called.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Naming {
    /// The name; none takes the one away that it has.
    name: Option<String>,
}

/// Names a token.
#[utoipa::path(
    put,
    path = "/token/{token_id}",
    tag = "token",
    params(TokenPath),
    request_body = Naming,
    responses((status = OK, body = Acknowledged), BadInput, Unauthenticated, Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    TokenPath(id): TokenPath,
    JsonBody(naming): JsonBody<Naming>,
) -> Answer<Acknowledgement> {
    let token = caller.token(id).await?;
    let name = token_name(naming.name)?;
    caller.face.store().catalogue().rename_token(token.id, name.as_deref()).await?;
    Ok(Acknowledgement(None))
}
