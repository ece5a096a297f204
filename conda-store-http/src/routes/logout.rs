//! `POST /logout/`: forgets who the browser is.

use axum::{extract::State, response::IntoResponse};
use http::request::Parts;

use super::login::Onward;
use crate::{
    answer::{Data, Envelope},
    error::Answer,
    face::Face,
    openapi::WrongTypes,
    session,
};

/// Forgets who the browser is.
#[utoipa::path(
    post,
    path = "/logout",
    tag = "session",
    responses((status = OK, body = Envelope<Onward>), WrongTypes),
)]
pub(crate) async fn handle(State(face): State<Face>, parts: Parts) -> Answer<impl IntoResponse> {
    face.authenticator().logout(&parts).await?;
    let cookie = session::expired_cookie(&face, &parts)?;
    Ok((cookie, Data(Onward { redirect_url: session::next(&face, &parts)? })))
}
