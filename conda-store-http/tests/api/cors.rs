//! Pages of other origins.

use axum::body::Body;
use conda_store_http::HttpOptions;
use http::{HeaderMap, Method, Request, header};

use crate::site::Site;

async fn asked(site: &Site, origin: &str) -> HeaderMap {
    let request = Request::builder().uri("/api/v1/").header(header::ORIGIN, origin).body(Body::empty());
    site.send(request.unwrap()).await.headers().clone()
}

/// Whether pages of `origin` may use the API, and whether they may with credentials.
async fn allowed(options: HttpOptions, origin: &str) -> (bool, bool) {
    let headers = asked(&Site::empty(options).await, origin).await;
    let allowed = headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    assert!(allowed.is_none_or(|allowed| allowed == origin), "{allowed:?}");
    assert!(headers.get_all(header::VARY).iter().any(|vary| vary.to_str().unwrap().contains("origin")), "{headers:?}");
    let trusted = headers.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    (allowed.is_some(), trusted.is_some_and(|value| value == "true"))
}

#[tokio::test]
async fn only_configured_origins_have_credentials() {
    let listed = |origin: &str| HttpOptions { cors_allow_origins: vec![origin.into()], ..HttpOptions::default() };
    let pattern = |regex: &str| HttpOptions { cors_allow_origin_regex: regex.into(), ..HttpOptions::default() };
    for (options, origin, expected) in [
        (HttpOptions::default(), "https://other.example", (true, false)),
        (HttpOptions::default(), "null", (true, false)),
        (pattern(".+"), "https://other.example", (true, false)),
        (pattern("https?://[^/]*"), "https://other.example", (true, false)),
        (pattern(r"https://[a-z]+\.example"), "https://hub.example", (true, true)),
        (pattern(r"https://[a-z]+\.example"), "https://hub.example.evil", (false, false)),
        (pattern(r"https://a\.example|https://b\.example"), "https://x.invalid/https://b.example", (false, false)),
        (pattern(""), "https://other.example", (false, false)),
        (listed("https://hub.example"), "https://hub.example", (true, true)),
        (listed("https://hub.example/"), "https://hub.example", (true, true)),
        (listed("https://hub.example"), "https://hub.example:8443", (true, false)),
        (listed("http://localhost:8000"), "http://localhost:8000", (true, true)),
    ] {
        let named = format!("{options:?} {origin}");
        assert_eq!(allowed(options, origin).await, expected, "{named}");
    }
}

#[tokio::test]
async fn a_browser_that_asks_first_learns_what_it_may_send() {
    let options = HttpOptions { cors_allow_origins: vec!["https://hub.example".into()], ..HttpOptions::default() };
    let site = Site::empty(options).await;
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/api/v1/environment/default/web/")
        .header(header::ORIGIN, "https://hub.example")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    let answer = site.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), 200);
    let headers = answer.headers();
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://hub.example");
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_METHODS], "PUT");
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_HEADERS], "authorization,content-type");
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
    assert_eq!(headers[header::ACCESS_CONTROL_MAX_AGE], "600");
}
