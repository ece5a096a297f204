//! What several builds ask for is done once at a time, by whichever worker.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

mod artifacts;
mod solves;

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use conda_store_core::{
    CondaStore, CondaStoreBuilder,
    catalogue::{Catalogue, Database},
    clock::SystemClock,
    model::{Build, BuildId},
    paths::{Layout, LayoutOptions},
    settings::Settings,
    specification::{Specification, SpecificationLimits},
    storage::StorageExt,
};
use conda_store_queue::{SqlQueue, Worker};
use conda_store_storage::{LocalStorage, LocalStorageConfig};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// One process's service, with a worker; several share a directory.
struct Service {
    store: CondaStore,
    _stop: tokio_util::sync::DropGuard,
    worker: tokio::task::JoinHandle<()>,
}

impl Service {
    async fn start(
        directory: &Path,
        jobs_at_once: usize,
        change: impl FnOnce(CondaStoreBuilder) -> CondaStoreBuilder,
    ) -> Self {
        let clock = || Arc::new(SystemClock);
        let database = format!("sqlite:{}/catalogue.db", directory.display());
        let database = Database::connect(&database).await.unwrap();
        let catalogue = Catalogue::new(database.clone(), clock());
        catalogue.migrate().await.unwrap();
        let parts = CondaStore::builder()
            .catalogue(catalogue)
            .storage(storage(directory).await)
            .queue(SqlQueue::migrated(database, clock()).await.unwrap())
            .layout(Layout::new(&LayoutOptions::new("state"), directory).unwrap())
            .settings(settings());
        let store = change(parts).build().await.unwrap();
        let stop = CancellationToken::new();
        let worker = Worker::builder(Arc::new(store.clone()), Arc::clone(store.queue()), clock())
            .concurrency(NonZeroUsize::new(jobs_at_once).unwrap())
            .build();
        let stopped = stop.clone();
        let worker = tokio::spawn(async move { worker.run(stopped).await });
        Self { store, _stop: stop.drop_guard(), worker }
    }

    async fn submit(&self, namespace: &str, text: &str) -> BuildId {
        let specification = Specification::from_yaml(text, &SpecificationLimits::default()).unwrap();
        self.store.submit(&namespace.parse().unwrap(), specification).await.unwrap().id
    }

    async fn build(&self, id: BuildId) -> Build {
        self.store.catalogue().build(id).await.unwrap().unwrap()
    }

    async fn ended(&self, id: BuildId) -> Build {
        until("the build ends", async || self.build(id).await.status.is_final()).await;
        self.build(id).await
    }

    async fn log(&self, id: BuildId) -> String {
        let key = format!("logs/{}.log", self.store.build_key(&self.build(id).await).unwrap());
        let log = self.store.storage().read(&key.parse().unwrap(), u64::MAX).await.unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }
}

fn settings() -> Settings {
    Settings {
        conda_indexed_channels: Vec::new(),
        build_artifacts: Vec::new(),
        storage_threshold: 0,
        ..Settings::default()
    }
}

async fn storage(directory: &Path) -> LocalStorage {
    let config = LocalStorageConfig { storage_path: directory.join("storage"), storage_url: None };
    LocalStorage::open(config, Arc::new(SystemClock)).await.unwrap()
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
