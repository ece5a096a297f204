//! `POST /login/`: logs in with a name and a password.

use axum::{extract::State, response::IntoResponse};
use conda_store_core::{Error, ErrorKind, auth::Credentials};
use http::request::Parts;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::{Data, Envelope},
    error::{Answer, Failure},
    face::Face,
    openapi::{Forbidden, WrongTypes},
    request::JsonBody,
    session,
};

/// What the form sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Form {
    username: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Where to go from here.
#[derive(Serialize, ToSchema)]
pub(crate) struct Onward {
    pub(crate) redirect_url: String,
}

/// Logs in with a name and a password; the cookie recognises the browser from then on.
#[utoipa::path(
    post,
    path = "/login",
    tag = "session",
    request_body = Form,
    responses((status = OK, body = Envelope<Onward>), Forbidden, WrongTypes),
)]
pub(crate) async fn handle(
    State(face): State<Face>,
    parts: Parts,
    JsonBody(Form { username, password }): JsonBody<Form>,
) -> Answer<impl IntoResponse> {
    let login = face.authenticator().login(&Credentials { username, password }).await.map_err(refused)?;
    let cookie = session::cookie(&face, &parts, &login)?;
    Ok((cookie, Data(Onward { redirect_url: session::next(&face, &parts)? })))
}

/// Whatever was wrong, there is one answer, in the words that clients know.
fn refused(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Forbidden | ErrorKind::Unauthenticated => {
            let message = "Invalid authentication credentials";
            Error::new(ErrorKind::Forbidden, "log in", message).with_source(error).into()
        }
        _ => error.into(),
    }
}
