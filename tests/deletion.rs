//! What a worker removes of deleted builds, and what it leaves.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

use std::{path::PathBuf, sync::Arc, time::Duration};

use conda_store_core::{
    CondaStore,
    catalogue::{ArtifactState, Catalogue, Database},
    clock::SystemClock,
    job::{Attempt, Job, JobHandler, Outcome},
    model::{ArtifactType, Build, BuildId, BuildStatus, EnvironmentName, NamespaceName},
    paths::{Layout, LayoutOptions},
    specification::{Specification, SpecificationLimits},
    storage::{StorageExt, StorageKey},
};
use conda_store_examples::demo;
use conda_store_queue::MemoryQueue;
use conda_store_storage::MemoryStorage;
use tokio_util::sync::CancellationToken;

/// A service whose jobs the test does itself.
struct Service {
    store: CondaStore,
    channel: PathBuf,
    directory: tempfile::TempDir,
}

impl Service {
    async fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("cs").tempdir().unwrap();
        let channel = directory.path().join("channel");
        demo::channel::write(&channel, demo::packages()).await.unwrap();
        let clock = || Arc::new(SystemClock);
        let database = Database::connect(&format!("sqlite:{}/catalogue.db", directory.path().display())).await.unwrap();
        let catalogue = Catalogue::new(database, clock());
        catalogue.migrate().await.unwrap();
        let store = CondaStore::builder()
            .catalogue(catalogue)
            .storage(MemoryStorage::new(clock()))
            .queue(MemoryQueue::new(clock()))
            .layout(Layout::new(&LayoutOptions::new("state"), directory.path()).unwrap())
            .build()
            .await
            .unwrap();
        Self { store, channel, directory }
    }

    async fn submit(&self) -> BuildId {
        let text = format!(
            "name: web\nchannels: ['file://{}']\ndependencies: [conda-store-demo-hello]\n",
            self.channel.display()
        );
        let specification = Specification::from_yaml(&text, &SpecificationLimits::default()).unwrap();
        self.store.submit(&namespace(), specification).await.unwrap().id
    }

    /// A completed build.
    async fn build(&self) -> Build {
        let build_id = self.submit().await;
        assert_eq!(self.work(&Job::Build { build_id }).await, Outcome::Done);
        let build = self.store.catalogue().build(build_id).await.unwrap().unwrap();
        assert_eq!(build.status, BuildStatus::Completed, "{:?}", build.status_info);
        build
    }

    async fn work(&self, job: &Job) -> Outcome {
        let attempt = Attempt {
            worker: "a worker".into(),
            number: 1,
            limit: 3,
            lease: Duration::from_secs(30),
            cancellation: CancellationToken::new(),
            stop: Arc::default(),
        };
        self.store.handle(job, &attempt).await.unwrap()
    }

    /// Does every job that waits.
    async fn work_off(&self) {
        while let Some(lease) = self.store.queue().lease("a worker", Duration::from_mins(1)).await.unwrap() {
            let job = Job::from_payload(&lease.payload).unwrap();
            assert_eq!(self.work(&job).await, Outcome::Done);
            self.store.queue().ack(&lease).await.unwrap();
        }
    }

    fn prefix(&self, build: &Build) -> PathBuf {
        self.store.layout().build_path(build).unwrap()
    }

    fn link(&self) -> PathBuf {
        self.directory.path().join("state/default/envs/web")
    }

    async fn artifacts(&self, build: &Build) -> Vec<ArtifactType> {
        let artifacts = self.store.catalogue().artifacts(build.id).await.unwrap();
        artifacts.into_iter().map(|artifact| artifact.artifact_type).collect()
    }

    async fn put(&self, build: &Build, artifact_type: ArtifactType, key: &str) {
        let blob: StorageKey = key.parse().unwrap();
        self.store.storage().put(&blob, "content".to_owned().into()).await.unwrap();
        self.store.catalogue().add_artifact(build.id, artifact_type, key).await.unwrap();
    }
}

fn namespace() -> NamespaceName {
    "default".parse().unwrap()
}

fn web() -> EnvironmentName {
    "web".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_build_leaves_what_is_kept_and_what_others_need() {
    let service = Service::new().await;
    let (old, current) = (service.build().await, service.build().await);
    let archive = format!("archive/{}.tar.gz", old.id);
    service.put(&old, ArtifactType::CondaPack, &archive).await;
    service.put(&old, ArtifactType::DockerBlob, "docker/blobs/both").await;
    service.put(&current, ArtifactType::DockerBlob, "docker/blobs/both").await;
    service.put(&old, ArtifactType::DockerBlob, "docker/blobs/one").await;

    service.store.delete_build(old.id).await.unwrap();
    assert!(service.prefix(&old).try_exists().unwrap(), "nothing is removed before a worker does it");
    service.work_off().await;

    assert!(!service.prefix(&old).try_exists().unwrap());
    assert_eq!(service.artifacts(&old).await, [ArtifactType::Logs, ArtifactType::Lockfile]);
    let states = service.store.catalogue().artifact_states(old.id).await.unwrap();
    assert!(
        states.iter().all(|progress| progress.state == ArtifactState::Done),
        "nothing is still to be made: {states:?}"
    );
    let keys = service.store.storage().keys("").await.unwrap();
    let keys: Vec<&str> = keys.iter().map(StorageKey::as_str).collect();
    assert_eq!(
        keys.iter().filter(|key| key.starts_with("logs/") || key.starts_with("lockfile/")).count(),
        4,
        "{keys:?}"
    );
    assert_eq!(keys.iter().filter(|key| key.starts_with("docker/")).collect::<Vec<_>>(), [&"docker/blobs/both"]);
    assert!(!keys.contains(&archive.as_str()), "{keys:?}");
    assert_eq!(std::fs::read_link(service.link()).unwrap(), service.prefix(&current));
    assert!(service.prefix(&current).join("conda-meta/history").is_file());
    assert_eq!(service.store.catalogue().unfinished_deletions(None, 10).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_environment_is_gone_also_where_the_queue_lost_its_jobs() {
    let service = Service::new().await;
    let (old, current) = (service.build().await, service.build().await);
    let waiting = service.submit().await;
    // As an earlier attempt left it, whose worker was lost.
    let staged = service.prefix(&old).parent().unwrap().join(format!("!staging/{waiting}-1"));
    std::fs::create_dir(&staged).unwrap();
    // As the layout was when the first was built.
    let elsewhere = service.directory.path().join("state/elsewhere").join(service.prefix(&old).file_name().unwrap());
    std::fs::create_dir_all(&elsewhere).unwrap();
    let outside = service.directory.path().join("outside").join(service.prefix(&old).file_name().unwrap());
    std::fs::create_dir_all(&outside).unwrap();
    for path in [&elsewhere, &outside] {
        let path = path.to_str().unwrap();
        service.store.catalogue().add_artifact(old.id, ArtifactType::Directory, path).await.unwrap();
    }

    service.store.delete_environment(&namespace(), &web()).await.unwrap();
    service.store.queue().cancel(&Job::Deletions.name()).await.unwrap();
    assert_eq!(service.work(&Job::Sweep).await, Outcome::Done);
    service.work_off().await;

    for path in [service.prefix(&old), service.prefix(&current), staged, elsewhere] {
        assert!(!path.try_exists().unwrap(), "{}", path.display());
    }
    assert!(outside.try_exists().unwrap(), "what is not below the store's directory is not the store's");
    assert!(service.link().symlink_metadata().is_err());
    assert_eq!(service.store.catalogue().unfinished_deletions(None, 10).await.unwrap(), []);

    let again = service.build().await;
    assert_eq!(std::fs::read_link(service.link()).unwrap(), service.prefix(&again));
    assert_eq!(service.work(&Job::DeleteBuild { build_id: current.id }).await, Outcome::Done);
    assert!(service.prefix(&again).try_exists().unwrap() && service.link().try_exists().unwrap());
}
