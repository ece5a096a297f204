//! A defect in one handler is one failed request.

use std::any::Any;

use axum::response::{IntoResponse, Response};
use conda_store_core::Error;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::Failure;

/// Answers a panic as any other failure of the service.
pub(super) fn contained() -> CatchPanicLayer<fn(Box<dyn Any + Send>) -> Response> {
    CatchPanicLayer::custom(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Failure::from(Error::unexpected("answer request", text.unwrap_or("a handler panicked"))).into_response()
    })
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use http::{Request, StatusCode};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use crate::{HttpOptions, layers::around};

    #[tokio::test]
    async fn a_defect_is_one_failed_request() {
        async fn defect() {
            assert_eq!(1, 2, "a secret of the inside");
        }
        let routes = Router::new().route("/defect", get(defect)).route("/", get(async || "fine"));
        let routes = around(routes, &HttpOptions::default()).unwrap();
        let ask = async |path| routes.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();

        let answer = ask("/defect").await;

        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()["x-request-id"].len(), 36);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let message = "internal error; the server's log tells more under this request's id";
        assert_eq!(body, format!("{{\"status\":\"error\",\"message\":\"{message}\"}}"));
        assert_eq!(ask("/").await.status(), StatusCode::OK);
    }
}
