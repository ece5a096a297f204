//! Routes put together, and served.

use std::future::Future;

use axum::{Extension, Router, extract::DefaultBodyLimit, middleware::from_fn_with_state, routing::get};
use conda_store_core::{CondaStore, Error, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{HttpOptions, error, face::Face, layers, openapi, routes};

/// The HTTP face of `store`: everything below [`HttpOptions::url_prefix`], every path with and without a trailing slash.
///
/// # Errors
/// [`Invalid`](conda_store_core::ErrorKind::Invalid) where `store` has no authenticator or no authorizer, or an option is
/// wrong.
pub fn router(store: CondaStore, options: HttpOptions) -> Result<Router> {
    let face = Face::new(store, options)?;
    let (prefix, limit) = (face.prefix(), face.options().body_limit);
    let (described, document) = routes::all(face.options()).split_for_parts();
    let documentation = routes::documentation::router(&face, &openapi::completed(document, &face))?;
    let routes = described
        .merge(documentation)
        .layer(DefaultBodyLimit::max(limit))
        .layer(from_fn_with_state(face.clone(), layers::measure))
        .with_state(face.clone());
    let placed = if prefix.is_empty() {
        routes
    } else {
        Router::new().route("/", get(routes::root::handle)).nest(prefix, routes)
    };
    let answering = placed.fallback(error::no_such_path).method_not_allowed_fallback(error::no_such_method);
    layers::around(answering, face.options())
}

/// Fires when the server is told to stop: for answers that would go on. Requests that were not made to
/// [`serve`](crate::serve) have none.
#[derive(Clone, Debug)]
pub(crate) struct Closing(pub(crate) CancellationToken);

/// Serves `router` until `shutdown` is ready, and then until the requests under way are answered. Streams of events end
/// then: their clients come back to whoever serves next.
///
/// # Errors
/// What the operating system says about the listening socket.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let closing = CancellationToken::new();
    let router = router.layer(Extension(Closing(closing.clone())));
    let shutdown = async move {
        shutdown.await;
        closing.cancel();
    };
    let served = axum::serve(listener, router).with_graceful_shutdown(shutdown).await;
    served.map_err(|error| Error::io("serve", error))
}
