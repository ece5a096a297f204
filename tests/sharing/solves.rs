//! What many ask for is solved once; nobody waits for a solve that fails, hangs, or takes long.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use conda_store_core::{
    Error, ErrorKind, Result,
    event::Reporter,
    model::{BuildId, BuildStatus},
    solver::{Lock, SolveRequest, Solver},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{Service, until};

/// Solves when the test lets it, and counts for what it was asked how often.
#[derive(Clone, Debug)]
struct Gated {
    allowed: Arc<Semaphore>,
    fails: Option<ErrorKind>,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
    solving: Arc<AtomicUsize>,
}

impl Gated {
    fn new(fails: Option<ErrorKind>) -> Self {
        Self { allowed: Arc::new(Semaphore::new(0)), fails, asked: Arc::default(), solving: Arc::default() }
    }

    /// How often it was asked for a package.
    fn asked_for(&self, package: &str) -> usize {
        self.asked.lock().unwrap().get(package).copied().unwrap_or_default()
    }
}

#[async_trait]
impl Solver for Gated {
    async fn solve(&self, request: &SolveRequest, _: &dyn Reporter, cancellation: &CancellationToken) -> Result<Lock> {
        *self.asked.lock().unwrap().entry(request.specs[0].clone()).or_default() += 1;
        self.solving.fetch_add(1, Ordering::SeqCst);
        let allowed = cancellation.run_until_cancelled(self.allowed.acquire()).await;
        self.solving.fetch_sub(1, Ordering::SeqCst);
        match (allowed, self.fails) {
            (None, _) => Err(Error::new(ErrorKind::Cancelled, "solve environment", "canceled on request")),
            (Some(allowed), None) => {
                allowed.unwrap().forget();
                Ok(Lock::default())
            }
            (Some(allowed), Some(kind)) => {
                allowed.unwrap().forget();
                Err(Error::new(kind, "solve environment", "there is no such package").with_source("the whole story"))
            }
        }
    }
}

async fn start(directory: &Path, solver: &Gated, jobs_at_once: usize) -> Service {
    Service::start(directory, jobs_at_once, |parts| parts.solver(solver.clone())).await
}

async fn submit(service: &Service, namespace: &str, package: &str) -> BuildId {
    let text = format!("name: web\nchannels: ['https://example.org/forge']\ndependencies: [{package}]\n");
    service.submit(namespace, &text).await
}

/// Has `count` namespaces ask for the same while it is being solved.
async fn ask_together(service: &Service, solver: &Gated, count: usize) -> Vec<BuildId> {
    let mut builds = vec![submit(service, "first", "wanted").await];
    until("the first one is solved", async || solver.solving.load(Ordering::SeqCst) == 1).await;
    for number in 1..count {
        builds.push(submit(service, &format!("another-{number}"), "wanted").await);
    }
    let last = builds[count - 1];
    until("all are begun", async || service.build(last).await.status == BuildStatus::Building).await;
    builds
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_ask_for_is_solved_once_in_all_processes() {
    let directory = tempfile::tempdir().unwrap();
    let solver = Gated::new(None);
    let first = start(directory.path(), &solver, 2).await;
    let _second = start(directory.path(), &solver, 2).await;
    // More than there are places: the later ones begin when the solve is over.
    let builds = ask_together(&first, &solver, 4).await;
    let late = submit(&first, "late", "wanted").await;
    solver.allowed.add_permits(1);
    for id in builds.iter().chain([&late]) {
        assert_eq!(first.ended(*id).await.status, BuildStatus::Completed);
    }
    assert_eq!(solver.asked_for("wanted"), 1);
    assert!(
        first.log(builds[1]).await.contains("another build asked for the same"),
        "the log says whose packages these are"
    );

    let afterwards = submit(&first, "afterwards", "wanted").await;
    until("what is asked for afterwards is solved anew", async || solver.asked_for("wanted") == 2).await;
    solver.allowed.add_permits(1);
    assert_eq!(first.ended(afterwards).await.status, BuildStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_solved_fails_for_all_and_other_failures_for_one() {
    for (kind, solves) in [(ErrorKind::Unsatisfiable, 1), (ErrorKind::Unexpected, 3)] {
        let directory = tempfile::tempdir().unwrap();
        let solver = Gated::new(Some(kind));
        let service = start(directory.path(), &solver, 4).await;
        let builds = ask_together(&service, &solver, 3).await;
        solver.allowed.add_permits(3);
        for id in builds {
            let build = service.ended(id).await;
            assert_eq!(
                (build.status, build.status_info.as_deref()),
                (BuildStatus::Failed, Some("there is no such package"))
            );
            let story = "there is no such package: the whole story";
            until("the log says why", async || service.log(id).await.contains(story)).await;
        }
        assert_eq!(solver.asked_for("wanted"), solves, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_is_canceled_within_a_second_and_one_that_solves_leaves_it_to_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let solver = Gated::new(None);
    let service = start(directory.path(), &solver, 4).await;
    let builds = ask_together(&service, &solver, 3).await;
    for canceled in [builds[1], builds[0]] {
        let asked = Instant::now();
        service.store.cancel_build(canceled).await.unwrap();
        let prefix = service.store.layout().build_path(&service.build(canceled).await).unwrap();
        let before = service.store.queue().depth().await.unwrap();
        until("the worker has given it up", async || {
            !prefix.try_exists().unwrap() && service.store.queue().depth().await.unwrap().leased < before.leased
        })
        .await;
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    until("the next one solves", async || solver.asked_for("wanted") == 2).await;
    solver.allowed.add_permits(1);
    assert_eq!(service.ended(builds[2]).await.status, BuildStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_worker_leaves_its_solve_to_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let solver = Gated::new(None);
    let first = start(directory.path(), &solver, 1).await;
    submit(&first, "first", "wanted").await;
    until("the first one is solved", async || solver.solving.load(Ordering::SeqCst) == 1).await;
    let second = start(directory.path(), &solver, 1).await;
    let waiting = submit(&second, "second", "wanted").await;
    until("the second waits", async || second.build(waiting).await.status == BuildStatus::Building).await;
    first.worker.abort();
    until("the second solves", async || solver.asked_for("wanted") == 2).await;
    solver.allowed.add_permits(1);
    assert_eq!(second.ended(waiting).await.status, BuildStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_long_gives_its_place_to_other_work() {
    let directory = tempfile::tempdir().unwrap();
    let solver = Gated::new(None);
    let service = start(directory.path(), &solver, 2).await;
    let builds = ask_together(&service, &solver, 2).await;
    let other = submit(&service, "other", "something-else").await;
    until("the other one is solved beside", async || solver.asked_for("something-else") == 1).await;
    solver.allowed.add_permits(2);
    for id in builds.into_iter().chain([other]) {
        assert_eq!(service.ended(id).await.status, BuildStatus::Completed);
    }
    assert_eq!(solver.asked_for("wanted"), 1);
}
