//! Solves without a build: asked for by a server, done by a worker, and gone with whoever asked.
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
    CondaStore, Error, ErrorKind, Result, Solution,
    catalogue::{Catalogue, Database, JobQuery, NewSolve, OpenJob, Order, PageRequest, SolveProgress},
    clock::{Clock, SystemClock},
    event::Reporter,
    job::{Attempt, Job, JobHandler, JobKind, Outcome, Stop},
    model::SolveId,
    paths::{Layout, LayoutOptions},
    queue::QueueDepth,
    settings::{SettingPlace, Settings},
    solver::{Lock, SolveRequest, Solver},
    specification::{Specification, SpecificationLimits},
    testing::ManualClock,
};
use conda_store_queue::{SqlQueue, Worker};
use conda_store_storage::MemoryStorage;
use rattler_conda_types::RepoDataRecord;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Within this time nothing is left of what was called off.
const SOON: Duration = Duration::from_secs(1);

/// Longer than a new solve is left in peace by the sweeper.
const A_WHILE: Duration = Duration::from_secs(10);

const LEASE: Duration = Duration::from_secs(30);

/// Takes every match spec for a package, except those that stand for what can go wrong.
#[derive(Debug, Default)]
struct Scripted {
    solving: Arc<AtomicUsize>,
}

/// Counts down when a solve ends, however it does.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Solver for Scripted {
    async fn solve(&self, request: &SolveRequest, _: &dyn Reporter, cancellation: &CancellationToken) -> Result<Lock> {
        match request.specs[0].as_str() {
            "absent" => {
                let error = Error::new(ErrorKind::Unsatisfiable, "solve environment", "there is no such package");
                Err(error.with("package", "absent").with_source("the whole story"))
            }
            "defect" => panic!("the solver is broken"),
            "endless" => {
                self.solving.fetch_add(1, Ordering::SeqCst);
                let _counted = Counted(&self.solving);
                cancellation.cancelled().await;
                Err(Error::new(ErrorKind::Cancelled, "solve environment", "canceled on request"))
            }
            name => {
                let platforms = request.platforms.iter().map(|platform| (*platform, vec![package(name)]));
                Ok(Lock { platforms: platforms.collect() })
            }
        }
    }
}

/// Of a server that may have no memory for it.
#[derive(Debug)]
struct Never;

#[async_trait]
impl Solver for Never {
    async fn solve(&self, _: &SolveRequest, _: &dyn Reporter, _: &CancellationToken) -> Result<Lock> {
        unreachable!("the server solves itself")
    }
}

fn package(name: &str) -> RepoDataRecord {
    let file = format!("{name}-1.0-0.conda");
    let record = json!({
        "name": name, "version": "1.0", "build": "0", "build_number": 0, "subdir": "noarch", "depends": [],
        "sha256": "aa".repeat(32), "size": 10, "fn": file, "channel": "https://example.org/forge/",
        "url": format!("https://example.org/forge/noarch/{file}"),
    });
    serde_json::from_value(record).unwrap()
}

fn specification(package: &str) -> Specification {
    let text = format!("name: solve\nchannels: ['https://example.org/forge']\ndependencies: ['{package}']\n");
    Specification::from_yaml(&text, &SpecificationLimits::default()).unwrap()
}

/// A server and a worker's part of the service, with a catalogue and a queue in common.
struct Service {
    server: CondaStore,
    worker: CondaStore,
    solving: Arc<AtomicUsize>,
    _directory: tempfile::TempDir,
}

impl Service {
    async fn new(clock: Arc<dyn Clock>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/catalogue.db", directory.path().display());
        let database = Database::connect(&url).await.unwrap();
        Catalogue::new(database.clone(), Arc::clone(&clock)).migrate().await.unwrap();
        let solver = Scripted::default();
        let solving = Arc::clone(&solver.solving);
        let server = compose(Never, &database, &clock, &directory.path().join("server")).await;
        let worker = compose(solver, &database, &clock, &directory.path().join("worker")).await;
        Self { server, worker, solving, _directory: directory }
    }

    /// A worker that does jobs until what is answered here is dropped.
    fn start_worker(&self) -> tokio_util::sync::DropGuard {
        let (handler, queue) = (Arc::new(self.worker.clone()), Arc::clone(self.worker.queue()));
        let worker = Worker::builder(handler, queue, Arc::clone(self.worker.clock())).build();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move { worker.run(stopped).await });
        stop.drop_guard()
    }

    async fn ask(&self, package: &str) -> Result<Solution> {
        self.server.solve(&"team".parse().unwrap(), specification(package)).await
    }

    async fn limit(&self, seconds: u32) {
        let limit = json!({ "conda_max_solve_time": seconds });
        self.server.change_settings(SettingPlace::Global, limit.as_object().unwrap()).await.unwrap();
    }

    /// The solves that are still to be done, as administrators see them.
    async fn jobs(&self) -> Vec<OpenJob> {
        let query = JobQuery {
            kind: Some(JobKind::Solve),
            state: None,
            order: Order::Ascending,
            page: PageRequest::first(100),
        };
        self.server.catalogue().jobs(&query).await.unwrap().items
    }

    /// The solve that was asked for, once it was.
    async fn asked(&self) -> SolveId {
        until("it is asked for", async || !self.jobs().await.is_empty()).await;
        SolveId(self.jobs().await[0].name.strip_prefix("solve/").unwrap().to_owned())
    }

    /// Waits until nothing is left of a solve: no row, no job, and nobody who solves. Answers how long that took.
    async fn gone(&self, id: &SolveId) -> Duration {
        let begun = Instant::now();
        until("nothing is left", async || {
            let progress = self.server.catalogue().solve_progress(id).await.unwrap();
            matches!(progress, SolveProgress::Missing)
                && self.solving.load(Ordering::SeqCst) == 0
                // The periodic jobs stay.
                && self.server.queue().depth().await.unwrap().leased == 0
                && self.server.queue().depth().await.unwrap().ready == 0
        })
        .await;
        begun.elapsed()
    }

    /// A solve of a server that is not there any more.
    async fn leave(&self, namespace: &str, package: &str) -> SolveId {
        let new = NewSolve {
            id: SolveId::random(),
            namespace: namespace.parse().unwrap(),
            environment: "solve".parse().unwrap(),
            specification: specification(package).to_stored(),
            time_limit: Duration::from_mins(5),
        };
        self.server.catalogue().create_solve(&new).await.unwrap();
        new.id
    }

    /// Has the worker's part do a job, in this attempt.
    async fn work(&self, job: &Job, attempt: &Attempt) -> Outcome {
        self.worker.handle(job, attempt).await.unwrap()
    }
}

/// One process's service.
async fn compose(solver: impl Solver, database: &Database, clock: &Arc<dyn Clock>, directory: &Path) -> CondaStore {
    let clock = || Arc::clone(clock);
    CondaStore::builder()
        .catalogue(Catalogue::new(database.clone(), clock()))
        .storage(MemoryStorage::new(clock()))
        .queue(SqlQueue::migrated(database.clone(), clock()).await.unwrap())
        .layout(Layout::new(&LayoutOptions::new("state"), directory).unwrap())
        .settings(Settings { conda_indexed_channels: Vec::new(), ..Settings::default() })
        .clock(clock())
        .solver(solver)
        .build()
        .await
        .unwrap()
}

fn attempt(number: u32) -> Attempt {
    Attempt {
        worker: "worker".into(),
        number,
        limit: 3,
        lease: LEASE,
        cancellation: CancellationToken::new(),
        stop: Arc::default(),
    }
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_answers_with_packages_or_with_what_went_wrong() {
    let service = Service::new(Arc::new(SystemClock)).await;
    let _worker = service.start_worker();
    let solution = service.ask("python").await.unwrap();
    assert_eq!(solution.packages.iter().map(|package| package.name.as_str()).collect::<Vec<_>>(), ["python"]);
    let locked: Vec<_> = solution.lockfile.conda_urls().collect();
    assert_eq!(locked, ["https://example.org/forge/noarch/python-1.0-0.conda"]);
    let here = service.worker.solve_here(&"team".parse().unwrap(), specification("python")).await.unwrap();
    assert_eq!(solution, here, "it is the same as without a job");

    let refused = service.ask("absent").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsatisfiable);
    assert_eq!(refused.to_string(), "there is no such package (package: absent)");
    assert_eq!(refused.report(), "there is no such package (package: absent): the whole story");
    let defect = service.ask("defect").await.unwrap_err();
    assert_eq!(defect.kind(), ErrorKind::Unexpected);
    assert!(defect.message().contains("the solver is broken"), "{defect:?}");
    assert_eq!(service.jobs().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_before_anybody_is_asked() {
    let service = Service::new(Arc::new(SystemClock)).await;
    let text = "name: solve\nchannels: ['a b']\ndependencies: [python]\n";
    let wrong = Specification::from_yaml(text, &SpecificationLimits::default()).unwrap();
    let refused = service.server.solve(&"team".parse().unwrap(), wrong).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(service.server.queue().depth().await.unwrap(), QueueDepth::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solve_ends_at_its_limit_whether_it_runs_or_waits() {
    let service = Service::new(Arc::new(SystemClock)).await;
    service.limit(1).await;
    for running in [false, true] {
        let _worker = running.then(|| service.start_worker());
        let begun = Instant::now();
        let (answer, id) = tokio::join!(service.ask("endless"), service.asked());
        let error = answer.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Timeout, "no solution was found within 1 seconds"),
            "{running}"
        );
        let left = service.gone(&id).await;
        assert!(left < SOON, "nothing is left only after {left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solve_is_called_off_when_nobody_waits_for_it_any_more() {
    let service = Service::new(Arc::new(SystemClock)).await;
    let _worker = service.start_worker();
    let solved = async {
        until("it is solved", async || service.solving.load(Ordering::SeqCst) == 1).await;
        service.asked().await
    };
    let id = tokio::select! {
        answer = service.ask("endless") => panic!("{answer:?}"),
        id = solved => id,
    };
    let left = service.gone(&id).await;
    assert!(left < SOON, "nothing is left only after {left:?}");
    service.ask("python").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_queue_lost_is_enqueued_again() {
    let clock = Arc::new(ManualClock::new());
    let service = Service::new(Arc::<ManualClock>::clone(&clock)).await;
    let lost = async {
        let solve_id = service.asked().await;
        let job = Job::Solve { solve_id };
        until("it is enqueued", async || service.server.queue().depth().await.unwrap().ready == 1).await;
        service.server.queue().cancel(&job.name()).await.unwrap();
        clock.advance(A_WHILE);
        service.work(&Job::Sweep, &attempt(1)).await;
        let lease = service.server.queue().lease("worker", LEASE).await.unwrap().unwrap();
        assert_eq!(Job::from_payload(&lease.payload).unwrap(), job);
        assert_eq!(service.work(&job, &attempt(1)).await, Outcome::Done);
    };
    let (answer, ()) = tokio::join!(service.ask("python"), lost);
    assert_eq!(answer.unwrap().packages.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_server_left_is_removed() {
    let clock = Arc::new(ManualClock::new());
    let service = Service::new(Arc::<ManualClock>::clone(&clock)).await;
    let id = service.leave("team", "endless").await;
    let job = Job::Solve { solve_id: id.clone() };
    let working = attempt(1);
    assert_eq!(service.worker.pulse(&job, &working).await.unwrap(), None);
    clock.advance(Duration::from_mins(5));
    assert_eq!(service.worker.pulse(&job, &working).await.unwrap(), Some(Stop::Canceled), "nobody can wait any more");
    assert_eq!(service.work(&job, &working).await, Outcome::Done, "nobody solves what nobody waits for");
    clock.advance(Duration::from_mins(2));
    service.work(&Job::Sweep, &attempt(1)).await;
    let progress = service.server.catalogue().solve_progress(&id).await.unwrap();
    assert!(matches!(progress, SolveProgress::Missing), "{progress:?}");
    assert_eq!(service.server.queue().depth().await.unwrap(), QueueDepth::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solve_over_which_workers_are_lost_fails_and_says_so() {
    let service = Service::new(Arc::new(SystemClock)).await;
    let lost = async {
        let job = Job::Solve { solve_id: service.asked().await };
        assert_eq!(service.work(&job, &attempt(4)).await, Outcome::Done);
    };
    let (answer, ()) = tokio::join!(service.ask("endless"), lost);
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(error.message().starts_with("3 workers were lost while they solved this"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_hands_a_solve_back() {
    let service = Service::new(Arc::new(SystemClock)).await;
    let job = Job::Solve { solve_id: service.leave("team", "endless").await };
    let working = attempt(1);
    let stop = async {
        until("it is solved", async || service.solving.load(Ordering::SeqCst) == 1).await;
        working.stop(Stop::Shutdown);
    };
    let (outcome, ()) = tokio::join!(service.work(&job, &working), stop);
    assert_eq!(outcome, Outcome::HandBack);
    assert_eq!(service.jobs().await.len(), 1, "another one does it");
}

#[tokio::test]
async fn namespaces_share_the_workers() {
    let clock = Arc::new(ManualClock::new());
    let service = Service::new(Arc::<ManualClock>::clone(&clock)).await;
    for namespace in ["crowd", "crowd", "crowd", "small"] {
        service.leave(namespace, "python").await;
    }
    clock.advance(A_WHILE);
    service.work(&Job::Sweep, &attempt(1)).await;
    let mut namespaces = Vec::new();
    while let Some(lease) = service.server.queue().lease("worker", LEASE).await.unwrap() {
        let Job::Solve { solve_id } = Job::from_payload(&lease.payload).unwrap() else { panic!("{lease:?}") };
        let open = service.server.catalogue().open_solve(&solve_id).await.unwrap().unwrap();
        namespaces.push(open.namespace.to_string());
        clock.advance(Duration::from_millis(1));
    }
    namespaces.truncate(2);
    namespaces.sort();
    assert_eq!(namespaces, ["crowd", "small"], "one that has a worker leaves the next one to the other");
}
