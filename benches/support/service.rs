//! A whole service in this process: a catalogue in memory, and a worker that waits for builds.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use conda_store_core::{
    CondaStore,
    catalogue::{Catalogue, Database},
    clock::{Clock, SystemClock},
    conda::Client,
    model::{Build, BuildStatus, NamespaceName},
    paths::{Layout, LayoutOptions},
    settings::Settings,
    specification::{Specification, SpecificationLimits},
};
use conda_store_queue::{MemoryQueue, Worker};
use conda_store_storage::MemoryStorage;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use url::Url;

/// How often a build is looked after.
const GLANCE: Duration = Duration::from_millis(2);

/// A service with its worker, which both end with this.
pub(crate) struct Service {
    pub(crate) store: CondaStore,
    _worker: AbortOnDropHandle<()>,
}

impl Service {
    /// A service that builds in `directory`, which is made.
    pub(crate) async fn start(client: &Client, directory: &Path) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let catalogue = Catalogue::new(Database::connect("sqlite::memory:").await?, Arc::clone(&clock));
        catalogue.migrate().await?;
        std::fs::create_dir_all(directory)?;
        let builder = CondaStore::builder()
            .catalogue(catalogue)
            .storage(MemoryStorage::new(Arc::clone(&clock)))
            .queue(MemoryQueue::new(Arc::clone(&clock)))
            .layout(Layout::new(&LayoutOptions::new(directory), directory)?)
            .client(client.clone())
            .settings(Settings { storage_threshold: 0, ..Settings::default() });
        let store = builder.build().await?;
        let worker = Worker::builder(Arc::new(store.clone()), Arc::clone(store.queue()), clock).build();
        let worker = tokio::spawn(async move { worker.run(CancellationToken::new()).await });
        Ok(Self { store, _worker: AbortOnDropHandle::new(worker) })
    }

    /// Hands in the environment `name` of these packages, and waits until it is built.
    pub(crate) async fn build(&self, name: &str, channel: &Url, specs: &[&str]) -> Result<Build> {
        let text = format!("name: {name}\nchannels: ['{channel}']\ndependencies: {}\n", serde_json::json!(specs));
        let specification = Specification::from_yaml(&text, &SpecificationLimits::default())?;
        let namespace: NamespaceName = "default".parse()?;
        let build = self.store.submit(&namespace, specification).await?;
        loop {
            let now = self.store.catalogue().build(build.id).await?.context("the build is gone")?;
            if now.status == BuildStatus::Completed {
                return Ok(now);
            }
            ensure!(!now.status.is_final(), "build is {}: {}", now.status, now.status_info.unwrap_or_default());
            tokio::time::sleep(GLANCE).await;
        }
    }
}
