//! What catalogue and queue do together: what the one makes good where the other fails, and how namespaces share workers.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use conda_store_core::{
    CondaStore,
    catalogue::{Catalogue, Database},
    clock::Clock,
    job::{Attempt, Job, JobHandler},
    model::BuildStatus,
    paths::{Layout, LayoutOptions},
    queue::{Queue, QueueDepth},
    settings::SettingPlace,
    specification::{Specification, SpecificationLimits},
    testing::{ManualClock, service},
};
use conda_store_queue::{MemoryQueue, RedisQueue};
use conda_store_storage::MemoryStorage;
use tokio_util::sync::CancellationToken;

const LEASE: Duration = Duration::from_secs(30);

/// Longer than a new build is left in peace by the sweeper.
const A_WHILE: Duration = Duration::from_secs(10);

async fn store(directory: &Path, clock: &Arc<ManualClock>, queue: impl Queue) -> CondaStore {
    let clock = || -> Arc<dyn Clock> { Arc::<ManualClock>::clone(clock) };
    let catalogue = Catalogue::new(Database::connect("sqlite::memory:").await.unwrap(), clock());
    catalogue.migrate().await.unwrap();
    let layout = Layout::new(&LayoutOptions::new("state"), directory).unwrap();
    let parts = CondaStore::builder().catalogue(catalogue).storage(MemoryStorage::new(clock())).layout(layout);
    parts.queue(queue).clock(clock()).build().await.unwrap()
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

#[tokio::test]
async fn a_flushed_redis_loses_no_build() {
    let Some(url) = service("redis") else { return };
    let (directory, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::new()));
    let prefix = format!("test-{}", std::process::id());
    let queue = RedisQueue::connect(&url, &prefix, Arc::<ManualClock>::clone(&clock)).await.unwrap();
    let store = store(directory.path(), &clock, queue).await;
    let mut names = BTreeSet::new();
    for number in 0..20 {
        let text = format!("name: env-{number}\nchannels: []\ndependencies: []\n");
        let specification = Specification::from_yaml(&text, &SpecificationLimits::default()).unwrap();
        let build = store.submit(&"default".parse().unwrap(), specification).await.unwrap();
        names.insert(Job::Build { build_id: build.id }.name());
    }
    // One is in a worker's hands, which dies with it.
    let held = store.queue().lease("worker", LEASE).await.unwrap().unwrap();
    let Job::Build { build_id } = Job::from_payload(&held.payload).unwrap() else { panic!("{held:?}") };
    store.catalogue().claim_build(build_id, "worker", LEASE).await.unwrap();
    assert_eq!(store.queue().depth().await.unwrap(), QueueDepth { ready: 19, delayed: 0, leased: 1 });

    flush(&url, &prefix);
    assert_eq!(store.queue().depth().await.unwrap(), QueueDepth::default());

    clock.advance(A_WHILE);
    store.handle(&Job::Sweep, &attempt()).await.unwrap();
    assert_eq!(store.queue().depth().await.unwrap().ready, 19, "what another worker has is left to it");
    clock.advance(LEASE);
    store.handle(&Job::Sweep, &attempt()).await.unwrap();
    let mut found = BTreeSet::new();
    while let Some(lease) = store.queue().lease("another", LEASE).await.unwrap() {
        found.insert(lease.name.clone());
        store.queue().ack(&lease).await.unwrap();
    }
    assert_eq!(found, names);
    let build = store.catalogue().build(build_id).await.unwrap().unwrap();
    assert_eq!(build.status, BuildStatus::Building, "its next attempt is to begin");
    flush(&url, &prefix);
}

#[tokio::test]
async fn a_job_that_only_the_queue_had_is_handed_in_again() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::new()));
    let store = store(directory.path(), &clock, MemoryQueue::new(Arc::<ManualClock>::clone(&clock))).await;
    let namespace = "team".parse().unwrap();
    store.catalogue().create_namespace(&namespace).await.unwrap();
    store.delete_namespace(&namespace).await.unwrap();
    store.queue().cancel(&Job::Deletions.name()).await.unwrap();
    store.handle(&Job::Sweep, &attempt()).await.unwrap();
    assert_eq!(store.queue().depth().await.unwrap(), QueueDepth::default(), "it may be on its way");
    clock.advance(A_WHILE);
    store.handle(&Job::Sweep, &attempt()).await.unwrap();
    let lease = store.queue().lease("worker", LEASE).await.unwrap().unwrap();
    assert_eq!(lease.name, Job::Deletions.name());
    store.handle(&Job::Deletions, &attempt()).await.unwrap();
    store.queue().ack(&lease).await.unwrap();
    clock.advance(A_WHILE);
    store.handle(&Job::Sweep, &attempt()).await.unwrap();
    assert_eq!(store.queue().depth().await.unwrap(), QueueDepth::default(), "it is done");
}

/// Hands in a build in `namespace`.
async fn submit(store: &CondaStore, namespace: &str, environment: &str) {
    let text = format!("name: {environment}\nchannels: []\ndependencies: []\n");
    let specification = Specification::from_yaml(&text, &SpecificationLimits::default()).unwrap();
    store.submit(&namespace.parse().unwrap(), specification).await.unwrap();
}

/// The namespaces of the builds that a worker gets now.
async fn leased(store: &CondaStore, clock: &ManualClock) -> Vec<String> {
    let mut namespaces = Vec::new();
    while let Some(lease) = store.queue().lease("worker", LEASE).await.unwrap() {
        let Job::Build { build_id } = Job::from_payload(&lease.payload).unwrap() else { panic!("{lease:?}") };
        namespaces.push(store.catalogue().build(build_id).await.unwrap().unwrap().namespace.to_string());
        clock.advance(Duration::from_millis(1));
    }
    namespaces
}

#[tokio::test]
async fn namespaces_share_workers_and_have_no_more_builds_at_once_than_their_settings_say() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::new()));
    let store = store(directory.path(), &clock, MemoryQueue::new(Arc::<ManualClock>::clone(&clock))).await;
    let crowd = "crowd".parse().unwrap();
    let limit = |builds: u32| serde_json::Map::from_iter([("max_concurrent_builds".to_owned(), builds.into())]);
    store.change_settings(SettingPlace::Namespace(&crowd), &limit(2)).await.unwrap();
    for number in 0..4 {
        submit(&store, "crowd", &format!("env-{number}")).await;
    }
    clock.advance(Duration::from_millis(1));
    for number in 0..2 {
        submit(&store, "small", &format!("env-{number}")).await;
    }
    assert_eq!(leased(&store, &clock).await, ["crowd", "small", "crowd", "small"]);

    // A change reaches also what waits already.
    store.change_settings(SettingPlace::Namespace(&crowd), &limit(3)).await.unwrap();
    clock.advance(A_WHILE);
    store.handle(&Job::Sweep, &attempt()).await.unwrap();
    assert_eq!(leased(&store, &clock).await, ["crowd"]);
}

/// Takes away every key of a queue, as a flush of the service does.
fn flush(url: &str, prefix: &str) {
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{{{prefix}}}:*")).query(&mut connection).unwrap();
    if !keys.is_empty() {
        redis::cmd("DEL").arg(keys).exec(&mut connection).unwrap();
    }
}
