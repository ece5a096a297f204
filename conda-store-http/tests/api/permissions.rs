//! Who may use which route: every one has a row here.

use std::collections::BTreeSet;

use conda_store_http::HttpOptions;
use http::Method;
use serde_json::{Value, json};

use crate::{
    openapi::{document, routes},
    site::{Site, Who},
};

/// Those who ask, in the order of the columns.
const CALLERS: [Who; 5] = [Who::Nobody, Who::Viewer, Who::Developer, Who::Admin, Who::Stranger];

/// Everybody gets the same.
const ANYBODY: [u16; 5] = [200; 5];

/// In the namespace `secret`, with the role `viewer` or more.
const READERS: [u16; 5] = [403, 200, 200, 200, 403];

/// In the namespace `secret`, with the role `developer` or more.
const BUILDERS: [u16; 5] = [403, 403, 200, 200, 403];

/// In the namespace `secret`, with the role `admin`.
const ADMINS: [u16; 5] = [403, 403, 403, 200, 403];

/// A route as the document names it, an example of its path, and the status that each of [`CALLERS`] gets.
type Row = (&'static str, &'static str, [u16; 5]);

/// What `secret/lab` (builds 2 and 3, the second of which waits) and the namespace `secret` answer. Lists answer everybody and
/// show them what is theirs. An admin who asks for what is not there learns so.
const MATRIX: &[Row] = &[
    ("GET /", "/", ANYBODY),
    ("GET /api/v1", "/api/v1/", ANYBODY),
    ("GET /api/v1/permission", "/api/v1/permission/", ANYBODY),
    ("GET /api/v1/channel", "/api/v1/channel/", ANYBODY),
    ("GET /api/v1/package", "/api/v1/package/", ANYBODY),
    ("GET /api/v1/usage", "/api/v1/usage/", ANYBODY),
    ("GET /health/live", "/health/live", ANYBODY),
    ("GET /health/ready", "/health/ready", ANYBODY),
    ("GET /metrics", "/metrics", ANYBODY),
    ("GET /login", "/login/", ANYBODY),
    ("POST /login", "/login/", ANYBODY),
    ("POST /logout", "/logout/", ANYBODY),
    ("GET /storage/{key}", "/storage/LOGS", READERS),
    // Namespaces and roles.
    ("GET /api/v1/namespace", "/api/v1/namespace/", ANYBODY),
    ("GET /api/v1/namespace/{namespace}", "/api/v1/namespace/secret/", READERS),
    ("POST /api/v1/namespace/{namespace}", "/api/v1/namespace/new/", ADMINS),
    ("PUT /api/v1/namespace/{namespace}", "/api/v1/namespace/secret/", ADMINS),
    ("DELETE /api/v1/namespace/{namespace}", "/api/v1/namespace/secret/", ADMINS),
    ("PUT /api/v1/namespace/{namespace}/metadata", "/api/v1/namespace/secret/metadata", ADMINS),
    ("GET /api/v1/namespace/{namespace}/roles", "/api/v1/namespace/secret/roles", READERS),
    ("DELETE /api/v1/namespace/{namespace}/roles", "/api/v1/namespace/secret/roles", ADMINS),
    ("GET /api/v1/namespace/{namespace}/role", "/api/v1/namespace/secret/role?other_namespace=default", READERS),
    ("POST /api/v1/namespace/{namespace}/role", "/api/v1/namespace/secret/role", ADMINS),
    ("PUT /api/v1/namespace/{namespace}/role", "/api/v1/namespace/secret/role", ADMINS),
    ("DELETE /api/v1/namespace/{namespace}/role", "/api/v1/namespace/secret/role", ADMINS),
    // Tokens; the one with the id 1 was asked for by somebody whose own namespace is `secret`.
    ("POST /api/v1/token", "/api/v1/token/", [401, 200, 200, 200, 200]),
    ("GET /api/v2/token", "/api/v2/token/", [401, 200, 200, 200, 200]),
    ("PUT /api/v2/token/{token_id}", "/api/v2/token/1/", [401, 200, 200, 200, 403]),
    ("DELETE /api/v2/token/{token_id}", "/api/v2/token/1/", [401, 200, 200, 200, 403]),
    // Jobs and workers.
    ("GET /api/v2/job", "/api/v2/job/", ADMINS),
    ("GET /api/v2/worker", "/api/v2/worker/", ADMINS),
    // Settings; a developer reads those of the namespace.
    ("GET /api/v1/setting", "/api/v1/setting/", ADMINS),
    ("PUT /api/v1/setting", "/api/v1/setting/", ADMINS),
    ("GET /api/v1/setting/{namespace}", "/api/v1/setting/secret/", BUILDERS),
    ("PUT /api/v1/setting/{namespace}", "/api/v1/setting/secret/", ADMINS),
    ("GET /api/v1/setting/{namespace}/{name}", "/api/v1/setting/secret/lab/", BUILDERS),
    ("PUT /api/v1/setting/{namespace}/{name}", "/api/v1/setting/secret/lab/", ADMINS),
    // Environments.
    ("GET /api/v1/environment", "/api/v1/environment/", ANYBODY),
    ("GET /api/v2/environment", "/api/v2/environment/", ANYBODY),
    ("GET /api/v1/environment/{namespace}/{name}", "/api/v1/environment/secret/lab/", READERS),
    ("PUT /api/v1/environment/{namespace}/{name}", "/api/v1/environment/secret/lab/", BUILDERS),
    ("DELETE /api/v1/environment/{namespace}/{name}", "/api/v1/environment/secret/lab/", ADMINS),
    ("GET /api/v1/environment/{namespace}/{name}/lockfile", "/api/v1/environment/secret/lab/lockfile/", READERS),
    (
        "GET /api/v1/environment/{namespace}/{name}/conda-lock.yml",
        "/api/v1/environment/secret/lab/conda-lock.yml",
        READERS,
    ),
    (
        "GET /api/v1/environment/{namespace}/{name}/conda-lock.yaml",
        "/api/v1/environment/secret/lab/conda-lock.yaml",
        READERS,
    ),
    ("GET /api/v2/environment/{namespace}/{name}/history", "/api/v2/environment/secret/lab/history/", READERS),
    // There is no earlier build to go back to.
    (
        "POST /api/v2/environment/{namespace}/{name}/rollback",
        "/api/v2/environment/secret/lab/rollback/",
        [403, 403, 400, 400, 403],
    ),
    ("GET /api/v1/specification", "/api/v1/specification/?conda=python", [403, 403, 200, 200, 200]),
    ("POST /api/v1/specification", "/api/v1/specification/", BUILDERS),
    // Builds.
    ("GET /api/v1/build", "/api/v1/build/", ANYBODY),
    ("GET /api/v1/build/{build_id}", "/api/v1/build/2/", READERS),
    ("PUT /api/v1/build/{build_id}", "/api/v1/build/2/", BUILDERS),
    ("DELETE /api/v1/build/{build_id}", "/api/v1/build/2/", [403, 403, 403, 400, 403]),
    ("PUT /api/v1/build/{build_id}/cancel", "/api/v1/build/3/cancel/", BUILDERS),
    ("GET /api/v1/build/{build_id}/packages", "/api/v1/build/2/packages/", READERS),
    ("GET /api/v1/build/{build_id}/logs", "/api/v1/build/2/logs/", READERS),
    ("GET /api/v1/build/{build_id}/yaml", "/api/v1/build/2/yaml/", [403, 404, 404, 404, 403]),
    ("GET /api/v1/build/{build_id}/archive", "/api/v1/build/2/archive/", [403, 404, 404, 404, 403]),
    ("GET /api/v1/build/{build_id}/installer", "/api/v1/build/2/installer/", [403, 400, 400, 400, 403]),
    ("GET /api/v1/build/{build_id}/docker", "/api/v1/build/2/docker/", [403, 400, 400, 400, 403]),
    ("PUT /api/v2/build/{build_id}/artifact/{artifact_type}", "/api/v2/build/2/artifact/YAML/", BUILDERS),
    ("GET /api/v2/build/{build_id}/diff/{other_id}", "/api/v2/build/3/diff/2/", READERS),
    ("GET /api/v2/build/{build_id}/explicit", "/api/v2/build/2/explicit/", READERS),
    ("GET /api/v2/build/{build_id}/pixi-lock", "/api/v2/build/2/pixi-lock/", READERS),
    ("GET /api/v2/build/{build_id}/sbom", "/api/v2/build/2/sbom/", [403, 404, 404, 404, 403]),
    ("GET /api/v2/build/{build_id}/events", "/api/v2/build/2/events/", READERS),
    ("GET /api/v1/build/{build_id}/lockfile", "/api/v1/build/2/lockfile/", READERS),
    ("GET /api/v1/build/{build_id}/conda-lock.yml", "/api/v1/build/2/conda-lock.yml", READERS),
    ("GET /api/v1/build/{build_id}/conda-lock.yaml", "/api/v1/build/2/conda-lock.yaml", READERS),
];

/// What a request to the route carries.
fn body(route: &str) -> Option<Value> {
    let specification = "name: lab\nchannels: [conda-forge]\ndependencies: [python]\n";
    Some(match route {
        "POST /login" => json!({"username": "somebody", "password": "password"}),
        "PUT /api/v1/namespace/{namespace}" => json!({"metadata": {}, "role_mappings": {"secret/*": ["viewer"]}}),
        "PUT /api/v1/namespace/{namespace}/metadata"
        | "POST /api/v1/token"
        | "POST /api/v2/environment/{namespace}/{name}/rollback" => json!({}),
        route if route.starts_with("PUT /api/v1/setting") => json!({}),
        "POST /api/v1/namespace/{namespace}/role" => json!({"other_namespace": "other", "role": "viewer"}),
        "PUT /api/v1/namespace/{namespace}/role" | "DELETE /api/v1/namespace/{namespace}/role" => {
            json!({"other_namespace": "default", "role": "developer"})
        }
        "PUT /api/v2/token/{token_id}" => json!({"name": "laptop"}),
        "PUT /api/v1/environment/{namespace}/{name}" => json!({"description": "changed"}),
        "POST /api/v1/specification" => json!({"namespace": "secret", "specification": specification}),
        _ => return None,
    })
}

/// What the rows speak of.
async fn site() -> Site {
    let site = Site::new().await;
    site.start_solving();
    let role = json!({"other_namespace": "default", "role": "viewer"});
    for (who, path, body) in [
        (Who::Admin, "/api/v1/namespace/other/", Value::Null),
        (Who::Admin, "/api/v1/namespace/secret/role", role),
        (Who::Viewer, "/api/v1/token/", json!({})),
    ] {
        assert_eq!(site.tell(who, Method::POST, path, &body).await["status"], 200, "{path}");
    }
    site
}

/// Where the log of build 2 is.
async fn logs(site: &Site) -> String {
    let build = site.get(Who::Admin, "/api/v1/build/2/").await["body"]["data"].clone();
    let artifacts = build["build_artifacts"].as_array().unwrap();
    let log = artifacts.iter().find(|artifact| artifact["artifact_type"] == "LOGS").unwrap();
    log["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_route_answers_those_who_may_use_it_and_refuses_all_others() {
    let mut shared = site().await;
    let mut wrong = Vec::new();
    for (route, path, expected) in MATRIX {
        let method: Method = route.split_once(' ').unwrap().0.parse().unwrap();
        for (who, expected) in CALLERS.into_iter().zip(expected) {
            // What changes something begins anew for each caller.
            if method != Method::GET {
                shared = site().await;
            }
            let path = path.replace("LOGS", &logs(&shared).await);
            let status = shared.ask(who, method.clone(), &path, body(route).as_ref()).await.status().as_u16();
            if status != *expected {
                wrong.push(format!("{route} of {}: {status} in place of {expected}", who.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn every_route_has_a_row() {
    let site = Site::empty(HttpOptions::default()).await;
    let served = routes(&document(&site).await);
    let rows: BTreeSet<String> = MATRIX.iter().map(|(route, ..)| (*route).to_owned()).collect();
    assert_eq!(rows.len(), MATRIX.len(), "a route has two rows");
    let without: Vec<_> = served.difference(&rows).collect();
    assert!(without.is_empty(), "give these routes a row in MATRIX: {without:#?}");
    let unserved: Vec<_> = rows.difference(&served).collect();
    assert!(unserved.is_empty(), "these rows are of no route: {unserved:#?}");
}
