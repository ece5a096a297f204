//! Where things are: prefixes, slashes, health, and what belongs to every answer.

use axum::body::Body;
use conda_store_http::{HttpOptions, router, serve};
use http::{Method, Request};
use insta::assert_json_snapshot;
use serde_json::json;
use tokio::{net::TcpListener, sync::oneshot};

use crate::site::{Site, Who, shown};

#[tokio::test]
async fn answers_with_and_without_trailing_slash() {
    let site = Site::new().await;
    for path in ["/api/v1", "/api/v1/build", "/api/v1/build/1", "/api/v1/environment/default/web", "/health/ready"] {
        let plain = site.get(Who::Nobody, path).await;
        assert_eq!(plain["status"], 200, "{path}");
        assert_eq!(site.get(Who::Nobody, &format!("{path}/")).await, plain, "{path}/");
    }
}

#[tokio::test]
async fn everything_lies_below_the_prefix() {
    let options = HttpOptions { url_prefix: "/conda-store/".into(), ..HttpOptions::default() };
    let site = Site::empty(options).await;
    for path in ["/conda-store/api/v1/", "/conda-store/api/v1", "/conda-store/health/live", "/conda-store/login/"] {
        assert_eq!(site.get(Who::Nobody, path).await["status"], 200, "{path}");
    }
    for path in ["/", "/conda-store", "/conda-store/"] {
        assert_eq!(site.get(Who::Nobody, path).await["status"], 200, "{path}");
    }
    for path in ["/api/v1/", "/conda-store-x/api/v1/", "/health/live"] {
        assert_eq!(site.get(Who::Nobody, path).await["status"], 404, "{path}");
    }
    let onward = shown(site.ask(Who::Nobody, Method::POST, "/conda-store/logout/", None).await).await;
    assert_eq!(onward["body"]["data"]["redirect_url"], "/conda-store/");
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let site = Site::new().await;
    for prefix in ["conda", "/a//b", "/../a", "/a b", "/{a}", "/*a", "/a?b"] {
        let options = HttpOptions { url_prefix: prefix.into(), ..HttpOptions::default() };
        assert!(router(site.store.clone(), options).is_err(), "{prefix}");
    }
    for options in [
        HttpOptions { max_page_size: 0, ..HttpOptions::default() },
        HttpOptions { cors_allow_origin_regex: "(".into(), ..HttpOptions::default() },
        HttpOptions { cors_allow_origins: vec!["example.org".into()], ..HttpOptions::default() },
        HttpOptions { cors_allow_origins: vec!["https://example.org/path".into()], ..HttpOptions::default() },
        HttpOptions { cors_allow_origins: vec!["*".into()], ..HttpOptions::default() },
    ] {
        assert!(router(site.store.clone(), options.clone()).is_err(), "{options:?}");
    }
}

#[tokio::test]
async fn tells_its_version_and_health() {
    let site = Site::new().await;
    let status = site.get(Who::Nobody, "/api/v1/").await;
    let data = json!({"version": env!("CARGO_PKG_VERSION")});
    assert_eq!(status, json!({"status": 200, "body": {"status": "ok", "data": data, "message": null}}));
    assert_json_snapshot!("alive", site.get(Who::Nobody, "/health/live").await);
    site.store.catalogue().database().close().await;
    assert_json_snapshot!("not-ready", site.get(Who::Nobody, "/health/ready").await);
    assert_eq!(site.get(Who::Nobody, "/health/live").await["status"], 200);
}

#[tokio::test]
async fn every_answer_has_an_id() {
    let site = Site::new().await;
    for path in ["/api/v1/", "/nothing"] {
        let response = site.ask(Who::Nobody, Method::GET, path, None).await;
        assert_eq!(response.headers()["x-request-id"].len(), 36, "{path}");
    }
    let asked_as = async |id: &[u8]| {
        let request = Request::builder().uri("/api/v1/").header("x-request-id", id).body(Body::empty());
        site.send(request.unwrap()).await.headers()["x-request-id"].clone()
    };
    assert_eq!(asked_as(b"mine").await, "mine");
    for id in [&b""[..], b"two words", b"\xff", &[b'x'; 129]] {
        assert_eq!(asked_as(id).await.len(), 36, "{id:?}");
    }
}

#[tokio::test]
async fn a_part_that_is_switched_off_is_not_there() {
    let options = HttpOptions { enable_api: false, ..HttpOptions::default() };
    let site = Site::empty(options).await;
    for path in ["/api/v1/", "/api/v1/build/", "/api/v2/environment/"] {
        assert_eq!(site.get(Who::Nobody, path).await["status"], 404, "{path}");
    }
    assert_eq!(site.get(Who::Nobody, "/health/ready").await["status"], 200);
}

#[tokio::test]
async fn a_head_request_gets_the_headers_alone() {
    let site = Site::new().await;
    for path in ["/api/v1/", "/api/v1/environment/?page=1/", "/api/v1/build/1/logs/", "/openapi.json", "/login/"] {
        let whole = site.ask(Who::Nobody, Method::GET, path, None).await;
        let head = site.ask(Who::Nobody, Method::HEAD, path, None).await;
        assert_eq!(head.status(), whole.status(), "{path}");
        for name in ["content-type", "content-length"] {
            assert_eq!(head.headers().get(name), whole.headers().get(name), "{path}");
        }
        assert_eq!(shown(head).await["body"], "", "{path}");
    }
}

#[tokio::test]
async fn serves_until_it_is_told_to_stop() {
    let site = Site::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let router = router(site.store.clone(), HttpOptions::default()).unwrap();
    let serving = tokio::spawn(serve(listener, router, async move {
        let _told = stopped.await;
    }));
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut connection, request).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut connection, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn tells_readers_of_namespaces_what_they_have() {
    let site = Site::new().await;
    assert_json_snapshot!("usage", site.get_as_everybody("/api/v1/usage/").await);
}
