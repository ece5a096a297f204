//! How long requests take, by route.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

use crate::face::Face;

/// Measures the request. Only for routers whose routes are known by then, so that there is no time series for every path
/// that somebody makes up.
pub(crate) async fn measure(State(face): State<Face>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let begun = Instant::now();
    let response = next.run(request).await;
    if let Some(route) = route {
        let route = route.as_str().strip_prefix(face.prefix()).unwrap_or_default();
        let status = response.status();
        let labels = [method.as_str(), route, status.as_str()];
        face.vitals().metrics().requests.with_label_values(&labels).observe(begun.elapsed().as_secs_f64());
    }
    response
}
