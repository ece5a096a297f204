//! The job that keeps the index of channels current, on channels served over HTTP and in directories.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Request, http::Method, middleware::Next};
use conda_store_core::{
    CondaStore,
    catalogue::{Catalogue, Database, Order, PackageSearch},
    clock::SystemClock,
    job::{Attempt, Job, JobHandler, Outcome},
    paths::{Layout, LayoutOptions},
    settings::{SettingPlace, Settings},
};
use conda_store_queue::MemoryQueue;
use conda_store_storage::MemoryStorage;
use rattler_conda_types::Subdir;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower_http::services::ServeDir;

/// A channel's requests, as `METHOD path status`.
type Requests = Arc<Mutex<Vec<String>>>;

async fn serve(directory: &Path) -> (String, Requests) {
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    let note = move |request: Request, next: Next| {
        let (seen, what) = (Arc::clone(&seen), format!("{} {}", request.method(), request.uri().path()));
        async move {
            let answer = next.run(request).await;
            seen.lock().unwrap().push(format!("{what} {}", answer.status().as_u16()));
            answer
        }
    };
    let router = Router::new().fallback_service(ServeDir::new(directory)).layer(axum::middleware::from_fn(note));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, requests)
}

/// Writes the list of a subdirectory, an hour older than now where it is not the latest.
fn write(directory: &Path, subdir: &str, packages: &Value, conda: &Value) {
    let list =
        json!({"info": {"subdir": subdir}, "packages": packages, "packages.conda": conda, "repodata_version": 1});
    std::fs::create_dir_all(directory.join(subdir)).unwrap();
    std::fs::write(directory.join(subdir).join("repodata.json"), list.to_string()).unwrap();
}

fn record(name: &str, version: &str, sha256: &str) -> Value {
    json!({
        "name": name, "version": version, "build": "0", "build_number": 0, "subdir": "noarch", "depends": [],
        "sha256": sha256.repeat(32), "size": 1,
    })
}

async fn store(directory: &Path, channels: &[&str]) -> CondaStore {
    let clock = || Arc::new(SystemClock);
    let database = Database::connect(&format!("sqlite:{}/catalogue.db", directory.display())).await.unwrap();
    let catalogue = Catalogue::new(database, clock());
    catalogue.migrate().await.unwrap();
    let settings = Settings {
        conda_indexed_channels: channels.iter().map(|channel| (*channel).to_owned()).collect(),
        conda_platforms: vec![Subdir::Linux64, Subdir::NoArch],
        ..Settings::default()
    };
    CondaStore::builder()
        .catalogue(catalogue)
        .storage(MemoryStorage::new(clock()))
        .queue(MemoryQueue::new(clock()))
        .layout(Layout::new(&LayoutOptions::new("state"), directory).unwrap())
        .settings(settings)
        .build()
        .await
        .unwrap()
}

async fn index(store: &CondaStore) -> Outcome {
    let attempt = Attempt {
        worker: "a worker".into(),
        number: 1,
        limit: 3,
        lease: Duration::from_secs(30),
        cancellation: CancellationToken::new(),
        stop: Arc::default(),
    };
    store.handle(&Job::IndexChannels, &attempt).await.unwrap()
}

async fn found(store: &CondaStore) -> Vec<String> {
    let search = PackageSearch {
        search: None,
        exact: false,
        build: None,
        distinct: &[],
        sort: &[],
        order: Order::Ascending,
        limit: 100,
        offset: 0,
    };
    let (packages, total) = store.catalogue().search_packages(&search).await.unwrap();
    assert_eq!(total, packages.len() as u64);
    packages
        .into_iter()
        .map(|package| format!("{} {} {}", package.name, package.version, &package.sha256[..2]))
        .collect()
}

#[tokio::test]
async fn an_unchanged_list_costs_one_request_and_a_changed_one_is_followed() {
    let (directory, channel) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = json!({"a-1-0.conda": record("a", "1", "aa"), "b-1-0.conda": record("b", "1", "bb")});
    write(channel.path(), "noarch", &json!({"a-1-0.tar.bz2": record("a", "1", "cc")}), &one);
    let (url, requests) = serve(channel.path()).await;
    let store = store(directory.path(), &[&url]).await;
    assert_eq!(index(&store).await, Outcome::Done);
    assert_eq!(found(&store).await, ["a 1 aa", "a 1 cc", "b 1 bb"]);
    let channels = store.catalogue().channels().await.unwrap();
    assert_eq!((channels[0].name.as_str(), channels[0].last_update.is_some()), (url.as_str(), true));

    requests.lock().unwrap().clear();
    index(&store).await;
    let asked = requests.lock().unwrap().clone();
    let lists: Vec<_> = asked.iter().filter(|request| request.contains("/noarch/")).collect();
    assert_eq!(lists, ["HEAD /noarch/repodata.json 304"], "{asked:?} by {}", Method::HEAD);

    // Modification times have whole seconds in HTTP.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    write(
        channel.path(),
        "noarch",
        &json!({}),
        &json!({"b-1-0.conda": record("b", "1", "bb"), "b-2-0.conda": record("b", "2", "dd")}),
    );
    index(&store).await;
    assert_eq!(found(&store).await, ["b 1 bb", "b 2 dd"]);
}

#[tokio::test]
async fn a_directory_is_indexed_and_a_damaged_list_changes_nothing() {
    let (directory, channel) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(channel.path(), "noarch", &json!({}), &json!({"a-1-0.conda": record("a", "1", "aa")}));
    let url = format!("file://{}", channel.path().canonicalize().unwrap().display());
    let store = store(directory.path(), &[&url]).await;
    index(&store).await;
    assert_eq!(found(&store).await, ["a 1 aa"]);
    for damaged in ["{", "", "{\"packages\": {\"a-1-0.tar.bz2\": 1}}"] {
        std::fs::write(channel.path().join("noarch/repodata.json"), damaged).unwrap();
        assert_eq!(index(&store).await, Outcome::Done);
        assert_eq!(found(&store).await, ["a 1 aa"], "{damaged}");
    }
    std::fs::remove_dir_all(channel.path()).unwrap();
    assert_eq!(index(&store).await, Outcome::Done);
    assert_eq!(found(&store).await, ["a 1 aa"]);
    let left = std::fs::read_dir(directory.path().join("state/!cache/index")).unwrap();
    assert_eq!(left.count(), 0, "what was fetched is gone");
}

#[tokio::test]
async fn channels_that_are_set_while_the_service_runs_are_indexed() {
    let (directory, channel) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(channel.path(), "noarch", &json!({}), &json!({"a-1-0.conda": record("a", "1", "aa")}));
    let store = store(directory.path(), &[]).await;
    index(&store).await;
    assert_eq!(found(&store).await, [""; 0]);
    let url = format!("file://{}", channel.path().canonicalize().unwrap().display());
    let changes = json!({"conda_indexed_channels": [url]});
    store.change_settings(SettingPlace::Global, changes.as_object().unwrap()).await.unwrap();
    index(&store).await;
    assert_eq!(found(&store).await, ["a 1 aa"]);
}
