//! Input that makes no sense: a clear answer, and never a failure of the server.

use axum::body::Body;
use conda_store_http::HttpOptions;
use http::{Method, Request};
use insta::assert_json_snapshot;

use crate::site::{Site, Who, shown};

#[tokio::test]
async fn ids_beyond_64_bits_are_no_integers_and_those_beyond_32_nobodys() {
    let site = Site::new().await;
    assert_json_snapshot!("no-integer", site.get(Who::Admin, "/api/v1/build/one/").await);
    for id in ["9223372036854775808", "-9223372036854775809", "1.0", "%20", "1e3", "0x1", "%ff"] {
        let status = site.get(Who::Admin, &format!("/api/v1/build/{id}/")).await["status"].clone();
        assert_eq!(status, if id == "%ff" { 404 } else { 422 }, "{id}");
    }
    for id in ["2147483648", "9223372036854775807", "-1", "0", "-9223372036854775808"] {
        for path in ["", "packages/", "logs/"] {
            let answer = site.get(Who::Admin, &format!("/api/v1/build/{id}/{path}")).await;
            assert_eq!(answer["status"], 404, "{id} {path}");
        }
    }
}

#[tokio::test]
async fn a_query_of_the_wrong_types_is_refused_as_a_whole() {
    let site = Site::new().await;
    let path = "/api/v1/build/?page=0&size=-1&status=DONE&artifact=x&environment_id=one&name=a%20b&namespace=..";
    assert_json_snapshot!("wrong-query", site.get(Who::Nobody, path).await);
    for query in ["page=0", "page=-1", "page=x", "page=1.5", "page=18446744073709551616", "size=0", "size=-5", "size=x"]
    {
        for list in ["v1/environment", "v1/build", "v1/namespace", "v1/channel", "v1/build/1/packages"] {
            let answer = site.get(Who::Admin, &format!("/api/{list}/?{query}")).await;
            assert_eq!(answer["status"], 422, "{list} {query}");
        }
    }
    for query in ["limit=0", "limit=x", "cursor=x", "cursor=00", "cursor=5b5b5d2c315d", "status=x", "artifact=x"] {
        let answer = site.get(Who::Admin, &format!("/api/v2/environment/?{query}")).await;
        assert_eq!(answer["status"], 422, "{query}");
    }
}

#[tokio::test]
async fn paths_and_methods_that_lead_nowhere_answer_json() {
    let site = Site::new().await;
    assert_json_snapshot!("no-path", site.get(Who::Admin, "/api/v1/nothing").await);
    assert_json_snapshot!("no-method", shown(site.ask(Who::Admin, Method::PATCH, "/api/v1/build/", None).await).await);
    for path in
        ["/storage/..%2f..%2fetc%2fpasswd", "/storage/a//b", "/storage/%00", "/api/v1/environment/a%2fb/%2e%2e/"]
    {
        assert_eq!(site.get(Who::Admin, path).await["status"], 404, "{path}");
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_or_too_large_are_refused() {
    let site = Site::empty(HttpOptions { body_limit: 100, ..HttpOptions::default() }).await;
    let post = async |path: &str, body: Vec<u8>| {
        let request = Request::builder().method(Method::POST).uri(path).body(Body::from(body)).unwrap();
        shown(site.send(request).await).await
    };
    for path in ["/login/", "/api/v1/specification/"] {
        for body in [&b""[..], b"{", b"[]", b"null", b"{} {}", b"\xff", b"{\"username\": 1, \"specification\": 1}"] {
            assert_eq!(post(path, body.to_vec()).await["status"], 422, "{path} {body:?}");
        }
        assert_eq!(post(path, vec![b' '; 101]).await["status"], 413);
    }
    assert_json_snapshot!("too-large", post("/login/", vec![b' '; 101]).await);
    assert_json_snapshot!("wrong-body", post("/login/", b"{\"username\": 1}".to_vec()).await);
    assert_json_snapshot!("no-json", post("/login/", b"{".to_vec()).await);
}

#[tokio::test]
async fn nothing_that_is_asked_makes_the_server_fail() {
    let site = Site::new().await;
    let values =
        ["", "%00", "%ff", "%27", "%22", "%25", "*", "%5B", "..", "-1", "%F0%9F%A6%80", "a%2Fb", "null", "1;--"];
    let names =
        ["search", "namespace", "name", "packages", "sort_by", "order", "exact", "build", "jwt", "page", "cursor"];
    let lists = ["v1/environment", "v2/environment", "v1/build", "v1/namespace", "v1/channel", "v1/build/1/packages"];
    for value in values {
        for list in lists {
            let query: Vec<_> = names.iter().map(|name| format!("/api/{list}/?{name}={value}")).collect();
            for path in query {
                let status = site.get(Who::Admin, &path).await["status"].as_u64().unwrap();
                assert!(status < 500, "{path}: {status}");
            }
        }
        for path in [
            "/api/v1/build/V/",
            "/api/v1/namespace/V/",
            "/api/v1/environment/V/V/",
            "/storage/V",
            "/V",
            "/login/?next=V",
        ] {
            let path = path.replace('V', value);
            let answer = site.get(Who::Admin, &path).await;
            assert!(answer["status"].as_u64().unwrap() < 500, "{path}: {answer}");
        }
    }
}
