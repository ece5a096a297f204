//! The document that describes the API.

use std::collections::BTreeSet;

use conda_store_http::HttpOptions;
use http::{Method, header};
use insta::{assert_json_snapshot, assert_snapshot};
use serde_json::Value;

use crate::site::{Site, Who};

pub(crate) async fn document(site: &Site) -> Value {
    site.get(Who::Nobody, "/openapi.json").await["body"].clone()
}

/// `METHOD PATH` of all that the document describes.
pub(crate) fn routes(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |(path, item): (&String, &Value)| -> Vec<String> {
        item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())).collect()
    };
    paths.iter().flat_map(methods).collect()
}

/// The route without the names of its parameters and its trailing slash, neither of which a request shows.
fn shape(route: &str) -> String {
    let segments = route.trim_end_matches('/').split('/');
    segments.map(|segment| if segment.starts_with('{') { "{}" } else { segment }).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn the_document_is_as_it_was() {
    let site = Site::new().await;
    assert_json_snapshot!(document(&site).await, { ".info.version" => "VERSION" });
}

/// What the original serves and this does not: a list to be emptied.
#[tokio::test]
async fn routes_of_the_original_that_are_missing() {
    let site = Site::new().await;
    let ours: BTreeSet<_> = routes(&document(&site).await).iter().map(|route| shape(route)).collect();
    let missing = include_str!("original-routes.txt").lines().filter(|route| !ours.contains(&shape(route)));
    assert_snapshot!(missing.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_and_says_what_it_does() {
    let site = Site::new().await;
    let document = document(&site).await;
    let items = document["paths"].as_object().unwrap().values();
    let operations: Vec<&Value> = items.flat_map(|item| item.as_object().unwrap().values()).collect();
    let names: BTreeSet<_> = operations.iter().map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), operations.len());
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for operation in operations {
        assert!(operation["summary"].is_string(), "{operation}");
        assert!(tags.contains(&&operation["tags"][0]), "{operation}");
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        found.extend(value.get("$ref").and_then(Value::as_str));
        match value {
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Object(map) => map.values().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let site = Site::new().await;
    let document = document(&site).await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.contains("#/components/schemas/Refusal"));
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_document_is_shown_to_people() {
    let options = HttpOptions { url_prefix: "/conda-store".into(), ..HttpOptions::default() };
    let site = Site::empty(options).await;
    for path in ["/conda-store/docs", "/conda-store/docs/", "/conda-store/redoc"] {
        let answer = site.ask(Who::Nobody, Method::GET, path, None).await;
        assert_eq!(answer.headers()[header::LOCATION], "/conda-store/docs/index.html", "{path}");
    }
    for (file, media_type, part) in [
        ("index.html", "text/html", "swagger-ui-bundle.js"),
        ("swagger-initializer.js", "text/javascript", "../openapi.json"),
        ("swagger-ui-bundle.js", "text/javascript", "SwaggerUIBundle"),
        ("swagger-ui.css", "text/css", ".swagger-ui"),
    ] {
        let path = format!("/conda-store/docs/{file}");
        let answer = site.ask(Who::Nobody, Method::GET, &path, None).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], media_type, "{path}");
        assert!(site.get(Who::Nobody, &path).await["body"].as_str().unwrap().contains(part), "{path}");
    }
    assert_eq!(site.get(Who::Nobody, "/conda-store/docs/nothing").await["status"], 404);
    assert_eq!(site.get(Who::Nobody, "/conda-store/openapi.json").await["body"]["servers"][0]["url"], "/conda-store");
}
