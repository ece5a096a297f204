//! `GET /login/`: what a browser is shown that wants to log in.

use axum::{
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
};
use conda_store_core::auth::LoginStep;
use http::request::Parts;
use secrecy::SecretString;

use crate::{error::Answer, face::Face, openapi::WrongTypes, session};

/// What a browser is shown that wants to log in: a form, or the way to who recognises people.
#[utoipa::path(
    get,
    path = "/login",
    tag = "session",
    responses((status = OK, description = "a form", content_type = "text/html", body = String), (status = SEE_OTHER, description = "an outside provider"), WrongTypes),
)]
pub(crate) async fn handle(State(face): State<Face>, parts: Parts) -> Answer<Response> {
    let callback = session::callback(&face, &parts)?;
    match face.authenticator().login_step(&callback).await? {
        LoginStep::Form(html) => Ok(Html(html).into_response()),
        LoginStep::Redirect { url, state } => {
            let cookie = session::state_cookie(&face, &parts, &SecretString::from(state))?;
            Ok((cookie, Redirect::to(url.as_str())).into_response())
        }
    }
}
