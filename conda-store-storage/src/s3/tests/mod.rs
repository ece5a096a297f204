//! The conformance suite, and what only a service on a network can get wrong.

mod connection;
mod credentials;
mod killed;
mod real;
mod refusals;
mod server;
mod transfers;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conda_store_core::{
    clock::{Clock, SystemClock},
    storage::{Body, Link, LinkOptions, Storage, StorageKey},
    testing::ManualClock,
};
use futures::{StreamExt, stream};

use self::server::{Server, config_at};
use super::{S3Endpoint, S3Storage, S3StorageConfig};

async fn empty() -> Option<(Arc<dyn Storage>, Server)> {
    let server = Server::start().await;
    let storage = open(server.config()).await;
    Some((Arc::new(storage), server))
}

conda_store_core::storage_suite!(empty);

async fn open(config: S3StorageConfig) -> S3Storage {
    S3Storage::open(config, Arc::new(SystemClock)).await.unwrap()
}

fn key(text: &str) -> StorageKey {
    text.parse().unwrap()
}

/// A mebibyte of bytes that differ from those of another index.
fn mebibyte(index: u8) -> Bytes {
    (0..1_usize << 20).map(|at| index ^ at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect::<Vec<u8>>().into()
}

/// A body of so many mebibytes.
fn mebibytes(count: u8) -> Body {
    Body::Stream(stream::iter(0..count).map(|index| Ok(mebibyte(index))).boxed())
}

/// What [`mebibytes`] is.
fn expected(count: u8) -> Vec<u8> {
    (0..count).flat_map(mebibyte).collect()
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn options(expires_in: Duration) -> LinkOptions {
    LinkOptions {
        expires_in,
        file_name: Some("wüb 1.log".into()),
        content_type: Some("text/plain; charset=utf-8".into()),
    }
}

async fn redirect(storage: &S3Storage, key: &StorageKey, expires_in: Duration) -> url::Url {
    match storage.link(key, &options(expires_in)).await.unwrap() {
        Link::Redirect(url) => url,
        Link::Stream => panic!("no redirect"),
    }
}

#[tokio::test]
async fn a_link_is_all_that_a_reader_needs_until_it_expires() {
    let server = Server::start().await;
    let clock = Arc::new(ManualClock::new());
    clock.advance(SystemClock.now().since(clock.now()));
    let storage = S3Storage::open(server.config(), Arc::<ManualClock>::clone(&clock)).await.unwrap();
    storage.put(&key("logs/a b.log"), Body::from("line".to_owned())).await.unwrap();

    let url = redirect(&storage, &key("logs/a b.log"), Duration::from_mins(1)).await;
    let answer = reqwest::get(url.clone()).await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(header("content-disposition"), "attachment; filename=\"w_b 1.log\"; filename*=UTF-8''w%C3%BCb%201.log");
    assert_eq!(answer.text().await.unwrap(), "line");

    let other: url::Url = url.as_str().replace("a%20b.log", "secret.log").parse().unwrap();
    assert_eq!(reqwest::get(other).await.unwrap().status(), 403, "the link opens another blob");
    let past = Arc::new(ManualClock::new());
    let storage = S3Storage::open(server.config(), past).await.unwrap();
    let url = redirect(&storage, &key("logs/a b.log"), Duration::from_mins(1)).await;
    assert_eq!(reqwest::get(url).await.unwrap().status(), 403, "the link did not expire");
}

#[tokio::test]
async fn links_lead_to_the_external_endpoint_to_which_nothing_is_sent() {
    let server = Server::start().await;
    let storage = open(S3StorageConfig {
        external_endpoint: S3Endpoint::new("files.example.org:9000", true).unwrap(),
        region: "eu-central-1".into(),
        ..server.config()
    })
    .await;
    storage.put(&key("logs/1"), Body::from("line".to_owned())).await.unwrap();
    let url = redirect(&storage, &key("logs/1"), Duration::from_hours(10_000)).await;
    assert!(url.as_str().starts_with("https://files.example.org:9000/conda/logs/1?"), "{url}");
    let query = |name| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert_eq!(query("X-Amz-Expires"), "604800", "more than S3 allows");
    assert!(query("X-Amz-Credential").contains("/eu-central-1/s3/"), "{url}");
}

#[tokio::test]
async fn at_amazons_the_bucket_is_in_the_host_name_and_the_region_too() {
    let server = Server::start().await;
    for (host, expected) in [
        ("s3.amazonaws.com", "https://conda.s3.eu-central-1.amazonaws.com/logs/1?"),
        ("s3.eu-central-1.amazonaws.com", "https://conda.s3.eu-central-1.amazonaws.com/logs/1?"),
    ] {
        let external_endpoint = S3Endpoint::new(host, true).unwrap();
        let config = S3StorageConfig { external_endpoint, region: "eu-central-1".into(), ..server.config() };
        let storage = open(config).await;
        storage.put(&key("logs/1"), Body::from("line".to_owned())).await.unwrap();
        let url = redirect(&storage, &key("logs/1"), Duration::from_mins(1)).await;
        assert!(url.as_str().starts_with(expected), "{url}");
    }
}
