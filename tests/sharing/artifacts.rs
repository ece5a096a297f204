//! The archive of one lock is made once; other builds take a copy of it, and nobody waits for one that is never done.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use conda_store_core::{
    Result,
    catalogue::{ArtifactProgress, ArtifactState},
    model::{ArchiveFormat, ArtifactType, BuildId, BuildStatus},
    settings::{SettingPlace, Settings},
    storage::{Blob, BlobInfo, Body, Link, LinkOptions, Storage, StorageCapabilities, StorageExt, StorageKey},
};
use conda_store_examples::demo::channel::{self as demo, Package, PackagedFile};
use conda_store_storage::LocalStorage;
use futures::stream::BoxStream;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::{Service, settings, storage, until};

/// A storage that takes archives when the test lets it, and counts them.
#[derive(Clone, Debug)]
struct Gated {
    inner: Arc<LocalStorage>,
    allowed: Arc<Semaphore>,
    /// Uploads that were begun.
    begun: Arc<AtomicUsize>,
    /// Archives that were read, to be copied.
    read: Arc<AtomicUsize>,
}

impl Gated {
    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    fn read(&self) -> usize {
        self.read.load(Ordering::SeqCst)
    }
}

fn is_archive(key: &StorageKey) -> bool {
    key.as_str().starts_with("archive/")
}

#[async_trait]
impl Storage for Gated {
    fn capabilities(&self) -> StorageCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &StorageKey, body: Body) -> Result<BlobInfo> {
        if is_archive(key) {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.allowed.acquire().await.unwrap().forget();
        }
        self.inner.put(key, body).await
    }

    async fn get(&self, key: &StorageKey, range: Option<Range<u64>>) -> Result<Blob> {
        let blob = self.inner.get(key, range).await?;
        self.read.fetch_add(usize::from(is_archive(key)), Ordering::SeqCst);
        Ok(blob)
    }

    async fn head(&self, key: &StorageKey) -> Result<Option<BlobInfo>> {
        self.inner.head(key).await
    }

    async fn link(&self, key: &StorageKey, options: &LinkOptions) -> Result<Link> {
        self.inner.link(key, options).await
    }

    async fn delete(&self, key: &StorageKey) -> Result<()> {
        self.inner.delete(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<BlobInfo>> {
        self.inner.list(prefix)
    }
}

/// A directory with a channel, and what services in it have in common.
struct Site {
    directory: TempDir,
    storage: Gated,
}

impl Site {
    async fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("cs").tempdir().unwrap();
        let package = |name: &str| Package {
            name: name.into(),
            version: "1.0".into(),
            depends: Vec::new(),
            summary: "holds a file".into(),
            files: vec![PackagedFile { path: format!("share/{name}"), text: name.into(), executable: false }],
        };
        let packages = vec![package("one"), package("two")];
        Box::pin(demo::write(&directory.path().join("channel"), packages)).await.unwrap();
        let storage = Gated {
            inner: Arc::new(storage(directory.path()).await),
            allowed: Arc::new(Semaphore::new(0)),
            begun: Arc::default(),
            read: Arc::default(),
        };
        Self { directory, storage }
    }

    /// One whose storage takes everything at once.
    async fn open() -> Self {
        let site = Self::new().await;
        site.storage.allowed.add_permits(100);
        site
    }

    async fn start(&self, jobs_at_once: usize) -> Service {
        let settings = Settings { build_artifacts: vec![ArtifactType::CondaPack], ..settings() };
        let change =
            |parts: conda_store_core::CondaStoreBuilder| parts.settings(settings).storage(self.storage.clone());
        Service::start(self.directory.path(), jobs_at_once, change).await
    }

    fn specification(&self, packages: &str, more: &str) -> String {
        let channel = self.directory.path().join("channel");
        format!("name: web\nchannels: ['file://{}']\ndependencies: [{packages}]\n{more}", channel.display())
    }

    /// A completed build in a namespace of its own.
    async fn build(&self, service: &Service, namespace: &str) -> BuildId {
        built(service, namespace, &self.specification("one", "")).await
    }

    /// The archive of a build, once it is there.
    async fn archive(&self, service: &Service, build: BuildId) -> Vec<u8> {
        until("the archive is made", async || progress(service, build).await.state != ArtifactState::Pending).await;
        let done = progress(service, build).await;
        assert_eq!((done.state, &done.message), (ArtifactState::Done, &None));
        let bytes = self.storage.inner.read(&key(service, build).await, u64::MAX).await.unwrap();
        assert_eq!(done.size, i64::try_from(bytes.len()).ok());
        assert_eq!(done.sha256, ArtifactProgress::done(ArtifactType::CondaPack, &bytes).sha256);
        bytes.to_vec()
    }

    /// A build whose archive is on its way into storage.
    async fn making(&self, service: &Service) -> BuildId {
        let making = self.build(service, "first").await;
        until("the first archive is made", async || self.storage.begun() == 1).await;
        making
    }

    /// One more that asks for the same archive meanwhile.
    async fn waiting(&self, service: &Service) -> BuildId {
        let waiting = self.build(service, "second").await;
        until("the second one waits", async || leased(service).await == 2).await;
        waiting
    }
}

async fn built(service: &Service, namespace: &str, specification: &str) -> BuildId {
    let build = service.submit(namespace, specification).await;
    let ended = service.ended(build).await;
    assert_eq!(ended.status, BuildStatus::Completed, "{:?}", ended.status_info);
    build
}

/// How many jobs of builds and artifacts workers have in hand.
async fn leased(service: &Service) -> u64 {
    service.store.queue().depth().await.unwrap().leased
}

async fn progress(service: &Service, build: BuildId) -> ArtifactProgress {
    let states = service.store.catalogue().artifact_states(build).await.unwrap();
    states.into_iter().find(|progress| progress.artifact_type == ArtifactType::CondaPack).unwrap()
}

async fn key(service: &Service, build: BuildId) -> StorageKey {
    let artifacts = service.store.catalogue().artifacts(build).await.unwrap();
    let archive = artifacts.iter().find(|artifact| artifact.artifact_type == ArtifactType::CondaPack);
    archive.unwrap().key.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_build_takes_the_archive_of_the_first() {
    let site = Site::open().await;
    let service = site.start(2).await;
    let first = site.build(&service, "first").await;
    let made = site.archive(&service, first).await;
    assert_eq!((site.storage.begun(), site.storage.read()), (1, 0));

    let second = site.build(&service, "second").await;
    until("the copy is there", async || site.storage.begun() == 2).await;
    assert_eq!(site.storage.read(), 1, "it is read where the first one is");
    assert!(site.archive(&service, second).await == made);
    assert_ne!(key(&service, first).await, key(&service, second).await, "each has a blob of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_same_is_made() {
    let site = Site::open().await;
    let service = site.start(2).await;
    let first = site.build(&service, "first").await;
    let mut archives = vec![site.archive(&service, first).await];
    let specifications = [
        ("package", site.specification("one, two", "")),
        ("variable", site.specification("one", "variables: {GREETING: hello}\n")),
        ("value", site.specification("one", "variables: {GREETING: good day}\n")),
        ("format", site.specification("one", "")),
    ];
    for (namespace, specification) in specifications {
        if namespace == "format" {
            let changes = serde_json::json!({"archive_format": ArchiveFormat::TarZst.to_string()});
            let place = SettingPlace::Global;
            service.store.change_settings(place, changes.as_object().unwrap()).await.unwrap();
        }
        let build = built(&service, namespace, &specification).await;
        let archive = site.archive(&service, build).await;
        assert!(!archives.contains(&archive), "{namespace}");
        archives.push(archive);
    }
    assert_eq!(site.storage.read(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_gone_or_damaged_is_made_anew() {
    let site = Site::open().await;
    let service = site.start(2).await;
    let first = site.build(&service, "first").await;
    let made = site.archive(&service, first).await;
    site.storage.delete(&key(&service, first).await).await.unwrap();

    let second = site.build(&service, "second").await;
    assert!(site.archive(&service, second).await == made);
    assert_eq!(site.storage.read(), 0, "there was nothing to read");

    let damaged = made.iter().rev().copied().collect::<Vec<_>>();
    site.storage.put(&key(&service, second).await, Body::from(damaged)).await.unwrap();
    let third = site.build(&service, "third").await;
    assert!(site.archive(&service, third).await == made);
    assert_eq!(site.storage.read(), 1, "the damaged one was read, and none instead of it");

    let fourth = site.build(&service, "fourth").await;
    assert!(site.archive(&service, fourth).await == made);
    assert_eq!(site.storage.read(), 2, "the third one was copied, and nobody tries the damaged one again");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_make_the_same_archive_once() {
    let site = Site::new().await;
    let (first, second) = (site.start(1).await, site.start(1).await);
    let (making, waiting) = (site.making(&first).await, site.waiting(&second).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(site.storage.begun(), 1, "the second one waits");
    site.storage.allowed.add_permits(2);
    assert!(site.archive(&first, making).await == site.archive(&second, waiting).await);
    assert_eq!(site.storage.begun(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_is_canceled_within_a_second() {
    let site = Site::new().await;
    let service = site.start(2).await;
    let (making, waiting) = (site.making(&service).await, site.waiting(&service).await);
    let asked = Instant::now();
    service.store.cancel_build(waiting).await.unwrap();
    until("the worker has given it up", async || leased(&service).await == 1).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(progress(&service, waiting).await.message.as_deref(), Some("it was canceled"));
    site.storage.allowed.add_permits(1);
    site.archive(&service, making).await;
    assert_eq!(site.storage.begun(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_worker_leaves_its_archive_to_the_next() {
    let site = Site::new().await;
    let first = site.start(1).await;
    site.making(&first).await;
    let second = site.start(1).await;
    let waiting = site.waiting(&second).await;
    first.worker.abort();
    until("the second one is made", async || site.storage.begun() == 2).await;
    site.storage.allowed.add_permits(1);
    site.archive(&second, waiting).await;
    assert_eq!(site.storage.read(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_long_gives_its_place_to_other_work() {
    let site = Site::new().await;
    let service = site.start(2).await;
    let (making, waiting) = (site.making(&service).await, site.waiting(&service).await);
    let other = built(&service, "other", &site.specification("two", "")).await;
    until("the other archive is made beside", async || site.storage.begun() == 2).await;
    site.storage.allowed.add_permits(3);
    for build in [making, waiting, other] {
        site.archive(&service, build).await;
    }
    assert_eq!(site.storage.begun(), 3);
}
