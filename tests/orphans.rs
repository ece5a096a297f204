//! Blobs without a row and rows without a blob.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

use std::{sync::Arc, time::Duration};

use conda_store_core::{
    CondaStore,
    catalogue::{Catalogue, Database},
    clock::Clock,
    job::{Attempt, Job, JobHandler, Outcome},
    model::ArtifactType,
    orphans::Orphans,
    paths::{Layout, LayoutOptions},
    settings::Settings,
    specification::{Specification, SpecificationLimits},
    storage::{Body, Storage, StorageExt},
    testing::ManualClock,
};
use conda_store_queue::MemoryQueue;
use conda_store_storage::MemoryStorage;
use tokio_util::sync::CancellationToken;

struct Fixture {
    store: CondaStore,
    clock: Arc<ManualClock>,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new());
        let shared = || -> Arc<dyn Clock> { Arc::<ManualClock>::clone(&clock) };
        let database = Database::connect(&format!("sqlite:{}/catalogue.db", directory.path().display())).await.unwrap();
        let catalogue = Catalogue::new(database, shared());
        catalogue.migrate().await.unwrap();
        let store = CondaStore::builder()
            .catalogue(catalogue)
            .storage(MemoryStorage::new(shared()))
            .queue(MemoryQueue::new(shared()))
            .layout(Layout::new(&LayoutOptions::new("state"), directory.path()).unwrap())
            .settings(Settings { storage_threshold: 0, ..Settings::default() })
            .clock(Arc::<ManualClock>::clone(&clock))
            .build()
            .await
            .unwrap();
        Self { store, clock, _directory: directory }
    }

    async fn put(&self, key: &str) {
        self.store.storage().put(&key.parse().unwrap(), Body::from("12345".to_owned())).await.unwrap();
    }

    async fn search(&self) -> Orphans {
        self.store.remove_orphans(&CancellationToken::new()).await.unwrap()
    }

    async fn keys(&self) -> Vec<String> {
        self.store.storage().keys("").await.unwrap().iter().map(ToString::to_string).collect()
    }
}

#[tokio::test]
async fn old_blobs_without_a_row_are_removed_and_rows_without_a_blob_reported() {
    let fixture = Fixture::new().await;
    let specification = "name: web\nchannels: [main]\ndependencies: [python]\n";
    let specification = Specification::from_yaml(specification, &SpecificationLimits::default()).unwrap();
    let build = fixture.store.submit(&"default".parse().unwrap(), specification).await.unwrap();
    let catalogue = fixture.store.catalogue();
    for (artifact_type, key) in [
        (ArtifactType::Logs, "logs/1.log"),
        (ArtifactType::Lockfile, "lockfile/gone.yml"),
        (ArtifactType::Yaml, "../never/a/key"),
        (ArtifactType::Directory, "/srv/environments/web"),
        (ArtifactType::ContainerRegistry, "https://registry.example.org/web:1"),
    ] {
        catalogue.add_artifact(build.id, artifact_type, key).await.unwrap();
    }
    for key in ["logs/1.log", "logs/2.log", "docker/blobs/2", "else/2", "logs2"] {
        fixture.put(key).await;
    }
    fixture.clock.advance(Duration::from_hours(6 * 24));
    fixture.put("archive/young.tar.gz").await;
    let found = fixture.search().await;
    assert_eq!(found, Orphans { removed: 0, removed_bytes: 0, young: 3, missing: 2 });
    assert_eq!(fixture.keys().await.len(), 6);

    fixture.clock.advance(Duration::from_hours(2 * 24));
    let found = fixture.search().await;
    assert_eq!(found, Orphans { removed: 2, removed_bytes: 10, young: 1, missing: 2 });
    assert_eq!(fixture.keys().await, ["archive/young.tar.gz", "else/2", "logs/1.log", "logs2"]);
}

#[tokio::test]
async fn more_than_one_page_is_looked_through_by_the_job() {
    let fixture = Fixture::new().await;
    for number in 0..1100 {
        fixture.put(&format!("logs/{number}.log")).await;
    }
    fixture.clock.advance(Duration::from_hours(8 * 24));
    assert!(fixture.store.periodic().contains(&Job::Orphans));
    let attempt = Attempt {
        worker: "test".into(),
        number: 1,
        limit: 3,
        lease: Duration::from_mins(1),
        cancellation: CancellationToken::new(),
        stop: Arc::default(),
    };
    assert_eq!(fixture.store.handle(&Job::Orphans, &attempt).await.unwrap(), Outcome::Done);
    assert!(fixture.keys().await.is_empty());
}

#[tokio::test]
async fn a_search_that_is_stopped_removes_nothing_more() {
    let fixture = Fixture::new().await;
    fixture.put("logs/1.log").await;
    fixture.clock.advance(Duration::from_hours(8 * 24));
    let stopped = CancellationToken::new();
    stopped.cancel();
    assert_eq!(fixture.store.remove_orphans(&stopped).await.unwrap(), Orphans::default());
    assert_eq!(fixture.keys().await, ["logs/1.log"]);
}
