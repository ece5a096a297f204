//! The conformance suite on the services that need no network, and what is peculiar to them.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use conda_store_core::{
    Error, ErrorKind,
    clock::{Clock, SystemClock},
    storage::{Body, Link, LinkOptions, Storage, StorageExt, StorageKey},
    testing::ManualClock,
};
use futures::StreamExt;
use tempfile::TempDir;

use super::{OpendalStorage, OpendalStorageConfig};
use crate::leftovers::UPLOADS;

async fn files() -> Option<(Arc<dyn Storage>, TempDir)> {
    let directory = tempfile::tempdir().unwrap();
    let storage = OpendalStorage::open(in_directory(&directory), Arc::new(SystemClock)).await.unwrap();
    Some((Arc::new(storage), directory))
}

async fn memory() -> Option<(Arc<dyn Storage>, ())> {
    let storage = OpendalStorage::open(config("memory", &[]), Arc::new(SystemClock)).await.unwrap();
    Some((Arc::new(storage), ()))
}

mod in_files {
    conda_store_core::storage_suite!(super::files);
}

mod in_memory {
    conda_store_core::storage_suite!(super::memory);
}

fn config(scheme: &str, options: &[(&str, &str)]) -> OpendalStorageConfig {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    OpendalStorageConfig { scheme: scheme.into(), options }
}

fn in_directory(directory: &TempDir) -> OpendalStorageConfig {
    config("fs", &[("root", directory.path().join("storage").to_str().unwrap())])
}

fn key(text: &str) -> StorageKey {
    text.parse().unwrap()
}

fn uploads(directory: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.path().join("storage").join(UPLOADS)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

async fn refusal(config: OpendalStorageConfig) -> Error {
    OpendalStorage::open(config, Arc::new(SystemClock)).await.unwrap_err()
}

#[tokio::test]
async fn what_cannot_be_opened_is_said() {
    let error = refusal(config("floppy", &[])).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error.to_string().contains("\"floppy\" is no service that this program was built with; those are "),
        "{error}"
    );
    assert!(error.to_string().contains("fs") && error.to_string().contains("memory"), "{error}");
    let error = refusal(config("fs", &[])).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.report().contains("root is not specified"), "{}", error.report());
}

#[tokio::test]
async fn unfinished_uploads_are_invisible_and_removed_after_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new());
    clock.advance(SystemClock.now().since(clock.now()));
    let storage = OpendalStorage::open(in_directory(&directory), Arc::<ManualClock>::clone(&clock)).await.unwrap();
    storage.put(&key("a"), Body::from("x".to_owned())).await.unwrap();
    assert!(uploads(&directory).is_empty());
    let left = directory.path().join("storage").join(UPLOADS).join("left");
    fs::write(&left, "half").unwrap();
    let part = key(&format!("{UPLOADS}/left"));
    assert_eq!(storage.get(&part, None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(storage.put(&part, Body::from("x".to_owned())).await.unwrap_err().kind(), ErrorKind::Invalid);
    storage.delete(&part).await.unwrap();
    assert_eq!(storage.keys("").await.unwrap(), [key("a")]);
    for (hours, left) in [(23, 1), (2, 0)] {
        clock.advance(Duration::from_hours(hours));
        storage.put(&key("a"), Body::from("x".to_owned())).await.unwrap();
        assert_eq!(uploads(&directory).len(), left);
    }
}

#[tokio::test]
async fn a_failed_upload_is_taken_back() {
    let (storage, directory) = files().await.unwrap();
    let error = Error::unexpected("produce", "no more");
    let body = Body::Stream(futures::stream::iter([Ok("half".into()), Err(error)]).boxed());
    storage.put(&key("a"), body).await.unwrap_err();
    let begun = SystemTime::now();
    while !uploads(&directory).is_empty() {
        assert!(begun.elapsed().unwrap() < Duration::from_mins(1), "the upload stays");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A service that lists nothing and has any blob.
#[cfg(feature = "azblob")]
async fn pretender(listing: &'static str) -> String {
    use axum::{Router, http::Uri, routing::any};
    let answer = move |uri: Uri| async move {
        let body = if uri.query().is_some_and(|query| query.contains("comp=list")) { listing } else { "{}" };
        ([("last-modified", "Wed, 01 May 2024 00:00:00 GMT"), ("etag", "\"1\"")], body)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(answer))).await });
    endpoint
}

fn link_options() -> LinkOptions {
    LinkOptions {
        expires_in: Duration::from_mins(1),
        file_name: Some("1.log".into()),
        content_type: Some("text/plain".into()),
    }
}

#[cfg(feature = "azblob")]
#[tokio::test]
async fn a_link_never_carries_the_token_of_the_service() {
    let listing = "<EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>";
    let endpoint = pretender(listing).await;
    // With the key of an account opendal signs nothing; with a token its links carry that.
    for secret in [
        ("sas_token", "sv=2023-01-03&ss=b&srt=co&sp=rwdl&se=2034-05-01T00:00:00Z&sig=hunter2"),
        ("account_key", "aHVudGVyMg=="),
    ] {
        let options = [("endpoint", endpoint.as_str()), ("container", "conda"), ("account_name", "account"), secret];
        let storage = OpendalStorage::open(config("azblob", &options), Arc::new(SystemClock)).await.unwrap();
        assert!(!storage.capabilities().redirect, "{secret:?}");
        assert_eq!(storage.link(&key("logs/1.log"), &link_options()).await.unwrap(), Link::Stream, "{secret:?}");
    }
}

#[tokio::test]
async fn services_that_sign_nothing_redirect_nobody() {
    let (files, _directory) = files().await.unwrap();
    for storage in [files, memory().await.unwrap().0] {
        assert!(!storage.capabilities().redirect);
        storage.put(&key("a"), Body::from("x".to_owned())).await.unwrap();
        assert_eq!(storage.link(&key("a"), &link_options()).await.unwrap(), Link::Stream);
    }
}

/// The key of an account at Google's that nobody has, as the option `credential` takes it.
#[cfg(feature = "gcs")]
fn account_at_google() -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let openssl = std::process::Command::new("openssl").args(["genpkey", "-quiet", "-algorithm", "RSA"]).output();
    let account = serde_json::json!({
        "type": "service_account",
        "client_email": "conda@example.iam.gserviceaccount.com",
        "private_key": String::from_utf8(openssl.unwrap().stdout).unwrap(),
    });
    BASE64_STANDARD.encode(account.to_string())
}

#[cfg(feature = "gcs")]
#[tokio::test]
async fn google_signs_a_link_for_one_blob_and_some_time() {
    let credential = account_at_google();
    let options = [("bucket", "conda"), ("root", "/ours"), ("credential", &credential)];
    // Links are made here: nobody is asked.
    let storage = OpendalStorage::connect(config("gcs", &options), Arc::new(SystemClock)).unwrap();
    assert!(storage.capabilities().redirect);
    let sign = async |path| storage.sign(path, &link_options()).await.unwrap().unwrap();
    let (one, two) = (sign("logs/1.log").await, sign("logs/2.log").await);
    assert_eq!(one.host_str(), Some("storage.googleapis.com"));
    assert_eq!(one.path(), "/conda/ours/logs/1.log");
    let value = |url: &url::Url, name: &str| {
        let found = url.query_pairs().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| panic!("{url} has no {name}")).1.into_owned()
    };
    assert_eq!(value(&one, "X-Goog-Expires"), "60");
    assert!(value(&one, "X-Goog-Credential").starts_with("conda@example.iam.gserviceaccount.com/"), "{one}");
    assert_ne!(value(&one, "X-Goog-Signature"), value(&two, "X-Goog-Signature"));
    for path in ["logs/1 a.log", "logs/1?a.log", "logs/1%2F.log"] {
        assert_eq!(storage.sign(path, &link_options()).await.unwrap(), None, "{path}");
    }
}

#[test]
fn nothing_shows_an_option() {
    let shown = format!("{:?}", config("gcs", &[("credential", "hunter2")]));
    assert!(shown.contains("credential") && !shown.contains("hunter2"), "{shown}");
}
