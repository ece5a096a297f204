//! Namespaces and the roles that they give.

use http::Method;
use serde_json::{Value, json};

use crate::site::{Site, Who};

const TEAM: &str = "/api/v1/namespace/team/";

async fn with_team() -> Site {
    let site = Site::new().await;
    assert_eq!(site.tell(Who::Admin, Method::POST, TEAM, &Value::Null).await["status"], 200);
    site
}

fn told(answer: &Value) -> (u64, &str) {
    (answer["status"].as_u64().unwrap(), answer["body"]["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn makes_a_namespace_once() {
    let site = with_team().await;
    let again = site.tell(Who::Admin, Method::POST, TEAM, &Value::Null).await;
    assert_eq!(again, json!({"status": 409, "body": {"status": "error", "message": "namespace already exists"}}));
    for name in ["a%20b", "..", "%2a", "a%2Fb", "%00"] {
        let answer = site.tell(Who::Admin, Method::POST, &format!("/api/v1/namespace/{name}/"), &Value::Null).await;
        let (status, message) = told(&answer);
        assert!(status == 400 && message.starts_with("namespace name"), "{name}: {answer}");
    }
    let found = site.get(Who::Admin, TEAM).await["body"]["data"].clone();
    assert_eq!(found, json!({"id": 3, "name": "team", "metadata_": {}, "role_mappings": []}));
}

#[tokio::test]
async fn changes_what_is_given_and_leaves_the_rest() {
    let site = with_team().await;
    let change = json!({"metadata": {"cost": 7}, "role_mappings": {"a-*/*": ["editor", "viewer"], "b/web": ["admin"]}});
    let done = json!({"status": 200, "body": {"status": "ok", "message": null}});
    assert_eq!(site.tell(Who::Admin, Method::PUT, TEAM, &change).await, done);
    let found = site.get(Who::Admin, TEAM).await["body"]["data"].clone();
    let mappings = json!([
        {"id": 1, "entity": "a-*/*", "role": "viewer"},
        {"id": 2, "entity": "a-*/*", "role": "developer"},
        {"id": 3, "entity": "b/web", "role": "admin"},
    ]);
    assert_eq!(found, json!({"id": 3, "name": "team", "metadata_": {"cost": 7}, "role_mappings": mappings}));
    assert_eq!(site.get(Who::Admin, "/api/v1/namespace/").await["body"]["data"][2], found);

    assert_eq!(site.tell(Who::Admin, Method::PUT, TEAM, &json!({"metadata": {}})).await, done);
    assert_eq!(site.get(Who::Admin, TEAM).await["body"]["data"]["role_mappings"], mappings);
    let path = format!("{TEAM}metadata");
    assert_eq!(site.tell(Who::Admin, Method::PUT, &path, &json!({"any": {"thing": [1]}})).await, done);
    assert_eq!(site.tell(Who::Admin, Method::PUT, TEAM, &json!({"role_mappings": {}})).await, done);
    let found = site.get(Who::Admin, TEAM).await["body"]["data"].clone();
    assert_eq!((&found["metadata_"], &found["role_mappings"]), (&json!({"any": {"thing": [1]}}), &json!([])));
}

#[tokio::test]
async fn changes_that_make_no_sense_change_nothing() {
    let site = with_team().await;
    let before = site.get(Who::Admin, TEAM).await;
    for (change, status, part) in [
        (json!({"metadata": {"x": 1}, "role_mappings": {"a/*": ["owner"]}}), 400, "no role"),
        (json!({"metadata": {"x": 1}, "role_mappings": {"a": ["viewer"]}}), 400, "NAMESPACE/NAME"),
        (json!({"metadata": [1]}), 422, ""),
        (json!({"role_mappings": ["a/*"]}), 422, ""),
    ] {
        let answer = site.tell(Who::Admin, Method::PUT, TEAM, &change).await;
        let (told, message) = told(&answer);
        assert!(told == status && message.contains(part), "{change}: {answer}");
    }
    assert_eq!(site.get(Who::Admin, TEAM).await, before);
    for (method, path) in [
        (Method::GET, ""),
        (Method::PUT, ""),
        (Method::DELETE, ""),
        (Method::PUT, "metadata"),
        (Method::GET, "roles"),
        (Method::DELETE, "roles"),
        (Method::GET, "role?other_namespace=team"),
    ] {
        for namespace in ["nothing", "a%20b"] {
            let path = format!("/api/v1/namespace/{namespace}/{path}");
            let answer = site.tell(Who::Admin, method.clone(), &path, &json!({})).await;
            assert_eq!(told(&answer), (404, "namespace does not exist"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn nobody_gives_roles_that_permit_more_than_they_may_do() {
    let site = Site::new().await;
    let path = "/api/v1/namespace/other/";
    assert_eq!(site.tell(Who::Stranger, Method::POST, path, &Value::Null).await["status"], 200);
    let more = json!({"role_mappings": {"*/*": ["admin"]}});
    let answer = site.tell(Who::Stranger, Method::PUT, path, &more).await;
    assert_eq!(told(&answer), (403, "nobody can give roles that permit more than they may do themselves"));
    // What somebody else gave may stay.
    assert_eq!(site.tell(Who::Admin, Method::PUT, path, &more).await["status"], 200);
    let kept = json!({"role_mappings": {"*/*": ["admin"], "other/web": ["developer"]}});
    assert_eq!(site.tell(Who::Stranger, Method::PUT, path, &kept).await["status"], 200);
}

#[tokio::test]
async fn gives_changes_and_takes_roles() {
    let site = with_team().await;
    let role = |other: &str, role: &str| json!({"other_namespace": other, "role": role});
    let one = format!("{TEAM}role");
    let ask = async |method, body: Value| site.tell(Who::Admin, method, &one, &body).await;
    let done = json!({"status": 200, "body": {"status": "ok", "message": null}});
    let missing = (404, "failed to find role");
    assert_eq!(told(&ask(Method::PUT, role("secret", "viewer")).await), missing);
    assert_eq!(told(&ask(Method::DELETE, role("secret", "viewer")).await), missing);
    assert_eq!(told(&site.get(Who::Admin, &format!("{one}?other_namespace=secret")).await), missing);
    assert_eq!(site.get(Who::Admin, &one).await["status"], 422);
    assert_eq!(site.get(Who::Admin, &format!("{one}?other_namespace=a%20b")).await["status"], 422);

    assert_eq!(ask(Method::POST, role("secret", "viewer")).await, done);
    assert_eq!(ask(Method::POST, role("secret", "admin")).await["status"], 409);
    for (body, status) in [
        (role("nothing", "viewer"), 400),
        (role("default", "owner"), 400),
        (role("a b", "viewer"), 400),
        (json!({"role": "viewer"}), 422),
    ] {
        assert_eq!(ask(Method::POST, body.clone()).await["status"], status, "{body}");
    }
    // The quirk of the released command line does no harm here either.
    let found = site.get(Who::Admin, &format!("{one}?other_namespace=secret/")).await["body"]["data"].clone();
    assert_eq!(found, json!({"id": 1, "namespace": "team", "other_namespace": "secret", "role": "viewer"}));
    assert_eq!(site.get(Who::Admin, &format!("{TEAM}roles")).await["body"]["data"], json!([found]));

    // Everybody whose own namespace `secret` is can read it now, and sees it in lists.
    site.submit("team", "web").await;
    let seen = async |who| {
        let list = site.get(who, "/api/v1/environment/?namespace=team").await["body"]["count"].clone();
        (list, site.get(who, "/api/v1/environment/team/web/").await["status"].clone())
    };
    assert_eq!(seen(Who::Viewer).await, (json!(1), json!(200)));
    assert_eq!(seen(Who::Stranger).await, (json!(0), json!(403)));
    let rights = site.get(Who::Viewer, "/api/v1/permission/").await["body"]["data"].clone();
    assert_eq!(rights["entity_roles"]["team/*"], json!(["viewer"]));
    let expected = json!(["environment::read", "namespace-role-mapping::read", "namespace::read"]);
    assert_eq!(rights["entity_permissions"]["team/*"], expected);

    assert_eq!(ask(Method::PUT, role("secret", "editor")).await, done);
    let rights = site.get(Who::Viewer, "/api/v1/permission/").await["body"]["data"].clone();
    assert_eq!(rights["entity_roles"]["team/*"], json!(["developer"]));
    assert_eq!(ask(Method::DELETE, role("secret", "")).await, done);
    assert_eq!(seen(Who::Viewer).await, (json!(0), json!(403)));
    assert_eq!(ask(Method::POST, role("secret", "viewer")).await, done);
    assert_eq!(site.tell(Who::Admin, Method::DELETE, &format!("{TEAM}roles"), &Value::Null).await, done);
    assert_eq!(site.get(Who::Admin, &format!("{TEAM}roles")).await["body"]["data"], json!([]));
}

#[tokio::test]
async fn with_a_namespace_everything_in_it_disappears_at_once() {
    let site = Site::new().await;
    let path = "/api/v1/namespace/secret/";
    let answer = site.tell(Who::Admin, Method::DELETE, path, &Value::Null).await;
    assert_eq!(answer, json!({"status": 200, "body": {"status": "ok", "message": null}}));
    assert_eq!(site.get(Who::Admin, path).await["status"], 404);
    assert_eq!(site.get(Who::Admin, "/api/v1/environment/secret/lab/").await["status"], 404);
    assert_eq!(site.get(Who::Admin, "/api/v1/environment/").await["body"]["count"], 1);
    assert_eq!(site.get(Who::Admin, "/api/v1/build/3/").await["body"]["data"]["status"], "CANCELED");
    assert_eq!(site.tell(Who::Admin, Method::DELETE, path, &Value::Null).await["status"], 404);
}
