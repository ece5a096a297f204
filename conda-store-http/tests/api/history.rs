//! The history of environments, the way back, and what builds have otherwise.

use http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::site::{Site, Who, shown};

const HISTORY: &str = "/api/v2/environment/secret/lab/history/";
const ROLLBACK: &str = "/api/v2/environment/secret/lab/rollback/";

async fn roll_back(site: &Site, who: Who, body: Value) -> Value {
    shown(site.ask(who, Method::POST, ROLLBACK, Some(&body)).await).await
}

fn ids(answer: &Value) -> Vec<(i64, bool)> {
    let builds = answer["body"]["data"].as_array().unwrap();
    builds.iter().map(|build| (build["id"].as_i64().unwrap(), build["is_current"].as_bool().unwrap())).collect()
}

#[tokio::test]
async fn an_environment_goes_back_to_what_it_was() {
    let site = Site::new().await;
    assert_json_snapshot!("history", site.get_as_everybody(HISTORY).await);
    let refusal = roll_back(&site, Who::Developer, json!({})).await;
    assert_eq!(refusal["body"]["message"], "the environment has no earlier completed build");
    for _ in 0..2 {
        let build = site.submit("secret", "lab").await;
        site.complete(&build).await;
    }
    assert_eq!(ids(&site.get(Who::Viewer, HISTORY).await), [(5, true), (4, false), (2, false)]);

    assert_json_snapshot!("rollback", roll_back(&site, Who::Developer, json!({})).await);
    assert_eq!(ids(&site.get(Who::Viewer, HISTORY).await), [(5, false), (4, true), (2, false)]);
    roll_back(&site, Who::Developer, json!({"build_id": 2})).await;
    let first = site.get(Who::Viewer, &format!("{HISTORY}?limit=2")).await;
    let cursor = first["body"]["cursor"].as_str().unwrap();
    let second = site.get(Who::Viewer, &format!("{HISTORY}?limit=2&cursor={cursor}")).await;
    assert_eq!((ids(&first), ids(&second)), (vec![(5, false), (4, false)], vec![(2, true)]));

    for (name, body) in [
        ("newer", json!({"build_id": 4})),
        ("of-another", json!({"build_id": 1})),
        ("too-large", json!({"build_id": i64::MAX})),
        ("no-integer", json!({"build_id": "two"})),
    ] {
        assert_json_snapshot!(format!("rollback-{name}"), roll_back(&site, Who::Developer, body).await);
    }
    for who in [Who::Nobody, Who::Viewer] {
        assert_eq!(roll_back(&site, who, json!({})).await["status"], 403, "{who:?}");
    }
}

#[tokio::test]
async fn two_builds_are_compared() {
    let site = Site::new().await;
    assert_json_snapshot!("difference", site.get_as_everybody("/api/v2/build/3/diff/2/").await);
    let same = site.get(Who::Viewer, "/api/v2/build/1/diff/2/").await;
    assert_eq!(same["body"]["data"], json!({"added": [], "removed": [], "changed": []}));
    for (path, status) in [("1/diff/99", 404), ("99/diff/1", 404), ("1/diff/one", 422), ("one/diff/1", 422)] {
        assert_eq!(site.get(Who::Admin, &format!("/api/v2/build/{path}/")).await["status"], status, "{path}");
    }
    assert_eq!(site.get(Who::Nobody, "/api/v2/build/1/diff/2/").await["status"], 403);
}
