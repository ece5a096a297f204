//! Deleting builds and environments.

use conda_store_core::model::BuildId;
use http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::site::{Site, Who, shown};

async fn delete(site: &Site, who: Who, path: &str) -> Value {
    shown(site.ask(who, Method::DELETE, path, None).await).await
}

#[tokio::test]
async fn deletes_a_build_that_nobody_needs() {
    let site = Site::new().await;
    assert_json_snapshot!("current", delete(&site, Who::Admin, "/api/v1/build/2/").await);
    assert_json_snapshot!("waiting", delete(&site, Who::Admin, "/api/v1/build/3/").await);
    assert_eq!(site.ask(Who::Admin, Method::PUT, "/api/v1/build/3/cancel/", None).await.status(), 200);
    assert_json_snapshot!("delete", site.as_everybody(&Method::DELETE, "/api/v1/build/3/", None).await);
    assert_json_snapshot!("delete-missing", site.as_everybody(&Method::DELETE, "/api/v1/build/4/", None).await);

    let builds = site.get(Who::Admin, "/api/v1/build/").await;
    assert_eq!(builds["body"]["count"], 3, "deleted builds are listed");
    let deleted = site.store.catalogue().build(BuildId(3)).await.unwrap().unwrap();
    assert!(deleted.deleted_on.is_some());
}

#[tokio::test]
async fn deletes_an_environment_with_its_builds() {
    let site = Site::new().await;
    let path = "/api/v1/environment/secret/lab/";
    assert_json_snapshot!("environment", site.as_everybody(&Method::DELETE, path, None).await);
    assert_eq!(site.get(Who::Admin, path).await["status"], 404);
    assert_eq!(site.get(Who::Admin, "/api/v1/environment/").await["body"]["count"], 1);
    assert_eq!(site.get(Who::Admin, "/api/v1/build/3/").await["body"]["data"]["status"], "CANCELED");
    let unfinished = site.store.catalogue().unfinished_deletions(None, 10).await.unwrap();
    assert_eq!(json!(unfinished), json!([2, 3]));
    assert_eq!(delete(&site, Who::Admin, path).await["status"], 404);
}
