//! `GET /openapi.json`, `GET /docs` and `GET /redoc`: the description of all routes, for programs and for people.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Path,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use conda_store_core::{Error, Result};
use http::{HeaderValue, header};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::{
    error::{Answer, no_such_path},
    face::Face,
};

/// The routes, which are no part of `document` themselves.
///
/// # Errors
/// A document that has no JSON.
pub(crate) fn router(face: &Face, document: &OpenApi) -> Result<Router<Face>> {
    let unexpected = |error| Error::unexpected("describe routes", "the document has no JSON form").with_source(error);
    let document = Bytes::from(serde_json::to_vec(document).map_err(unexpected)?);
    // The page refers to its files by relative paths, so that it needs a path with a slash after `docs`.
    let page = format!("{}/docs/index.html", face.prefix());
    let to_page = get(move || async move { Redirect::temporary(&page) });
    let config = Arc::new(Config::from("../openapi.json").with_credentials(true).persist_authorization(true));
    Ok(Router::new()
        .route("/openapi.json", get(move || async move { json(document) }))
        .route("/docs", to_page.clone())
        .route("/redoc", to_page)
        .route("/docs/{*file}", get(move |Path(name): Path<String>| async move { file(&name, config).await })))
}

fn json(document: Bytes) -> Response {
    let media_type = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, media_type)], document).into_response()
}

async fn file(name: &str, config: Arc<Config<'_>>) -> Answer<Response> {
    let failed = |error: Box<dyn std::error::Error>| Error::unexpected("show documentation", error.to_string());
    match utoipa_swagger_ui::serve(name, config).map_err(failed)? {
        None => Ok(no_such_path().await),
        Some(file) => {
            Ok(([(header::CONTENT_TYPE, file.content_type)], Body::from(file.bytes.into_owned())).into_response())
        }
    }
}
