//! Builds that are kept no longer: which go by the settings, and that they go as if somebody had deleted them.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

use std::{sync::Arc, time::Duration};

use conda_store_core::{
    CondaStore,
    auth::Scope,
    catalogue::{BuildQuery, BuildResult, Catalogue, Claim, Database},
    clock::Clock,
    job::{Attempt, Job, JobHandler, Outcome, Stop},
    model::{ArtifactType, BuildId},
    paths::{Layout, LayoutOptions},
    settings::{SettingPlace, Settings},
    specification::{Specification, SpecificationLimits},
    storage::StorageExt,
    testing::{ManualClock, service},
};
use conda_store_queue::MemoryQueue;
use conda_store_storage::MemoryStorage;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use tokio_util::sync::CancellationToken;

const DAY: Duration = Duration::from_hours(24);
const LEASE: Duration = Duration::from_mins(1);

/// A service whose jobs the test does itself.
struct Service {
    store: CondaStore,
    clock: Arc<ManualClock>,
    _directory: tempfile::TempDir,
}

impl Service {
    async fn new(database: &Database) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new());
        let shared = || -> Arc<dyn Clock> { Arc::<ManualClock>::clone(&clock) };
        let catalogue = Catalogue::new(database.clone(), shared());
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

    async fn queue(&self, path: &str) -> BuildId {
        let (namespace, name) = path.split_once('/').unwrap();
        let text = format!("name: {name}\nchannels: [main]\ndependencies: [python]\n");
        let specification = Specification::from_yaml(&text, &SpecificationLimits::default()).unwrap();
        self.store.submit(&namespace.parse().unwrap(), specification).await.unwrap().id
    }

    /// A build that is completed and the current one, with an archive and a lockfile.
    async fn complete(&self, path: &str) -> BuildId {
        let (catalogue, build) = (self.store.catalogue(), self.queue(path).await);
        let claim = catalogue.claim_build(build, "worker", LEASE).await.unwrap();
        let Claim::Started { attempt, .. } = claim else { panic!("{claim:?}") };
        let result = BuildResult { size: 10, packages: &[], make_current: true, artifacts: &[] };
        catalogue.complete_build(build, attempt, result).await.unwrap();
        for (artifact_type, key) in [
            (ArtifactType::CondaPack, format!("archive/{build}")),
            (ArtifactType::Lockfile, format!("lockfile/{build}")),
        ] {
            self.store.storage().put(&key.parse().unwrap(), "content".to_owned().into()).await.unwrap();
            catalogue.add_artifact(build, artifact_type, &key).await.unwrap();
        }
        build
    }

    async fn set(&self, place: SettingPlace<'_>, settings: Value) {
        self.store.change_settings(place, settings.as_object().unwrap()).await.unwrap();
    }

    async fn work(&self, job: &Job, attempt: &Attempt) -> Outcome {
        self.store.handle(job, attempt).await.unwrap()
    }

    /// Does the job, and what follows of it.
    async fn retain(&self) {
        assert_eq!(self.work(&Job::Retention, &attempt()).await, Outcome::Done);
        while let Some(lease) = self.store.queue().lease("worker", LEASE).await.unwrap() {
            let job = Job::from_payload(&lease.payload).unwrap();
            if matches!(job, Job::DeleteBuild { .. }) {
                assert_eq!(self.work(&job, &attempt()).await, Outcome::Done);
            }
            self.store.queue().ack(&lease).await.unwrap();
        }
        assert_eq!(self.store.catalogue().unfinished_deletions(None, 10).await.unwrap(), []);
    }

    /// The builds that are not deleted.
    async fn builds(&self) -> Vec<BuildId> {
        let everything = Scope::everything();
        let builds = self.store.catalogue().builds(&BuildQuery::new(&everything, 100)).await.unwrap();
        builds.items.into_iter().filter(|build| build.deleted_on.is_none()).map(|build| build.id).collect()
    }
}

fn attempt() -> Attempt {
    Attempt {
        worker: "worker".into(),
        number: 1,
        limit: 3,
        lease: LEASE,
        cancellation: CancellationToken::new(),
        stop: Arc::default(),
    }
}

/// Runs `body` on `SQLite` and, where there is one, on PostgreSQL, in a schema of its own.
async fn both(name: &str, body: impl AsyncFn(Service)) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/catalogue.db", directory.path().display());
    body(Service::new(&Database::connect(&url).await.unwrap()).await).await;
    let Some(url) = service("postgres") else { return };
    let schema = format!("test_{name}_{}", std::process::id());
    let mut administrator = PgConnection::connect(&url).await.unwrap();
    raw_sql(AssertSqlSafe(format!("create schema {schema}"))).execute(&mut administrator).await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    let database = Database::connect(&format!("{url}{separator}options[search_path]={schema}")).await.unwrap();
    body(Service::new(&database).await).await;
    database.close().await;
    raw_sql(AssertSqlSafe(format!("drop schema {schema} cascade"))).execute(&mut administrator).await.unwrap();
}

#[tokio::test]
async fn old_builds_go_as_if_somebody_had_deleted_them() {
    both("deleted", async |service| {
        let (first, second, current) = (
            service.complete("team/web").await,
            service.complete("team/web").await,
            service.complete("team/web").await,
        );
        let waiting = service.queue("team/web").await;
        service.retain().await;
        assert_eq!(service.builds().await, [first, second, current, waiting], "every version is kept by default");

        service.set(SettingPlace::Global, json!({"max_kept_builds": 2})).await;
        service.retain().await;
        assert_eq!(service.builds().await, [second, current, waiting]);
        let artifacts = service.store.catalogue().artifacts(first).await.unwrap();
        let artifacts: Vec<_> = artifacts.iter().map(|artifact| artifact.artifact_type).collect();
        assert_eq!(artifacts, [ArtifactType::Lockfile], "as build_artifacts_kept_on_deletion says");
        let keys = service.store.storage().keys("archive/").await.unwrap();
        assert_eq!(keys.len(), 2, "{keys:?}");
        let usage = service.store.catalogue().usage(&Scope::everything()).await.unwrap();
        assert_eq!((usage[0].builds, usage[0].bytes), (3, 20));

        service.set(SettingPlace::Global, json!({"max_kept_builds": null, "max_kept_days": 3})).await;
        service.clock.advance(3 * DAY);
        service.retain().await;
        assert_eq!(service.builds().await, [second, current, waiting]);
        service.clock.advance(DAY);
        service.retain().await;
        assert_eq!(service.builds().await, [current, waiting], "the current one stays, and so does what is not over");
    })
    .await;
}

#[tokio::test]
async fn the_nearest_setting_decides() {
    both("nearest", async |service| {
        let mut builds = Vec::new();
        for path in ["a/web", "a/lab", "b/web", "b/lab"] {
            builds.push([service.complete(path).await, service.complete(path).await, service.complete(path).await]);
        }
        let (a, b, web) = ("a".parse().unwrap(), "b".parse().unwrap(), "web".parse().unwrap());
        let left = async |kept: [u8; 4]| {
            service.retain().await;
            let newest = builds.iter().zip(kept).flat_map(|(builds, kept)| &builds[3 - usize::from(kept)..]);
            assert_eq!(service.builds().await, newest.copied().collect::<Vec<_>>());
        };
        service.set(SettingPlace::Environment(&a, &web), json!({"max_kept_builds": 2})).await;
        left([2, 3, 3, 3]).await;
        service.set(SettingPlace::Namespace(&b), json!({"max_kept_builds": 2})).await;
        service.set(SettingPlace::Environment(&b, &web), json!({"max_kept_builds": null})).await;
        left([2, 3, 3, 2]).await;
        service.set(SettingPlace::Environment(&b, &web), json!({"max_kept_builds": 2})).await;
        left([2, 3, 2, 2]).await;
        service.set(SettingPlace::Namespace(&a), json!({"max_kept_builds": null})).await;
        service.set(SettingPlace::Global, json!({"max_kept_builds": 1})).await;
        left([2, 3, 2, 2]).await;
        service.set(SettingPlace::Namespace(&b), json!({"max_kept_builds": 1})).await;
        left([2, 3, 2, 1]).await;
    })
    .await;
}

#[tokio::test]
async fn the_job_comes_every_hour_and_stops_when_told() {
    both("hourly", async |service| {
        assert!(service.store.periodic().contains(&Job::Retention));
        assert_eq!(Job::Retention.kind().every(), Some(Duration::from_hours(1)));
        let builds = [service.complete("team/web").await, service.complete("team/web").await];
        service.set(SettingPlace::Global, json!({"max_kept_builds": 1})).await;
        for (stop, outcome) in [(Stop::Shutdown, Outcome::HandBack), (Stop::Canceled, Outcome::Done)] {
            let stopped = attempt();
            stopped.stop(stop);
            assert_eq!(service.work(&Job::Retention, &stopped).await, outcome);
        }
        assert_eq!(service.builds().await, builds);
        service.retain().await;
        assert_eq!(service.builds().await, builds[1..]);
    })
    .await;
}
