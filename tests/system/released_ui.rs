//! The web interface of conda-store as npm has it, version 2024.11.1, in a browser against the running server. Its files come
//! from another origin than the API.

use std::{path::Path, process::Stdio, time::Duration};

use axum::{Router, response::Html};
use conda_store_examples::demo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, process::Command};
use tower_http::services::ServeDir;

use crate::support::{Site, file_url, specification};

const LIMIT: Duration = Duration::from_mins(3);

/// The program that drives the browser.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/system/released_ui.mjs");

/// The page of the interface at every path, as its own router expects it, which finds the API at `api`.
fn pages(files: &Path, api: &str) -> Router {
    let configuration = json!({
        "REACT_APP_API_URL": format!("{api}/"),
        "REACT_APP_AUTH_METHOD": "cookie",
        "REACT_APP_LOGIN_PAGE_URL": format!("{api}/login/?next="),
        "REACT_APP_LOGOUT_PAGE_URL": format!("{api}/logout/?next=/"),
        "REACT_APP_STYLE_TYPE": "green-accent",
        "REACT_APP_SHOW_AUTH_BUTTON": "true",
        "REACT_APP_ROUTER_TYPE": "browser",
        "REACT_APP_URL_BASENAME": "/ui",
    });
    let page = format!(
        "<!doctype html><html><head><title>conda-store</title><link rel=\"icon\" href=\"data:,\">\
         <script>var condaStoreConfig = {configuration};</script><script defer src=\"/static/main.js\"></script>\
         <link href=\"/static/main.css\" rel=\"stylesheet\"></head><body></body></html>"
    );
    Router::new().nest_service("/static", ServeDir::new(files)).fallback(async move || Html(page))
}

/// Runs the script, and answers what it saw.
async fn drive(wish: &Value) -> Value {
    let mut node = Command::new("node");
    node.arg(SCRIPT).arg(wish.to_string()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, node.output()).await.expect("the browser comes to an end").unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("the browser said nothing: {complained}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_looks_around_and_makes_an_environment() {
    let service = conda_store_core::testing::service;
    let (Some(ui), Some(chromium)) = (service("conda_store_ui"), service("chromium")) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let directory = tempfile::tempdir().unwrap();
    let channel = directory.path().join("channel");
    Box::pin(demo::channel::write(&channel, demo::packages())).await.unwrap();
    let channel = file_url(&channel);
    let site =
        Site::new(None, "").unwrap().with_server_options(&format!("  cors_allow_origins: ['{origin}']\n")).unwrap();
    let (_server, api) = site.server(&["--standalone"]).await.unwrap();
    let router = pages(&Path::new(&ui).join("package/dist"), &api.url("").replace("127.0.0.1", "localhost"));
    let pages = tokio::spawn(async move { axum::serve(listener, router).await });
    let package = "conda-store-demo-hello";
    let first = api.submit("default", &specification("first", &channel, &[package])).await.unwrap();
    api.completed(first, LIMIT).await.unwrap();

    let profile = tempfile::tempdir().unwrap();
    let seen = drive(&json!({
        "ui": ui,
        "chromium": chromium,
        "profile": profile.path(),
        "page": format!("{origin}/ui/"),
        "environment": "first",
        "channel": channel,
        "package": package,
    }))
    .await;
    pages.abort();

    let kept = || format!("{seen:#}\nscreenshots are in {}", profile.keep().display());
    assert!(seen["failed"].is_null(), "{}", kept());
    assert_eq!((&seen["refused"], &seen["broken"]), (&json!([]), &json!([])));
    let id = seen["build"].as_i64().unwrap();
    let build = api.build(id).await.unwrap();
    assert_eq!((&build["status"], &build["specification"]["name"]), (&"COMPLETED".into(), &"made".into()));
    let log = seen["log"].as_str().unwrap();
    assert!(log.contains("link took"), "{log}");
    let lockfile: Value = serde_json::from_str(seen["lockfile"].as_str().unwrap()).unwrap();
    assert_eq!(lockfile["package"].as_array().unwrap().len(), 2, "{lockfile}");
}
