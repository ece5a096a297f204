//! Routes put together, and served.

use std::future::Future;

use axum::{Router, extract::DefaultBodyLimit};
use conda_store_core::{CondaStore, Error, Result};
use http::Request;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_http::{
    normalize_path::NormalizePathLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::TraceLayer,
};
use tracing::Span;

use crate::{HttpOptions, error, face::Face, openapi, routes};

/// The name of the header that carries the id of a request; one that the client sends is kept.
const REQUEST_ID: &str = "x-request-id";

/// The HTTP face of `store`: everything below [`HttpOptions::url_prefix`], every path with and without a trailing slash.
///
/// # Errors
/// [`Invalid`](conda_store_core::ErrorKind::Invalid) where `store` has no authenticator or no authorizer, or an option is
/// wrong.
pub fn router(store: CondaStore, options: HttpOptions) -> Result<Router> {
    let face = Face::new(store, options)?;
    let (prefix, limit) = (face.prefix().to_owned(), face.options().body_limit);
    let (described, document) = routes::all().split_for_parts();
    let documentation = routes::documentation::router(&face, &openapi::completed(document, &face))?;
    let routes = described.merge(documentation).layer(DefaultBodyLimit::max(limit)).with_state(face);
    let placed = if prefix.is_empty() { routes } else { Router::new().nest(&prefix, routes) };
    let answering = placed.fallback(error::no_such_path).method_not_allowed_fallback(error::no_such_method);
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        // Failures are logged where they are answered.
        .layer(TraceLayer::new_for_http().make_span_with(span).on_failure(()))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(NormalizePathLayer::trim_trailing_slash());
    // Around the router and not on it, since paths are compared before a router's layers run.
    Ok(Router::new().fallback_service(layers.service(answering)))
}

/// What belongs to one request in the log: without the query, which may carry tokens.
fn span<B>(request: &Request<B>) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let path = request.uri().path();
    tracing::info_span!("request", http.method = %request.method(), http.path = path, http.request.id = id)
}

/// Serves `router` until `shutdown` is ready, and then until the requests under way are answered.
///
/// # Errors
/// What the operating system says about the listening socket.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let served = axum::serve(listener, router).with_graceful_shutdown(shutdown).await;
    served.map_err(|error| Error::io("serve", error))
}
