//! Settings of the installation, of namespaces and of environments.

use conda_store_core::settings::Settings;
use http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::site::{Site, Who, shown};

async fn put(site: &Site, who: Who, path: &str, changes: &Value) -> Value {
    shown(site.ask(who, Method::PUT, path, Some(changes)).await).await
}

#[tokio::test]
async fn shows_all_settings_to_whoever_may_read_them() {
    let site = Site::new().await;
    let expected = json!(Settings { storage_threshold: 0, ..Settings::default() });
    for (path, readers) in [("/", vec![]), ("/secret/", vec![Who::Developer]), ("/secret/lab/", vec![Who::Developer])] {
        let path = format!("/api/v1/setting{path}");
        for who in readers.into_iter().chain([Who::Admin]) {
            let answer = site.get(who, &path).await;
            assert_eq!(answer["body"], json!({"status": "ok", "data": expected, "message": null}), "{path} {who:?}");
        }
        for who in [Who::Nobody, Who::Viewer] {
            assert_eq!(site.get(who, &path).await["status"], 403, "{path} {who:?}");
        }
    }
    assert_eq!(site.get(Who::Developer, "/api/v1/setting/").await["status"], 403);
    assert_eq!(site.get(Who::Developer, "/api/v1/setting/default/").await["status"], 403);
}

#[tokio::test]
async fn the_nearest_change_counts_and_specifications_follow_it() {
    let site = Site::new().await;
    for (path, packages) in [("/secret/lab/", ["lab"]), ("/secret/", ["secret"]), ("/", ["all"])] {
        let changes = json!({"conda_included_packages": packages});
        let answer = site.as_everybody(&Method::PUT, &format!("/api/v1/setting{path}"), Some(&changes)).await;
        assert_json_snapshot!(format!("change-{}", packages[0]), answer);
    }
    for (namespace, name, expected) in
        [("secret", "lab", "lab"), ("secret", "new", "secret"), ("default", "web", "all")]
    {
        let path = format!("/api/v1/setting/{namespace}/{name}/");
        let settings = site.get(Who::Admin, &path).await;
        assert_eq!(settings["body"]["data"]["conda_included_packages"], json!([expected]));
        let build = site.submit(namespace, name).await;
        let stored = site.store.catalogue().specification_of(build.id).await.unwrap().unwrap();
        assert_eq!(stored.spec["dependencies"], json!(["python", expected]));
    }
}

#[tokio::test]
async fn says_what_is_wrong_with_a_change() {
    let site = Site::new().await;
    for (name, path, changes) in [
        ("unknown", "/", json!({"conda_chanels": []})),
        ("wrong-type", "/", json!({"conda_max_solve_time": "long"})),
        ("wrong-content", "/secret/", json!({"conda_default_channels": ["a b"]})),
        ("global", "/secret/", json!({"storage_threshold": 1, "conda_flags": ""})),
        ("global-environment", "/secret/lab/", json!({"default_uid": 1})),
        ("configured", "/", json!({"run_link_scripts": true})),
        ("no-object", "/", json!([])),
    ] {
        let path = format!("/api/v1/setting{path}");
        let before = site.get(Who::Admin, &path).await;
        assert_json_snapshot!(format!("setting-{name}"), put(&site, Who::Admin, &path, &changes).await);
        assert_eq!(site.get(Who::Admin, &path).await, before, "nothing is changed where one thing is wrong");
    }
    let nowhere = put(&site, Who::Admin, "/api/v1/setting/%20/", &json!({})).await;
    assert_eq!(nowhere["status"], 404);
}
