//! Logging in and out, and what somebody may do then.

use axum::{body::Body, response::Response};
use http::{Method, Request, header};
use insta::assert_json_snapshot;
use serde_json::json;
use url::form_urlencoded::byte_serialize;

use crate::site::{Site, Who, shown};

fn cookie(response: &Response) -> &str {
    response.headers()[header::SET_COOKIE].to_str().unwrap()
}

#[tokio::test]
async fn says_who_asks_and_what_they_may_do() {
    let site = Site::new().await;
    assert_json_snapshot!(site.get_as_everybody("/api/v1/permission/").await);
}

#[tokio::test]
async fn shows_the_login_form() {
    let site = Site::new().await;
    let response = site.ask(Who::Nobody, Method::GET, "/login/?next=/x", None).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(shown(response).await["body"].as_str().unwrap().contains("name=\"password\""));
}

#[tokio::test]
async fn a_login_sets_a_cookie_that_is_recognised() {
    let site = Site::new().await;
    let credentials = json!({"username": "alice", "password": "password"});
    let response = site.ask(Who::Nobody, Method::POST, "/login/?next=/api/v1/", Some(&credentials)).await;
    let set = cookie(&response).to_owned();
    let (token, attributes) = set.split_once(';').unwrap();
    assert_eq!(attributes, " HttpOnly; SameSite=Lax; Path=/; Max-Age=86400");
    let answer = shown(response).await;
    assert_eq!(answer["body"]["data"]["redirect_url"], "/api/v1/");
    let request = Request::builder().uri("/api/v1/permission/").header(header::COOKIE, token);
    let recognised = shown(site.send(request.body(Body::empty()).unwrap()).await).await;
    assert_eq!(recognised["body"]["data"]["primary_namespace"], "alice");
    assert_eq!(recognised["body"]["data"]["expiration"], "2024-05-02T00:03:02.000000");
}

#[tokio::test]
async fn a_failed_login_tells_nothing_of_why() {
    let site = Site::new().await;
    let credentials = json!({"username": "alice", "password": "wrong"});
    let response = site.ask(Who::Nobody, Method::POST, "/login/", Some(&credentials)).await;
    assert!(response.headers().get(header::SET_COOKIE).is_none());
    assert_json_snapshot!(shown(response).await);
}

#[tokio::test]
async fn a_logout_takes_the_cookie_away() {
    let site = Site::new().await;
    let response = site.ask(Who::Admin, Method::POST, "/logout/?next=/", None).await;
    assert_eq!(cookie(&response), "conda-store-auth=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    assert_json_snapshot!(shown(response).await);
}

#[tokio::test]
async fn the_way_on_stays_on_this_host() {
    let site = Site::new().await;
    for (next, expected) in [
        ("/ui/a?b=c%23d#e", "/ui/a?b=c%23d#e"),
        ("http://localhost:8080/ui/x", "/ui/x"),
        ("ui", "/ui"),
        ("", "/"),
        ("http://localhost/ui/", "/"),
        ("https://localhost:8080/ui/", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("http://localhost:8080//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
    ] {
        let next: String = byte_serialize(next.as_bytes()).collect();
        let path = format!("/logout/?next={next}");
        let answer = shown(site.ask(Who::Nobody, Method::POST, &path, None).await).await;
        assert_eq!(answer["body"]["data"]["redirect_url"], expected, "{next}");
    }
}

#[tokio::test]
async fn a_bad_token_counts_as_none() {
    let site = Site::new().await;
    for value in ["Bearer x.y.z", "Basic !!!", "Bearer", "x", "Bearer \u{e4}"] {
        let request = Request::builder().uri("/api/v1/environment/secret/lab/");
        let request = request.header(header::AUTHORIZATION, value).header(header::COOKIE, "conda-store-auth=rubbish");
        let answer = shown(site.send(request.body(Body::empty()).unwrap()).await).await;
        assert_eq!(answer["status"], 403, "{value}");
    }
}

#[tokio::test]
async fn basic_authentication_takes_the_token_as_password() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let site = Site::new().await;
    let basic = STANDARD.encode(format!("anybody:{}", site.token(Who::Viewer).unwrap()));
    let request = Request::builder().uri("/api/v1/environment/secret/lab/");
    let request = request.header(header::AUTHORIZATION, format!("Basic {basic}"));
    assert_eq!(site.send(request.body(Body::empty()).unwrap()).await.status(), 200);
}
