//! Behind a proxy, and without one.

use axum::body::Body;
use conda_store_http::HttpOptions;
use http::{Method, Request, header};
use serde_json::json;

use crate::site::{Site, shown};

/// Where a browser goes after it logged in at a proxy, and the cookie it keeps.
async fn logged_in(behind_proxy: bool, forwarded: [&str; 2], next: &str) -> (String, String) {
    let site = Site::empty(HttpOptions { behind_proxy, ..HttpOptions::default() }).await;
    let credentials = json!({"username": "alice", "password": "password"}).to_string();
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/login/?next={next}"))
        .header(header::HOST, "10.0.0.1:8080")
        .header("x-forwarded-proto", forwarded[0])
        .header("x-forwarded-host", forwarded[1]);
    let answer = site.send(request.body(Body::from(credentials)).unwrap()).await;
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    let onward = shown(answer).await["body"]["data"]["redirect_url"].as_str().unwrap().to_owned();
    (onward, cookie)
}

#[tokio::test]
async fn what_a_proxy_says_counts_only_where_there_is_one() {
    let next = "https://envs.example/ui/";
    for forwarded in [["https", "envs.example"], ["https, http", "envs.example, inner.example"]] {
        let (onward, cookie) = logged_in(true, forwarded, next).await;
        assert_eq!(onward, "/ui/");
        assert!(cookie.contains("; Secure"), "{cookie}");
        let (onward, cookie) = logged_in(false, forwarded, next).await;
        assert_eq!(onward, "/");
        assert!(!cookie.contains("; Secure"), "{cookie}");
    }
    let (onward, cookie) = logged_in(true, ["http", "envs.example"], next).await;
    assert_eq!((onward.as_str(), cookie.contains("; Secure")), ("/", false));
}
