//! Tokens that somebody asks for: what they permit, and how they end.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conda_store_core::{auth::Entity, clock::Clock};
use http::Method;
use serde_json::{Value, json};

use crate::site::{Site, Who};

const CREATE: &str = "/api/v1/token/";
const LIST: &str = "/api/v2/token/";
const SECRET: &str = "/api/v1/environment/secret/lab/";

async fn issue(site: &Site, who: Who, wish: &Value) -> String {
    let answer = site.tell(who, Method::POST, CREATE, wish).await;
    assert_eq!(answer["status"], 200, "{wish}: {answer}");
    answer["body"]["data"]["token"].as_str().unwrap().to_owned()
}

async fn refusal(site: &Site, who: Who, wish: &Value) -> (u64, String) {
    let answer = site.tell(who, Method::POST, CREATE, wish).await;
    let message = answer["body"]["message"].as_str().unwrap_or_default().to_owned();
    (answer["status"].as_u64().unwrap(), message)
}

#[tokio::test]
async fn a_token_says_what_was_asked_for_and_the_rest_as_with_the_caller() {
    let site = Site::new().await;
    let rights = async |token: &str| site.bear(token, "/api/v1/permission/").await["body"]["data"].clone();
    let same = rights(&issue(&site, Who::Developer, &json!({})).await).await;
    let own = site.get(Who::Developer, "/api/v1/permission/").await["body"]["data"].clone();
    assert_eq!(same, own);

    let wish = json!({
        "primary_namespace": "robots",
        "role_bindings": {"secret/*": ["viewer"], "*/web-*": ["editor"]},
        "exp": "2024-05-01 01:00:00.442476+00:00",
        "name": "nightly",
    });
    let robot = rights(&issue(&site, Who::Admin, &wish).await).await;
    assert_eq!((&robot["authenticated"], &robot["primary_namespace"]), (&json!(true), &json!("robots")));
    assert_eq!(robot["expiration"], "2024-05-01T01:00:00.000000");
    assert_eq!(
        robot["entity_roles"],
        json!({
            "*/web-*": ["developer"], "default/*": ["viewer"], "filesystem/*": ["viewer"], "secret/*": ["viewer"],
        })
    );
}

#[tokio::test]
async fn takes_a_moment_in_every_form_that_clients_write() {
    let site = Site::new().await;
    for text in [
        "2024-05-01T12:00:00",
        "2024-05-01 12:00:00.442476+00:00",
        "2024-05-01T12:00:00.442476Z",
        "2024-05-01T14:00:00+02:00",
    ] {
        for name in ["exp", "expiration"] {
            let token = issue(&site, Who::Viewer, &json!({name: text})).await;
            let expires = site.bear(&token, "/api/v1/permission/").await["body"]["data"]["expiration"].clone();
            assert_eq!(expires, "2024-05-01T12:00:00.000000", "{name} {text}");
        }
    }
    for wrong in
        [json!({"exp": "tomorrow"}), json!({"exp": 5}), json!({"exp": "2024-05-01T12:00:00", "expiration": "x"})]
    {
        assert_eq!(refusal(&site, Who::Viewer, &wrong).await.0, 422, "{wrong}");
    }
}

#[tokio::test]
async fn nobody_gets_a_token_that_permits_more() {
    let site = Site::new().await;
    let more = "Requested role_bindings are not a subset of current permissions";
    for (who, wish) in [
        (Who::Viewer, json!({"role_bindings": {"secret/*": ["developer"]}})),
        (Who::Viewer, json!({"role_bindings": {"sec*/*": ["viewer"]}})),
        (Who::Developer, json!({"role_bindings": {"*/*": ["viewer"]}})),
        (Who::Stranger, json!({"role_bindings": {"other/*": ["admin"], "secret/lab": ["viewer"]}})),
        // Whoever is `secret` may be given more at any time.
        (Who::Stranger, json!({"primary_namespace": "secret", "role_bindings": {}})),
        (Who::Developer, json!({"primary_namespace": "default", "role_bindings": {}})),
    ] {
        assert_eq!(refusal(&site, who, &wish).await, (400, more.into()), "{wish}");
    }
    let late = json!({"expiration": "2024-05-02T12:00:00"});
    let message = "Requested expiration of token is greater than current permissions";
    assert_eq!(refusal(&site, Who::Admin, &late).await, (400, message.into()));
    let (status, message) = refusal(&site, Who::Admin, &json!({"expiration": "2024-05-01T00:00:00"})).await;
    assert!(status == 400 && message.contains("over already"), "{message}");
    for (wish, part) in [
        (json!({"role_bindings": {"a": ["viewer"]}}), "NAMESPACE/NAME"),
        (json!({"role_bindings": {"a/*": ["owner"]}}), "no role"),
        (json!({"primary_namespace": "a b"}), "namespace name"),
        (json!({"name": "x".repeat(256)}), "at most 255"),
    ] {
        let (status, message) = refusal(&site, Who::Admin, &wish).await;
        assert!(status == 400 && message.contains(part), "{wish}: {message}");
    }
    let anonymous = refusal(&site, Who::Nobody, &json!({})).await;
    assert_eq!(anonymous, (401, "request not authenticated".into()));
    // A token that permits less begets none that permits more.
    let less = issue(&site, Who::Admin, &json!({"role_bindings": {"secret/*": ["viewer"]}})).await;
    assert_eq!(site.bear(&less, SECRET).await["status"], 200);
    assert_eq!(site.bear(&less, LIST).await["body"]["count"], 1);
}

#[tokio::test]
async fn tokens_are_listed_named_and_revoked_by_those_who_asked_for_them() {
    let site = Site::new().await;
    let viewers = issue(&site, Who::Viewer, &json!({"name": "laptop"})).await;
    let strangers = issue(&site, Who::Stranger, &json!({})).await;
    let list = async |who| site.get(who, LIST).await["body"].clone();
    let laptop = json!({
        "id": 1, "name": "laptop", "owner": "secret", "primary_namespace": "secret",
        "role_bindings": {"secret/*": ["viewer"]},
        "created_on": "2024-05-01T00:03:02.000000", "expires_on": "2024-05-02T00:03:02.000000",
    });
    assert_eq!(list(Who::Viewer).await["data"], json!([laptop]));
    assert_eq!(list(Who::Stranger).await["data"][0]["id"], 2);
    assert_eq!(list(Who::Admin).await["count"], 2);
    let first = site.get(Who::Admin, &format!("{LIST}?limit=1")).await["body"].clone();
    let cursor = first["cursor"].as_str().unwrap();
    let second = site.get(Who::Admin, &format!("{LIST}?limit=1&cursor={cursor}")).await["body"].clone();
    assert_eq!((&first["data"][0]["id"], &second["data"][0]["id"]), (&json!(2), &json!(1)));
    assert_eq!(site.get(Who::Admin, &format!("{LIST}?cursor=5b5b22225d2c315d")).await["status"], 422);
    assert_eq!(site.get(Who::Nobody, LIST).await["status"], 401);

    let one = "/api/v2/token/1/";
    let name = async |who, path: &str, name: Value| {
        site.tell(who, Method::PUT, path, &json!({ "name": name })).await["status"].clone()
    };
    assert_eq!(name(Who::Stranger, one, json!("x")).await, 403);
    assert_eq!(name(Who::Stranger, "/api/v2/token/9/", json!("x")).await, 403);
    assert_eq!(name(Who::Admin, "/api/v2/token/9/", json!("x")).await, 404);
    assert_eq!(name(Who::Admin, "/api/v2/token/9999999999/", json!("x")).await, 404);
    assert_eq!(name(Who::Admin, "/api/v2/token/x/", json!("x")).await, 422);
    assert_eq!(name(Who::Viewer, one, json!("a\nb")).await, 400);
    assert_eq!(name(Who::Viewer, one, json!("desktop")).await, 200);
    assert_eq!(list(Who::Viewer).await["data"][0]["name"], "desktop");
    assert_eq!(name(Who::Viewer, one, Value::Null).await, 200);
    assert_eq!(list(Who::Viewer).await["data"][0]["name"], Value::Null);

    let revoke = async |who, path: &str| site.tell(who, Method::DELETE, path, &Value::Null).await["status"].clone();
    assert_eq!(revoke(Who::Nobody, one).await, 401);
    assert_eq!(revoke(Who::Stranger, one).await, 403);
    assert_eq!(site.bear(&viewers, SECRET).await["status"], 200);
    assert_eq!(revoke(Who::Viewer, one).await, 200);
    assert_eq!(site.bear(&viewers, SECRET).await["status"], 403);
    assert_eq!(revoke(Who::Admin, one).await, 404);
    assert_eq!(site.bear(&strangers, LIST).await["status"], 200);
    assert_eq!(revoke(Who::Admin, "/api/v2/token/2/").await, 200);
    assert_eq!(site.bear(&strangers, LIST).await["status"], 401);
}

/// The token with another header, or other claims.
fn tampered(token: &str, part: usize, change: impl Fn(&mut Value)) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[part]).unwrap()).unwrap();
    change(&mut value);
    parts[part] = URL_SAFE_NO_PAD.encode(value.to_string());
    parts.join(".")
}

#[tokio::test]
async fn tokens_that_are_not_good_count_as_none() {
    let site = Site::new().await;
    let good = issue(&site, Who::Viewer, &json!({"exp": "2024-05-01T00:04:00"})).await;
    assert_eq!(site.bear(&good, SECRET).await["status"], 200);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let algorithm = |name: &'static str| tampered(&good, 0, move |header| header["alg"] = name.into());
    let unsigned = |name| format!("{}.", algorithm(name).rsplit_once('.').unwrap().0);
    let bad = [
        tampered(&good, 1, |claims| claims["role_bindings"] = json!({"*/*": ["admin"]})),
        tampered(&good, 1, |claims| claims["exp"] = i64::MAX.into()),
        algorithm("none"),
        algorithm("RS256"),
        algorithm("ES256"),
        algorithm("HS512"),
        unsigned("none"),
        unsigned("NONE"),
        unsigned("HS256"),
        format!("{signed}.{}", signature.chars().rev().collect::<String>()),
        format!("{signed}."),
        signed.to_owned(),
        good.replace('.', ""),
        "..".to_owned(),
    ];
    for token in &bad {
        assert_eq!(site.bear(token, SECRET).await["status"], 403, "{token}");
        let path = format!("/api/v1/environment/?jwt={token}");
        assert_eq!(site.get(Who::Admin, &path).await["body"]["count"], 1, "{token}");
        assert_eq!(site.bear(token, LIST).await["status"], 401, "{token}");
    }
    site.clock.advance(Duration::from_mins(2));
    assert_eq!(site.bear(&good, SECRET).await["status"], 403, "its time is over");
}

#[tokio::test]
async fn a_list_narrowed_by_a_revoked_token_shows_what_everybody_sees() {
    let site = Site::new().await;
    let token = issue(&site, Who::Viewer, &json!({})).await;
    let path = format!("/api/v1/environment/?jwt={token}");
    assert_eq!(site.get(Who::Admin, &path).await["body"]["count"], 2);
    site.tell(Who::Viewer, Method::DELETE, "/api/v2/token/1/", &Value::Null).await;
    assert_eq!(site.get(Who::Admin, &path).await["body"]["count"], 1);
}

#[tokio::test]
async fn a_list_is_narrowed_to_exactly_what_both_may_see() {
    let site = Site::new().await;
    for name in ["ab", "a", "b", "aab"] {
        site.submit("team", name).await;
    }
    let bearer = |pattern: &str| Entity {
        primary_namespace: "own".into(),
        role_bindings: serde_json::from_value(json!({pattern: ["viewer"], "default/*": []})).unwrap(),
        expires: Some(site.clock.now().after(Duration::from_hours(1))),
    };
    let one = site.token_of(bearer("team/a*"));
    let other = site.token_of(bearer("team/*b"));
    let found = site.bear(&one, &format!("/api/v2/environment/?jwt={other}")).await["body"].clone();
    assert_eq!((&found["data"][0]["name"], &found["data"][1]["name"]), (&json!("aab"), &json!("ab")));
    assert_eq!(found["count"], 2);
}
