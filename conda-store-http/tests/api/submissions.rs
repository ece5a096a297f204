//! Asking for builds.

use http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::site::{Site, Who, shown};

const PATH: &str = "/api/v1/specification/";

async fn post(site: &Site, who: Who, body: &Value) -> Value {
    shown(site.ask(who, Method::POST, PATH, Some(body)).await).await
}

#[tokio::test]
async fn takes_a_specification_of_whoever_may_create() {
    let site = Site::new().await;
    let body = json!({"namespace": "secret", "specification": "name: new\ndependencies: [python]\n"});
    assert_json_snapshot!(site.as_everybody(&Method::POST, PATH, Some(&body)).await);
    let build = site.get(Who::Developer, "/api/v1/build/4/").await;
    assert_eq!(build["body"]["data"]["status"], "QUEUED");
    assert_eq!(build["body"]["data"]["specification"]["name"], "new");
    assert_eq!(site.store.queue().depth().await.unwrap().ready, 5);
}

#[tokio::test]
async fn a_build_shows_the_channels_in_the_order_it_was_given() {
    let site = Site::new().await;
    let mut specifications = Vec::new();
    for channels in [json!(["main", "conda-forge"]), json!(["conda-forge", "main"])] {
        let text = format!("{{name: new, channels: {channels}, dependencies: [python]}}");
        let submitted = post(&site, Who::Developer, &json!({"namespace": "secret", "specification": text})).await;
        let id = &submitted["body"]["data"]["build_id"];
        let build = site.get(Who::Developer, &format!("/api/v1/build/{id}/")).await;
        assert_eq!(build["body"]["data"]["specification"]["spec"]["channels"], channels);
        specifications.push(build["body"]["data"]["specification"]["id"].clone());
    }
    assert_eq!(specifications[0], specifications[1]);
}

#[tokio::test]
async fn a_new_namespace_needs_leave_of_its_own() {
    let site = Site::new().await;
    let body = json!({"namespace": "new", "specification": "name: web\n"});
    assert_json_snapshot!(site.as_everybody(&Method::POST, PATH, Some(&body)).await);
    assert_eq!(site.get(Who::Admin, "/api/v1/namespace/new/").await["status"], 200);
}

#[tokio::test]
async fn without_a_namespace_it_is_the_callers_own() {
    let site = Site::new().await;
    for namespace in [json!({}), json!({"namespace": ""}), json!({"namespace": null})] {
        let mut body = namespace;
        body["specification"] = "name: own\n".into();
        assert_eq!(post(&site, Who::Developer, &body).await["status"], 200, "{body}");
    }
    assert_eq!(site.get(Who::Developer, "/api/v1/environment/secret/own/").await["status"], 200);
}

#[tokio::test]
async fn says_what_is_wrong_with_a_submission() {
    let site = Site::new().await;
    for (name, body) in [
        ("nothing", json!({})),
        ("no-mapping", json!({"specification": "just words"})),
        ("no-yaml", json!({"specification": "name: [1, 2"})),
        ("unknown-key", json!({"specification": "name: x\ndependancies: []\n"})),
        ("bad-name", json!({"specification": "name: a/b\n"})),
        ("bad-namespace", json!({"namespace": "..", "specification": "name: x\n"})),
        ("lockfile-without-name", json!({"is_lockfile": true, "specification": "{}"})),
        ("no-lockfile", json!({"is_lockfile": true, "environment_name": "x", "specification": "{}"})),
        ("wrong-type", json!({"specification": ["name"]})),
    ] {
        assert_json_snapshot!(format!("submission-{name}"), post(&site, Who::Admin, &body).await);
    }
}

#[tokio::test]
async fn takes_a_lockfile() {
    let site = Site::new().await;
    let lockfile = json!({
        "version": 1,
        "metadata": {
            "content_hash": {"linux-64": "00".repeat(32)}, "channels": [{"url": "conda-forge", "used_env_vars": []}],
            "platforms": ["linux-64"], "sources": [],
        },
        "package": [],
    });
    let body = json!({
        "namespace": "secret", "is_lockfile": true, "specification": lockfile.to_string(),
        "environment_name": "locked", "environment_description": "as it was",
    });
    assert_eq!(
        post(&site, Who::Developer, &body).await,
        json!({
            "status": 200, "body": {"status": "ok", "data": {"build_id": 4}, "message": null},
        })
    );
    let environment = site.get(Who::Developer, "/api/v1/environment/secret/locked/").await;
    assert_eq!(environment["body"]["data"]["description"], "as it was");
}
