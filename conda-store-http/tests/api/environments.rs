//! Environments, namespaces and channels.

use http::{Method, header};
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::site::{LOCKFILE, Site, Who, shown};

#[tokio::test]
async fn lists_the_environments_that_may_be_read() {
    let site = Site::new().await;
    assert_json_snapshot!(site.get_as_everybody("/api/v1/environment/").await);
    let response = site.ask(Who::Nobody, Method::GET, "/api/v1/environment/", None).await;
    assert_eq!(response.headers()["deprecation"], "True");
    assert_eq!(response.headers()["sunset"], "Fri, 31 Dec 2027 23:59:59 GMT");
}

fn names(answer: &Value) -> Vec<&str> {
    let data = answer["body"]["data"].as_array().unwrap();
    data.iter().map(|environment| environment["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lists_environments_as_asked() {
    let site = Site::new().await;
    for version in ["v1", "v2"] {
        for (query, expected) in [
            ("", vec!["web", "lab"]),
            ("?search=", vec!["web", "lab"]),
            ("?search=LA", vec!["lab"]),
            ("?namespace=secret", vec!["lab"]),
            ("?name=web/", vec!["web"]),
            ("?status=COMPLETED&artifact=LOGS&packages=numpy/", vec!["web", "lab"]),
            ("?status=FAILED", vec![]),
            ("?packages=absent", vec![]),
            ("?sort_by=name", vec!["lab", "web"]),
            ("?sort_by=name&order=desc", vec!["web", "lab"]),
        ] {
            let answer = site.get(Who::Admin, &format!("/api/{version}/environment{query}")).await;
            assert_eq!(names(&answer), expected, "{version} {query}");
        }
    }
}

#[tokio::test]
async fn a_token_narrows_a_list_down_and_never_widens_it() {
    let site = Site::new().await;
    let viewer = site.token(Who::Viewer).unwrap();
    let admin = site.token(Who::Admin).unwrap();
    for (who, token, expected) in [
        (Who::Admin, viewer.as_str(), vec!["web", "lab"]),
        (Who::Nobody, &admin, vec!["web"]),
        (Who::Viewer, &admin, vec!["web", "lab"]),
        (Who::Admin, "nonsense", vec!["web"]),
        (Who::Admin, "%0a", vec!["web"]),
    ] {
        let answer = site.get(who, &format!("/api/v1/environment/?jwt={token}")).await;
        assert_eq!(names(&answer), expected, "{who:?}");
    }
}

#[tokio::test]
async fn walks_through_environments_by_cursor() {
    let site = Site::new().await;
    let first = site.get(Who::Admin, "/api/v2/environment/?limit=1").await;
    assert_eq!((names(&first), &first["body"]["count"]), (vec!["web"], &json!(2)));
    let cursor = first["body"]["cursor"].as_str().unwrap();
    let second = site.get(Who::Admin, &format!("/api/v2/environment/?limit=1&cursor={cursor}")).await;
    assert_json_snapshot!("last-piece", second);
    let other_order = format!("/api/v2/environment/?sort_by=name&cursor={cursor}");
    assert_json_snapshot!("cursor-of-another-list", site.get(Who::Admin, &other_order).await);
}

#[tokio::test]
async fn shows_an_environment() {
    let site = Site::new().await;
    assert_json_snapshot!("environment", site.get_as_everybody("/api/v1/environment/secret/lab/").await);
    assert_json_snapshot!("no-environment", site.get_as_everybody("/api/v1/environment/secret/missing/").await);
}

#[tokio::test]
async fn gives_the_lockfile_of_the_current_build() {
    let site = Site::new().await;
    assert_json_snapshot!(site.get_as_everybody("/api/v1/environment/secret/lab/lockfile/").await);
    for name in ["conda-lock.yml", "conda-lock.yaml"] {
        let answer = site.get(Who::Viewer, &format!("/api/v1/environment/secret/lab/{name}")).await;
        let lockfile: Value = serde_json::from_str(LOCKFILE).unwrap();
        assert_eq!(answer, json!({"status": 200, "body": lockfile}), "{name}");
    }
    site.submit("secret", "new").await;
    assert_json_snapshot!("no-build", site.get(Who::Viewer, "/api/v1/environment/secret/new/lockfile/").await);
}

#[tokio::test]
async fn changes_an_environment() {
    let site = Site::new().await;
    let change = json!({"build_id": 2, "description": "of the lab"});
    let path = "/api/v1/environment/secret/lab/";
    assert_json_snapshot!("change", site.as_everybody(&Method::PUT, path, Some(&change)).await);
    let environment = site.get(Who::Viewer, path).await;
    assert_eq!(environment["body"]["data"]["description"], "of the lab");
    for (name, change) in [
        ("not-completed", json!({"build_id": 3})),
        ("of-another", json!({"build_id": 1})),
        ("unknown", json!({"build_id": 99})),
        ("too-large", json!({"build_id": i64::MAX})),
        ("no-integer", json!({"build_id": "two"})),
    ] {
        let answer = shown(site.ask(Who::Developer, Method::PUT, path, Some(&change)).await).await;
        assert_json_snapshot!(format!("change-{name}"), answer);
    }
    let missing = "/api/v1/environment/secret/missing/";
    assert_json_snapshot!("change-missing", site.as_everybody(&Method::PUT, missing, Some(&change)).await);
}

#[tokio::test]
async fn shows_namespaces() {
    let site = Site::new().await;
    assert_json_snapshot!("namespaces", site.get_as_everybody("/api/v1/namespace/").await);
    assert_json_snapshot!("namespace", site.get_as_everybody("/api/v1/namespace/secret/").await);
    assert_json_snapshot!("no-namespace", site.get_as_everybody("/api/v1/namespace/missing/").await);
    let descending = site.get(Who::Admin, "/api/v1/namespace/?order=desc&size=1").await;
    assert_eq!(descending["body"]["data"][0]["name"], "secret");
}

#[tokio::test]
async fn lists_channels() {
    let site = Site::new().await;
    assert_json_snapshot!(site.get_as_everybody("/api/v1/channel/").await);
    assert_eq!(site.get(Who::Nobody, "/api/v1/channel/?page=2").await["body"]["data"], json!([]));
    let response = site.ask(Who::Nobody, Method::GET, "/api/v1/channel/", None).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
}

#[tokio::test]
async fn searches_packages() {
    let site = Site::new().await;
    assert_json_snapshot!("package-search", site.get_as_everybody("/api/v1/package/?search=NUM").await);
    for (query, expected) in [
        ("", vec!["numpy", "python"]),
        ("?search=num&exact=true", vec![]),
        ("?search=numpy&exact=true&distinct_on=version&order=desc&sort_by=version/", vec!["numpy"]),
        ("?distinct_on=name&order=desc&size=1", vec!["python"]),
        ("?distinct_on=channel&distinct_on=nonsense&sort_by=build", vec!["numpy"]),
        ("?build=1", vec![]),
        ("?page=2", vec![]),
    ] {
        let answer = site.get(Who::Nobody, &format!("/api/v1/package{query}")).await;
        assert_eq!(names(&answer), expected, "{query}");
    }
    assert_eq!(site.get(Who::Nobody, "/api/v1/package/?page=0").await["status"], 422);
}
