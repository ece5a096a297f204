//! A network that drops the worker from its broker: the build it has is neither lost nor done twice.
//!
//! The short ones are run with leases of some seconds; `cargo test --test outage -- --ignored` has the real minute.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use conda_store_core::{
    CondaStore, CondaStoreBuilder, Error, ErrorKind, Result,
    catalogue::{Catalogue, Database},
    clock::SystemClock,
    event::{BuildEvent, Phase, Reporter},
    model::{Build, BuildId, BuildStatus},
    paths::{Layout, LayoutOptions},
    pipeline::BuildObserver,
    settings::Settings,
    solver::{Lock, SolveRequest, Solver},
    specification::{Specification, SpecificationLimits},
    testing::{Proxy, service},
};
use conda_store_queue::{RabbitMq, RedisQueue, SqlQueue, Worker};
use conda_store_storage::{LocalStorage, LocalStorageConfig};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long a test takes.
#[derive(Clone, Copy)]
struct Times {
    lease: Duration,
    outage: Duration,
}

const SHORT: Times = Times { lease: Duration::from_secs(3), outage: Duration::from_secs(8) };
/// As the programs have it.
const REAL: Times = Times { lease: Duration::from_secs(30), outage: Duration::from_mins(1) };

/// How long it may take after the outage until all is done.
const PATIENCE: Duration = Duration::from_mins(2);

/// What everything is made of that the worker cut off shares with the one that is not.
struct Place {
    directory: tempfile::TempDir,
    /// The catalogue; on PostgreSQL also the queue.
    database: String,
    broker: Broker,
}

/// What carries jobs.
enum Broker {
    Postgres { server: String, name: String },
    Redis { url: String, prefix: String },
    RabbitMq { url: String, queue: String },
}

/// `url` with the address of the proxy in place of the service's.
fn through(proxy: &Proxy, url: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    url.to_string()
}

impl Place {
    fn new(broker: Broker) -> Self {
        let directory = tempfile::Builder::new().prefix("cs").tempdir().unwrap();
        let database = match &broker {
            Broker::Postgres { server, name } => format!("{}/{name}", server.rsplit_once('/').unwrap().0),
            _ => format!("sqlite:{}/catalogue.db", directory.path().display()),
        };
        Self { directory, database, broker }
    }

    /// A way to the service that can be cut.
    async fn proxy(&self) -> Proxy {
        let (url, port) = match &self.broker {
            Broker::Postgres { server, .. } => (server, 5432),
            Broker::Redis { url, .. } => (url, 6379),
            Broker::RabbitMq { url, .. } => (url, 5672),
        };
        let url = Url::parse(url).unwrap();
        Proxy::to(url.host_str().unwrap(), url.port().unwrap_or(port)).await
    }

    /// The service as one process has it, which reaches the broker through `proxy`, if through any.
    async fn store(&self, proxy: Option<&Proxy>, work: &Work) -> CondaStore {
        let reach = |url: &str| proxy.map_or_else(|| url.to_owned(), |proxy| through(proxy, url));
        let database = match &self.broker {
            Broker::Postgres { .. } => reach(&self.database),
            _ => self.database.clone(),
        };
        let database = Database::connect(&database).await.unwrap();
        let builder = parts(self.directory.path(), &database).await.solver(work.clone()).observer(work.clone());
        let clock = Arc::new(SystemClock);
        let builder = match &self.broker {
            Broker::Postgres { .. } => builder.queue(SqlQueue::migrated(database, clock).await.unwrap()),
            Broker::Redis { url, prefix } => {
                builder.queue(RedisQueue::connect(&reach(url), prefix, clock).await.unwrap())
            }
            Broker::RabbitMq { url, queue } => {
                let messenger = RabbitMq::connect(&reach(url), queue).await.unwrap();
                builder.queue(SqlQueue::migrated(database, clock).await.unwrap().announced_by(messenger))
            }
        };
        builder.build().await.unwrap()
    }

    async fn clean_up(&self) {
        match &self.broker {
            Broker::Postgres { server, name } => {
                run(server, format!("drop database if exists {name} with (force)")).await;
            }
            Broker::Redis { url, prefix } => {
                let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
                let keys: Vec<String> =
                    redis::cmd("KEYS").arg(format!("{{{prefix}}}:*")).query(&mut connection).unwrap();
                redis::cmd("DEL").arg(keys).exec(&mut connection).unwrap();
            }
            Broker::RabbitMq { url, queue } => {
                let properties = lapin::ConnectionProperties::default();
                let connection = lapin::Connection::connect(url, properties).await.unwrap();
                let channel = connection.create_channel().await.unwrap();
                channel
                    .queue_delete(queue.as_str().into(), lapin::options::QueueDeleteOptions::default())
                    .await
                    .unwrap();
            }
        }
    }
}

async fn run(server: &str, statement: String) {
    PgConnection::connect(server).await.unwrap().execute(AssertSqlSafe(statement)).await.unwrap();
}

async fn parts(directory: &Path, database: &Database) -> CondaStoreBuilder {
    let clock = || Arc::new(SystemClock);
    let catalogue = Catalogue::new(database.clone(), clock());
    catalogue.migrate().await.unwrap();
    let settings = Settings {
        conda_indexed_channels: Vec::new(),
        build_artifacts: Vec::new(),
        storage_threshold: 0,
        ..Settings::default()
    };
    let storage = LocalStorageConfig { storage_path: directory.join("storage"), storage_url: None };
    CondaStore::builder()
        .catalogue(catalogue)
        .storage(LocalStorage::open(storage, clock()).await.unwrap())
        .layout(Layout::new(&LayoutOptions::new("state"), directory).unwrap())
        .settings(settings)
}

/// The work on builds: the first solve takes its time, and how often an environment is finished is counted.
#[derive(Clone, Debug)]
struct Work {
    takes: Duration,
    solves: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
}

impl Work {
    fn new(takes: Duration) -> Self {
        Self { takes, solves: Arc::default(), finished: Arc::default() }
    }
}

#[async_trait]
impl Solver for Work {
    async fn solve(&self, _: &SolveRequest, _: &dyn Reporter, cancellation: &CancellationToken) -> Result<Lock> {
        let is_first = self.solves.fetch_add(1, Ordering::SeqCst) == 0;
        let takes = if is_first { self.takes } else { Duration::ZERO };
        let worked = cancellation.run_until_cancelled(tokio::time::sleep(takes)).await;
        let canceled = || Error::new(ErrorKind::Cancelled, "solve environment", "canceled on request");
        worked.map(|()| Lock::default()).ok_or_else(canceled)
    }
}

impl Reporter for Work {
    fn report(&self, event: BuildEvent) {
        if matches!(event, BuildEvent::PhaseFinished { phase: Phase::Permissions, .. }) {
            self.finished.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl BuildObserver for Work {
    fn watch(&self, _build: &Build) -> Arc<dyn Reporter> {
        Arc::new(self.clone())
    }
}

/// Works on the jobs of `store` until the guard is dropped.
fn start_worker(store: &CondaStore, times: Times) -> tokio_util::sync::DropGuard {
    let stop = CancellationToken::new();
    let worker = Worker::builder(Arc::new(store.clone()), Arc::clone(store.queue()), Arc::new(SystemClock));
    let (worker, stopped) = (worker.lease(times.lease).build(), stop.clone());
    tokio::spawn(async move { worker.run(stopped).await });
    stop.drop_guard()
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A worker has a build for `work` when the network fails it; another one is there.
async fn survives(place: &Place, times: Times, work: Work) {
    let proxy = place.proxy().await;
    let cut_off = place.store(Some(&proxy), &work).await;
    let other = place.store(None, &work).await;
    let first = start_worker(&cut_off, times);
    let text = "name: web\nchannels: ['https://example.org/forge']\ndependencies: [wanted]\n";
    let specification = Specification::from_yaml(text, &SpecificationLimits::default()).unwrap();
    let id = other.submit(&"default".parse().unwrap(), specification).await.unwrap().id;
    until("the worker has the build", async || work.solves.load(Ordering::SeqCst) == 1).await;

    let second = start_worker(&other, times);
    proxy.stall();
    tokio::time::sleep(times.outage).await;
    proxy.resume();

    until("the build is completed", async || status(&other, id).await == BuildStatus::Completed).await;
    // Whoever still thinks that the build is theirs has this long to spoil it.
    tokio::time::sleep(times.lease * 2).await;
    assert_eq!(status(&other, id).await, BuildStatus::Completed);
    assert_eq!(work.finished.load(Ordering::SeqCst), 1, "the environment is made once");
    let build = other.catalogue().build(id).await.unwrap().unwrap();
    assert!(other.layout().build_path(&build).unwrap().join("conda-meta").is_dir());
    let staging = place.directory.path().join("state/default/!staging");
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0, "nothing half-built stays");
    drop((first, second));
}

async fn status(store: &CondaStore, id: BuildId) -> BuildStatus {
    store.catalogue().build(id).await.unwrap().unwrap().status
}

/// The work goes on beyond the outage, or ends in the middle of it.
async fn survives_both(place: impl AsyncFn() -> Place, times: Times) {
    for takes in [times.outage + times.lease, times.lease / 2] {
        let place = place().await;
        survives(&place, times, Work::new(takes)).await;
        place.clean_up().await;
    }
}

fn name() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst))
}

async fn on_postgres(times: Times) {
    let Some(server) = service("postgres") else { return };
    let place = async || {
        let name = name().replace('-', "_");
        run(&server, format!("create database {name}")).await;
        Place::new(Broker::Postgres { server: server.clone(), name })
    };
    survives_both(place, times).await;
}

async fn on_redis(times: Times) {
    let Some(url) = service("redis") else { return };
    survives_both(async || Place::new(Broker::Redis { url: url.clone(), prefix: name() }), times).await;
}

async fn on_rabbitmq(times: Times) {
    let Some(url) = service("amqp") else { return };
    survives_both(async || Place::new(Broker::RabbitMq { url: url.clone(), queue: name() }), times).await;
}

macro_rules! outages {
    ($($name:ident, $minute:ident: $broker:ident;)+) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $broker(SHORT).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        #[ignore = "takes some minutes"]
        async fn $minute() {
            $broker(REAL).await;
        }
    )+};
}

outages! {
    a_build_survives_the_loss_of_postgresql, a_build_survives_a_minute_without_postgresql: on_postgres;
    a_build_survives_the_loss_of_redis, a_build_survives_a_minute_without_redis: on_redis;
    a_build_survives_the_loss_of_rabbitmq, a_build_survives_a_minute_without_rabbitmq: on_rabbitmq;
}
