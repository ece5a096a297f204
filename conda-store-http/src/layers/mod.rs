//! What happens to every request and every answer, whatever the route.

mod compression;
mod cors;
mod log;
mod measure;
mod panic;
mod request_id;

use axum::Router;
use conda_store_core::Result;
use tower::ServiceBuilder;
use tower_http::normalize_path::NormalizePathLayer;

pub(crate) use self::measure::measure;
use crate::HttpOptions;

/// `routes` with everything around it; the first layer here is the first that a request meets.
pub(crate) fn around(routes: Router, options: &HttpOptions) -> Result<Router> {
    let layers = ServiceBuilder::new()
        .layer(request_id::sensible())
        .layer(request_id::set())
        .layer(log::requests())
        .layer(request_id::propagate())
        .layer(cors::layer(options)?)
        .layer(compression::weak_tags())
        .layer(compression::layer())
        .layer(panic::contained())
        .layer(NormalizePathLayer::trim_trailing_slash());
    // Around the router and not on it, since paths are compared before a router's layers run.
    Ok(Router::new().fallback_service(layers.service(routes)))
}
