//! What a route is besides what its handler says.

use http::{HeaderName, HeaderValue};
use tower::ServiceBuilder;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::{Deprecated, path::Paths};
use utoipa_axum::router::{UtoipaMethodRouter, UtoipaMethodRouterExt as _};

use crate::{face::Face, openapi::operations};

/// When deprecated routes may disappear (RFC 8594).
const SUNSET: HeaderValue = HeaderValue::from_static("Fri, 31 Dec 2027 23:59:59 GMT");

/// What the header `Deprecation` says; in the form of the original, which clients compare with.
const DEPRECATED: HeaderValue = HeaderValue::from_static("True");

/// The same route at another path, which names the same parameters.
pub(super) fn also_at(path: &str, (schemas, paths, methods): UtoipaMethodRouter<Face>) -> UtoipaMethodRouter<Face> {
    let mut renamed = Paths::new();
    renamed.paths = paths.paths.into_values().map(|item| (path.to_owned(), item)).collect();
    (schemas, renamed, methods)
}

/// A route that will disappear.
pub(super) fn deprecated(mut route: UtoipaMethodRouter<Face>) -> UtoipaMethodRouter<Face> {
    for (_, operation) in route.1.paths.values_mut().flat_map(operations) {
        operation.deprecated = Some(Deprecated::True);
    }
    let header = |name, value| SetResponseHeaderLayer::overriding(HeaderName::from_static(name), value);
    let headers = ServiceBuilder::new().layer(header("deprecation", DEPRECATED)).layer(header("sunset", SUNSET));
    route.layer(headers)
}
