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

#[cfg(feature = "azblob")]
#[tokio::test]
async fn a_link_never_carries_the_token_of_the_service() {
    let listing = "<EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>";
    let endpoint = pretender(listing).await;
    let options = [
        ("endpoint", endpoint.as_str()),
        ("container", "conda"),
        ("account_name", "account"),
        ("sas_token", "sv=2023-01-03&ss=b&srt=co&sp=rwdl&se=2034-05-01T00:00:00Z&sig=hunter2"),
    ];
    let storage = OpendalStorage::open(config("azblob", &options), Arc::new(SystemClock)).await.unwrap();
    assert!(!storage.capabilities().redirect);
    let options = LinkOptions { expires_in: Duration::from_mins(1), file_name: None, content_type: None };
    assert_eq!(storage.link(&key("logs/1.log"), &options).await.unwrap(), Link::Stream);
}

#[test]
fn nothing_shows_an_option() {
    let shown = format!("{:?}", config("gcs", &[("credential", "hunter2")]));
    assert!(shown.contains("credential") && !shown.contains("hunter2"), "{shown}");
}
