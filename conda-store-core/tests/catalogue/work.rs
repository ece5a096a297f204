//! Which workers there are, what there is to do, and how far that is.

use std::{path::PathBuf, sync::Arc, time::Duration};

use conda_store_core::{
    ErrorKind,
    catalogue::{
        ArtifactProgress, Database, JobQuery, JobState, NewSolve, OpenJob, Order, PageRequest, SeenWorker, Start,
        WorkerCounts,
    },
    clock::Clock,
    job::{Attempt, Job, JobKind, WorkerIdentity},
    model::{ArtifactType, SolveId},
};
use tokio_util::sync::CancellationToken;

use crate::support::{Fixture, LEASE, both};

fn worker(fixture: &Fixture, name: &str) -> WorkerIdentity {
    let host = format!("host of {name}");
    WorkerIdentity { name: name.into(), host, process: 4_000_000_000, concurrency: 4, started_on: fixture.clock.now() }
}

fn attempt(worker: &str, number: u32) -> Attempt {
    Attempt {
        worker: worker.into(),
        number,
        limit: 3,
        lease: LEASE,
        cancellation: CancellationToken::new(),
        stop: Arc::default(),
    }
}

async fn workers(fixture: &Fixture) -> Vec<SeenWorker> {
    fixture.catalogue.workers(Order::Ascending, &PageRequest::first(10)).await.unwrap().items
}

fn all() -> JobQuery {
    JobQuery { kind: None, state: None, order: Order::Ascending, page: PageRequest::first(100) }
}

async fn jobs(fixture: &Fixture) -> Vec<OpenJob> {
    fixture.catalogue.jobs(&all()).await.unwrap().items
}

/// Names and states.
async fn standing(fixture: &Fixture) -> Vec<(String, JobState)> {
    jobs(fixture).await.into_iter().map(|job| (job.name, job.state)).collect()
}

#[tokio::test]
async fn a_worker_is_there_as_long_as_it_says_so() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        let (first, second) = (worker(fixture, "first"), worker(fixture, "second"));
        for identity in [&first, &second] {
            catalogue.see_worker(identity, "1.2.3").await.unwrap();
        }
        catalogue.begin_job(&Job::Sweep, &attempt("second", 1)).await.unwrap();
        fixture.clock.advance(Duration::from_secs(29));
        catalogue.see_worker(&second, "1.2.3").await.unwrap();
        assert_eq!(catalogue.count_workers().await.unwrap(), WorkerCounts { busy: 1, idle: 1, lost: 0 });
        fixture.clock.advance(Duration::from_secs(2));
        assert_eq!(catalogue.count_workers().await.unwrap(), WorkerCounts { busy: 1, idle: 0, lost: 1 });

        let found = workers(fixture).await;
        assert_eq!(found.iter().map(|worker| &worker.identity).collect::<Vec<_>>(), [&first, &second]);
        assert_eq!((found[0].is_lost, found[1].is_lost), (true, false));
        assert_eq!((found[0].jobs.len(), found[1].jobs[0].kind), (0, JobKind::Sweep));
        assert_eq!((found[1].version.as_str(), found[1].identity.started_on), ("1.2.3", second.started_on));

        catalogue.forget_worker("second").await.unwrap();
        catalogue.forget_lost_workers(Duration::from_mins(1)).await.unwrap();
        assert_eq!(workers(fixture).await, found[..1]);
        fixture.clock.advance(Duration::from_mins(1));
        catalogue.forget_lost_workers(Duration::from_mins(1)).await.unwrap();
        assert_eq!(workers(fixture).await, []);
    })
    .await;
}

#[tokio::test]
async fn what_the_catalogue_wants_is_a_job_before_anybody_begins_it() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        let waiting = fixture.queue("team/waiting").await;
        let (building, _) = fixture.start("team/building").await;
        let done = fixture.complete("team/done", &[]).await;
        catalogue.set_artifact_state(done, &ArtifactProgress::pending(ArtifactType::Yaml)).await.unwrap();
        let old = fixture.complete("team/done", &[]).await;
        // Only what is not current can be deleted.
        fixture.complete("team/done", &[]).await;
        catalogue.delete_build(old).await.unwrap();

        let found = jobs(fixture).await;
        let shown: Vec<_> =
            found.iter().map(|job| (job.name.clone(), job.kind, job.state, job.build.unwrap())).collect();
        let expected = [
            (format!("artifact/{done}/YAML"), JobKind::Artifact, JobState::Waiting, done),
            (format!("build/{}", waiting.id), JobKind::Build, JobState::Waiting, waiting.id),
            (format!("build/{building}"), JobKind::Build, JobState::Running, building),
            (format!("delete-build/{old}"), JobKind::DeleteBuild, JobState::Waiting, old),
        ];
        assert_eq!(shown, expected);
        let names: Vec<_> = found.iter().map(|job| job.environment.as_ref().unwrap().to_string()).collect();
        assert_eq!(names, ["done", "waiting", "building", "done"]);
        assert!(found.iter().all(|job| job.namespace.as_ref().unwrap().to_string() == "team" && job.attempt.is_none()));
        assert_eq!(found[1].enqueued_on, Some(waiting.scheduled_on));

        fixture.clock.advance(LEASE + Duration::from_secs(1));
        let lost = JobQuery { state: Some(JobState::Lost), ..all() };
        let lost = catalogue.jobs(&lost).await.unwrap();
        assert_eq!((lost.total, lost.items[0].build), (1, Some(building)));
    })
    .await;
}

#[tokio::test]
async fn a_solve_is_a_job_until_it_is_answered() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        catalogue.see_worker(&worker(fixture, "worker"), "1").await.unwrap();
        let new = NewSolve {
            id: SolveId::random(),
            namespace: "team".parse().unwrap(),
            environment: "web".parse().unwrap(),
            specification: serde_json::json!({"name": "web"}),
            time_limit: Duration::from_mins(5),
        };
        catalogue.create_solve(&new).await.unwrap();
        let job = Job::Solve { solve_id: new.id.clone() };
        let name = job.name().0;
        assert_eq!(standing(fixture).await, [(name.clone(), JobState::Waiting)]);
        let found = jobs(fixture).await.remove(0);
        assert_eq!((found.kind, found.build, found.enqueued_on), (JobKind::Solve, None, Some(fixture.clock.now())));
        assert_eq!((found.namespace.unwrap().as_str(), found.environment.unwrap().as_str()), ("team", "web"));

        catalogue.begin_job(&job, &attempt("worker", 3)).await.unwrap();
        assert_eq!(standing(fixture).await, [(name.clone(), JobState::Running)]);
        catalogue.end_job(&job, &attempt("worker", 3), Some("the database was away")).await.unwrap();
        assert_eq!(standing(fixture).await, [(name, JobState::Waiting)], "the sweep hands it in again");
        let error = conda_store_core::Error::unexpected("solve", "no");
        catalogue.answer_solve(&new.id, Err(error)).await.unwrap();
        assert_eq!(standing(fixture).await, []);
    })
    .await;
}

#[tokio::test]
async fn an_attempt_is_seen_until_the_job_is_done() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        catalogue.see_worker(&worker(fixture, "worker"), "1").await.unwrap();
        let job = Job::CurrentBuild { namespace: "team".parse().unwrap(), environment: "web".parse().unwrap() };
        let name = "current-build/team/web".to_owned();
        catalogue.begin_job(&job, &attempt("worker", 1)).await.unwrap();
        assert_eq!(standing(fixture).await, [(name.clone(), JobState::Running)]);
        let found = jobs(fixture).await.remove(0);
        assert_eq!((found.namespace.unwrap().as_str(), found.environment.unwrap().as_str()), ("team", "web"));

        catalogue.end_job(&job, &attempt("worker", 1), Some("the disk is full")).await.unwrap();
        assert_eq!(standing(fixture).await, [(name.clone(), JobState::Waiting)]);
        catalogue.begin_job(&job, &attempt("worker", 2)).await.unwrap();
        let found = jobs(fixture).await.remove(0).attempt.unwrap();
        assert_eq!((found.number, found.limit, found.ended_on), (2, 3, None));
        assert_eq!(found.error.as_deref(), Some("the disk is full"), "of the one before");

        // Whoever comes late changes nothing.
        catalogue.end_job(&job, &attempt("worker", 1), None).await.unwrap();
        catalogue.finish_job(&job, &attempt("other", 2)).await.unwrap();
        assert_eq!(standing(fixture).await, [(name.clone(), JobState::Running)]);
        fixture.clock.advance(Duration::from_mins(1));
        assert_eq!(standing(fixture).await, [(name.clone(), JobState::Lost)], "with its worker");

        catalogue.begin_job(&job, &attempt("worker", 3)).await.unwrap();
        catalogue.end_job(&job, &attempt("worker", 3), Some("the disk is full")).await.unwrap();
        assert_eq!(standing(fixture).await, [(name, JobState::Failed)]);
        catalogue.forget_jobs(Duration::from_mins(1)).await.unwrap();
        assert_eq!(jobs(fixture).await.len(), 1);
        fixture.clock.advance(Duration::from_mins(2));
        catalogue.forget_jobs(Duration::from_mins(1)).await.unwrap();
        assert_eq!(jobs(fixture).await, []);

        catalogue.begin_job(&job, &attempt("worker", 1)).await.unwrap();
        catalogue.finish_job(&job, &attempt("worker", 1)).await.unwrap();
        assert_eq!(jobs(fixture).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_no_other_table_has_is_seen_from_when_it_is_handed_in() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        catalogue.see_worker(&worker(fixture, "worker"), "1").await.unwrap();
        let current = Job::CurrentBuild { namespace: "team".parse().unwrap(), environment: "web".parse().unwrap() };
        let handed_in = [current.clone(), Job::Deletions, Job::Sweep];
        let first = fixture.clock.now();
        catalogue.note_jobs(&handed_in).await.unwrap();
        let waiting =
            [("current-build/team/web".to_owned(), JobState::Waiting), ("deletions".into(), JobState::Waiting)];
        let sweep = |state| ("sweep".to_owned(), state);
        let expected = [waiting.as_slice(), &[sweep(JobState::Waiting)]].concat();
        assert_eq!(standing(fixture).await, expected);
        fixture.clock.advance(Duration::from_secs(10));
        catalogue.note_jobs(&handed_in).await.unwrap();
        let found = jobs(fixture).await;
        assert!(found.iter().all(|job| job.enqueued_on == Some(first) && job.attempt.is_none()), "{found:?}");
        assert_eq!(found[0].namespace.as_ref().unwrap().as_str(), "team");

        // What the queue may have lost; periodic jobs are handed in anew by the workers.
        assert_eq!(catalogue.unbegun_jobs(Duration::from_secs(11), 10).await.unwrap(), []);
        assert_eq!(catalogue.unbegun_jobs(Duration::from_secs(5), 10).await.unwrap(), handed_in[..2]);
        assert_eq!(catalogue.unbegun_jobs(Duration::from_secs(5), 1).await.unwrap(), handed_in[..1]);

        catalogue.begin_job(&current, &attempt("worker", 3)).await.unwrap();
        let begun = jobs(fixture).await.remove(0);
        assert_eq!((begun.state, begun.enqueued_on), (JobState::Running, Some(first)));
        assert_eq!(catalogue.unbegun_jobs(Duration::ZERO, 10).await.unwrap(), [Job::Deletions]);
        catalogue.end_job(&current, &attempt("worker", 3), Some("the disk is full")).await.unwrap();
        assert_eq!(jobs(fixture).await[0].state, JobState::Failed);
        let again = fixture.clock.now();
        catalogue.note_jobs(&handed_in).await.unwrap();
        let found = jobs(fixture).await.remove(0);
        assert_eq!((found.state, found.enqueued_on, found.attempt), (JobState::Waiting, Some(again), None));

        catalogue.begin_job(&Job::Sweep, &attempt("worker", 1)).await.unwrap();
        catalogue.end_job(&Job::Sweep, &attempt("worker", 1), None).await.unwrap();
        catalogue.note_jobs(&handed_in).await.unwrap();
        assert_eq!(standing(fixture).await, [waiting.as_slice(), &[sweep(JobState::Idle)]].concat());
    })
    .await;
}

#[tokio::test]
async fn jobs_that_are_there_are_handed_in_again_without_a_write() {
    both(async |fixture| {
        let Database::Sqlite(pool) = &fixture.database else { return };
        fixture.catalogue.note_jobs(&[Job::Sweep, Job::Orphans]).await.unwrap();
        // Nobody else can write as long as this is open.
        let writing = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let noted = fixture.catalogue.note_jobs(&[Job::Sweep, Job::Orphans]);
        tokio::time::timeout(Duration::from_secs(5), noted).await.unwrap().unwrap();
        writing.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_attempt_of_a_lost_worker_is_forgotten_with_it() {
    both(async |fixture| {
        let (catalogue, day) = (&fixture.catalogue, Duration::from_hours(24));
        catalogue.see_worker(&worker(fixture, "worker"), "1").await.unwrap();
        catalogue.begin_job(&Job::Deletions, &attempt("worker", 1)).await.unwrap();
        fixture.clock.advance(day * 2);
        catalogue.forget_jobs(day).await.unwrap();
        assert_eq!(standing(fixture).await, [("deletions".to_owned(), JobState::Lost)]);
        catalogue.forget_lost_workers(day).await.unwrap();
        catalogue.forget_jobs(day).await.unwrap();
        assert_eq!(standing(fixture).await, []);
    })
    .await;
}

#[tokio::test]
async fn what_comes_again_stays_and_lists_have_pages() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        catalogue.see_worker(&worker(fixture, "worker"), "1").await.unwrap();
        for job in [Job::Sweep, Job::Orphans, Job::IndexChannels, Job::StorageMetrics] {
            catalogue.begin_job(&job, &attempt("worker", 1)).await.unwrap();
            catalogue.end_job(&job, &attempt("worker", 1), None).await.unwrap();
        }
        catalogue.begin_job(&Job::Sweep, &attempt("worker", 3)).await.unwrap();
        catalogue.end_job(&Job::Sweep, &attempt("worker", 3), Some("no")).await.unwrap();
        fixture.clock.advance(Duration::from_hours(100));
        catalogue.forget_jobs(Duration::from_hours(1)).await.unwrap();
        let expected = [
            ("index-channels".to_owned(), JobState::Idle),
            ("orphans".to_owned(), JobState::Idle),
            ("storage-metrics".to_owned(), JobState::Idle),
            // It is given up for now and comes again all the same.
            ("sweep".to_owned(), JobState::Waiting),
        ];
        assert_eq!(standing(fixture).await, expected);

        let mut names = Vec::new();
        let mut start = Start::Offset(0);
        loop {
            let page = PageRequest { limit: 3, start };
            let found = catalogue.jobs(&JobQuery { order: Order::Descending, page, ..all() }).await.unwrap();
            assert_eq!(found.total, 4);
            names.extend(found.items.into_iter().map(|job| job.name));
            let Some(next) = found.next else { break };
            start = Start::After(next);
        }
        assert_eq!(names, ["sweep", "storage-metrics", "orphans", "index-channels"]);
        let sweeps = catalogue.jobs(&JobQuery { kind: Some(JobKind::Sweep), ..all() }).await.unwrap();
        assert_eq!((sweeps.total, sweeps.items[0].kind), (1, JobKind::Sweep));

        let foreign = PageRequest { limit: 1, start: Start::After("5b5b5d2c315d".parse().unwrap()) };
        let refused = catalogue.jobs(&JobQuery { page: foreign, ..all() }).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    })
    .await;
}

#[tokio::test]
async fn what_is_handed_in_again_and_again_stays_as_long_as_it_is() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        let watch = |paths: &[&str]| {
            let paths = paths.iter().map(PathBuf::from).collect();
            Job::WatchPaths { namespace: "team".parse().unwrap(), paths }
        };
        let (job, other) = (watch(&["/a", "/b"]), watch(&["/a/b"]));
        assert_eq!(job.name(), watch(&["/b", "/a", "/b"]).name());
        for job in [&job, &other] {
            catalogue.begin_job(job, &attempt("worker", 1)).await.unwrap();
            catalogue.end_job(job, &attempt("worker", 1), None).await.unwrap();
        }
        let found = jobs(fixture).await;
        assert!(found.iter().all(|job| job.state == JobState::Idle && job.kind == JobKind::WatchPaths), "{found:?}");
        let places = found.iter().map(|job| (job.namespace.as_ref().unwrap().as_str(), job.environment.as_ref()));
        assert_eq!(places.collect::<Vec<_>>(), [("team", None); 2]);

        fixture.clock.advance(Duration::from_hours(30));
        catalogue.begin_job(&job, &attempt("worker", 1)).await.unwrap();
        catalogue.end_job(&job, &attempt("worker", 1), Some("/a: it is broken")).await.unwrap();
        fixture.clock.advance(Duration::from_hours(20));
        catalogue.forget_jobs(Duration::from_hours(1)).await.unwrap();
        assert_eq!(jobs(fixture).await.len(), 2, "both come again");
        catalogue.forget_abandoned_jobs(Duration::from_hours(48)).await.unwrap();
        assert_eq!(standing(fixture).await, [(job.name().0, JobState::Waiting)]);
    })
    .await;
}
