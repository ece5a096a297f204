//! A service composed in one process from the library's parts, as an integrator would.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

mod artifacts;
mod lockfiles;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use conda_store_core::{
    CondaStore, CondaStoreBuilder, Error, Result,
    catalogue::{Catalogue, Database},
    clock::SystemClock,
    event::{BuildEvent, Phase, Reporter},
    job::{Attempt, Job, JobHandler},
    model::{Build, BuildStatus},
    paths::{Layout, LayoutOptions},
    pipeline::BuildObserver,
    settings::Settings,
    solver::{Lock, SolveRequest, Solver},
    specification::{Specification, SpecificationLimits},
};
use conda_store_queue::{MemoryQueue, Worker};
use conda_store_storage::MemoryStorage;
use tokio_util::sync::CancellationToken;

async fn database(directory: &Path) -> Database {
    Database::connect(&format!("sqlite:{}/catalogue.db", directory.display())).await.unwrap()
}

/// What every service here is made of.
async fn parts(directory: &Path) -> CondaStoreBuilder {
    let clock = || Arc::new(SystemClock);
    let catalogue = Catalogue::new(database(directory).await, clock());
    catalogue.migrate().await.unwrap();
    CondaStore::builder()
        .catalogue(catalogue)
        .storage(MemoryStorage::new(clock()))
        .queue(MemoryQueue::new(clock()))
        .layout(Layout::new(&LayoutOptions::new("state"), directory).unwrap())
        .settings(settings())
}

fn settings() -> Settings {
    Settings { conda_indexed_channels: Vec::new(), ..Settings::default() }
}

/// A service with a worker in this process; both end when it is dropped.
struct Service {
    store: CondaStore,
    directory: tempfile::TempDir,
    _stop: tokio_util::sync::DropGuard,
}

impl Service {
    async fn start(change: impl FnOnce(CondaStoreBuilder) -> CondaStoreBuilder) -> Self {
        let directory = tempfile::Builder::new().prefix("cs").tempdir().unwrap();
        let store = change(parts(directory.path()).await).build().await.unwrap();
        let stop = CancellationToken::new();
        let worker = Worker::builder(Arc::new(store.clone()), Arc::clone(store.queue()), Arc::new(SystemClock)).build();
        let stopped = stop.clone();
        tokio::spawn(async move { worker.run(stopped).await });
        Self { store, directory, _stop: stop.drop_guard() }
    }

    async fn build(&self, text: &str) -> Build {
        let specification = Specification::from_yaml(text, &SpecificationLimits::default()).unwrap();
        let namespace = "default".parse().unwrap();
        let build = self.store.submit(&namespace, specification).await.unwrap();
        loop {
            let build = self.store.catalogue().build(build.id).await.unwrap().unwrap();
            if build.status.is_final() {
                return build;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Sends the phases that end to a channel.
#[derive(Clone, Debug)]
struct Phases(tokio::sync::mpsc::UnboundedSender<Phase>);

impl Reporter for Phases {
    fn report(&self, event: BuildEvent) {
        if let BuildEvent::PhaseFinished { phase, .. } = event {
            let _nobody_listens = self.0.send(phase);
        }
    }
}

impl BuildObserver for Phases {
    fn watch(&self, _build: &Build) -> Arc<dyn Reporter> {
        Arc::new(self.clone())
    }
}

fn specification(channel: &Path, packages: &str) -> String {
    format!("name: web\nchannels: ['file://{}']\ndependencies: [{packages}]\n", channel.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_seen_step_by_step_and_ends_in_a_symlink() {
    let Some(channel) = conda_store_core::testing::service("channel") else { return };
    let channel = Path::new(&channel).canonicalize().unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let service = Service::start(|parts| parts.observer(Phases(sender))).await;

    let build = service.build(&specification(&channel, "hello-py, python=3.13")).await;

    assert_eq!((build.status, build.status_info.as_deref()), (BuildStatus::Completed, None));
    let mut phases = Vec::new();
    while let Ok(phase) = receiver.try_recv() {
        phases.push(phase);
    }
    assert_eq!(phases, [Phase::Solve, Phase::Fetch, Phase::Link, Phase::Permissions]);
    let link = service.directory.path().join("state/default/envs/web");
    // It follows a moment after the build is completed.
    let there = async {
        while !link.is_dir() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), there).await.unwrap();
    let output = std::process::Command::new(link.join("bin/hello-py")).output();
    assert!(output.unwrap().status.success());
}

fn attempt() -> Attempt {
    Attempt {
        worker: "a worker".into(),
        number: 1,
        limit: 3,
        lease: Duration::from_secs(30),
        cancellation: CancellationToken::new(),
        stop: Arc::default(),
    }
}

/// Fails after the catalogue went out of reach and somebody else finished the build.
#[derive(Clone, Debug)]
struct Overtaken {
    database: Database,
    prefix: Arc<OnceLock<PathBuf>>,
}

#[async_trait]
impl Solver for Overtaken {
    async fn solve(&self, _: &SolveRequest, _: &dyn Reporter, _: &CancellationToken) -> Result<Lock> {
        std::fs::create_dir_all(self.prefix.get().unwrap().join("bin")).unwrap();
        let Database::Sqlite(pool) = &self.database else { unreachable!("the database is SQLite") };
        sqlx::query("alter table cs_build_run rename to out_of_reach").execute(pool).await.unwrap();
        Err(Error::unexpected("solve environment", "the machine was suspended"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_cannot_tell_whose_the_build_is_removes_nothing() {
    let directory = tempfile::Builder::new().prefix("cs").tempdir().unwrap();
    let solver = Overtaken { database: database(directory.path()).await, prefix: Arc::default() };
    let store = parts(directory.path()).await.solver(solver.clone()).build().await.unwrap();
    let text = specification(Path::new("/channel"), "python");
    let specification = Specification::from_yaml(&text, &SpecificationLimits::default()).unwrap();
    let build = store.submit(&"default".parse().unwrap(), specification).await.unwrap();
    let prefix = store.layout().build_path(&build).unwrap();
    solver.prefix.set(prefix.clone()).unwrap();

    let error = store.handle(&Job::Build { build_id: build.id }, &attempt()).await.unwrap_err();

    assert!(error.report().contains("cs_build_run"), "the job is tried again: {}", error.report());
    assert!(prefix.join("bin").is_dir(), "what another worker built is in use");
}
