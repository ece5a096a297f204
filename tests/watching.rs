//! Files that describe environments: looked at by one worker at a time, built once, reported where they are broken.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use conda_store_core::{
    CondaStore,
    auth::Scope,
    catalogue::{BuildQuery, Catalogue, Database, JobQuery, JobState, OpenJob, Order, PageRequest},
    clock::{Clock, SystemClock},
    job::{Attempt, Job, JobHandler, JobKind, Outcome},
    paths::{Layout, LayoutOptions},
    queue::{Enqueued, Lease},
    settings::Settings,
};
use conda_store_examples::watch::Watch;
use conda_store_queue::SqlQueue;
use conda_store_storage::MemoryStorage;
use tokio_util::sync::CancellationToken;

const LEASE: Duration = Duration::from_secs(30);

/// Sooner than the files are looked at where nothing tells of changes.
const SOON: Duration = Duration::from_secs(5);

/// A directory with what workers share, and the files in it that they watch.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::create_dir(site.files()).unwrap();
        site
    }

    fn files(&self) -> PathBuf {
        self.0.path().join("files")
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.files().join(file), text).unwrap();
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.files().join(file)).unwrap();
    }

    fn watch(&self) -> Job {
        Job::WatchPaths { namespace: "files".parse().unwrap(), paths: [self.files()].into() }
    }

    /// What a worker process has: catalogue and queue are the same for all.
    async fn worker(&self) -> CondaStore {
        let directory = self.0.path();
        let clock = || -> Arc<dyn Clock> { Arc::new(SystemClock) };
        let database = Database::connect(&format!("sqlite:{}/store.db", directory.display())).await.unwrap();
        let catalogue = Catalogue::new(database.clone(), clock());
        catalogue.migrate().await.unwrap();
        CondaStore::builder()
            .catalogue(catalogue)
            .storage(MemoryStorage::new(clock()))
            .queue(SqlQueue::migrated(database, clock()).await.unwrap())
            .layout(Layout::new(&LayoutOptions::new("state"), directory).unwrap())
            .settings(Settings { storage_threshold: 0, ..Settings::default() })
            .build()
            .await
            .unwrap()
    }
}

fn specification(name: &str, package: &str) -> String {
    format!("name: {name}\nchannels: [main]\ndependencies: [{package}]\n")
}

fn attempt() -> Attempt {
    Attempt {
        worker: "worker".into(),
        number: 1,
        limit: 1,
        lease: LEASE,
        cancellation: CancellationToken::new(),
        stop: Arc::default(),
    }
}

/// Hands the job in, and has `worker` do it.
async fn look(worker: &CondaStore, job: &Job) {
    assert_eq!(worker.queue().enqueue(job.enqueueable()).await.unwrap(), Enqueued::New);
    let lease = leased(worker).await;
    assert_eq!(worker.handle(job, &attempt()).await.unwrap(), Outcome::Done);
    worker.queue().ack(&lease).await.unwrap();
}

/// The look that is due, or will be soon.
async fn leased(worker: &CondaStore) -> Lease {
    let due = async {
        loop {
            while let Some(lease) = worker.queue().lease("worker", LEASE).await.unwrap() {
                if matches!(Job::from_payload(&lease.payload), Ok(Job::WatchPaths { .. })) {
                    return lease;
                }
            }
            worker.queue().ready(SOON).await;
        }
    };
    tokio::time::timeout(SOON, due).await.expect("a look is due soon")
}

/// The environments of all builds, in the order in which these were asked for.
async fn built(worker: &CondaStore) -> Vec<String> {
    let everything = Scope::everything();
    let builds = worker.catalogue().builds(&BuildQuery::new(&everything, 100)).await.unwrap();
    builds.items.into_iter().map(|build| format!("{}/{}", build.namespace, build.environment)).collect()
}

/// The job of the files as administrators see it.
async fn shown(worker: &CondaStore) -> OpenJob {
    let query = JobQuery {
        kind: Some(JobKind::WatchPaths),
        state: None,
        order: Order::Ascending,
        page: PageRequest::first(10),
    };
    let mut jobs = worker.catalogue().jobs(&query).await.unwrap().items;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

#[tokio::test]
async fn a_file_is_built_once_whichever_worker_looks() {
    let site = Site::new();
    let (first, second) = (site.worker().await, site.worker().await);
    site.write("web.yaml", &specification("web", "python"));
    site.write("notes.txt", "no environment");
    for worker in [&first, &second, &first, &site.worker().await] {
        look(worker, &site.watch()).await;
        assert_eq!(built(worker).await, ["files/web"]);
    }
    site.write("web.yaml", &specification("web", "python=3.13"));
    site.write("lab.yml", &specification("lab", "python"));
    for worker in [&second, &first, &second] {
        look(worker, &site.watch()).await;
        assert_eq!(built(worker).await, ["files/web", "files/lab", "files/web"]);
    }
    let job = shown(&first).await;
    assert_eq!((job.state, job.namespace.unwrap().as_str(), job.environment), (JobState::Idle, "files", None));
    let attempt = job.attempt.unwrap();
    assert_eq!((attempt.error, attempt.ended_on.is_some()), (None, true));
}

#[tokio::test]
async fn what_is_broken_is_shown_until_it_is_right_and_holds_up_nothing() {
    let site = Site::new();
    let workers = [site.worker().await, site.worker().await];
    site.write("broken.yaml", "name: [");
    site.write("other.yaml", &specification("web", "numpy"));
    site.write("web.yaml", &specification("web", "python"));
    site.write("zoo.yaml", &specification("zoo", "python"));
    let gone = site.files().join("gone");
    let Job::WatchPaths { namespace, mut paths } = site.watch() else { unreachable!("files are watched") };
    paths.insert(gone.clone());
    let job = Job::WatchPaths { namespace, paths };
    // Again and again, by each: what was seen before is as broken as it was, and the next look does not wait for it.
    for worker in workers.iter().chain(&workers) {
        look(worker, &job).await;
        assert_eq!(built(worker).await, ["files/web", "files/zoo"]);
        let error = shown(worker).await.attempt.unwrap().error.unwrap();
        let problems: Vec<&str> = error.split("; ").collect();
        assert_eq!(problems.len(), 3, "{error}");
        assert!(problems[0].contains("broken.yaml: "), "{error}");
        assert!(problems[1].starts_with(&format!("{}: No such file", gone.display())), "{error}");
        assert!(problems[2].ends_with("web.yaml: another watched file describes web too"), "{error}");
    }
    site.write("broken.yaml", &specification("lab", "python"));
    site.remove("web.yaml");
    fs::create_dir(&gone).unwrap();
    look(&workers[0], &job).await;
    assert_eq!(built(&workers[0]).await, ["files/web", "files/zoo", "files/lab"]);
    let job = shown(&workers[0]).await;
    assert_eq!((job.state, job.attempt.unwrap().error), (JobState::Idle, None));
}

#[tokio::test]
async fn a_change_during_a_look_is_looked_at_soon_after() {
    let site = Site::new();
    let worker = site.worker().await;
    let stop = CancellationToken::new();
    let watch = Watch::new(Arc::clone(worker.queue()), "files".parse().unwrap(), &[site.files()]);
    let watching = tokio::spawn(watch.run(stop.clone()));
    let held = leased(&worker).await;
    worker.handle(&site.watch(), &attempt()).await.unwrap();
    site.write("web.yaml", &specification("web", "python"));
    // By now another look was asked for, and dropped since there is one.
    tokio::time::sleep(Duration::from_secs(1)).await;
    worker.queue().ack(&held).await.unwrap();
    assert_eq!(built(&worker).await, [""; 0]);

    let next = leased(&worker).await;
    assert_eq!(next.name, held.name);
    worker.handle(&Job::from_payload(&next.payload).unwrap(), &attempt()).await.unwrap();
    assert_eq!(built(&worker).await, ["files/web"]);
    stop.cancel();
    watching.await.unwrap();
}

#[tokio::test]
async fn a_look_that_is_cut_short_is_handed_back() {
    let site = Site::new();
    let worker = site.worker().await;
    site.write("web.yaml", &specification("web", "python"));
    let stopped = attempt();
    stopped.stop(conda_store_core::job::Stop::Shutdown);
    assert_eq!(worker.handle(&site.watch(), &stopped).await.unwrap(), Outcome::HandBack);
    assert_eq!(built(&worker).await, [""; 0]);
    look(&worker, &site.watch()).await;
    assert_eq!(built(&worker).await, ["files/web"]);
}
