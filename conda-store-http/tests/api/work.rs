//! Jobs and workers, as administrators see them.

use std::time::Duration;

use conda_store_core::{
    job::{Job, JobHandler},
    model::BuildId,
};
use conda_store_http::HttpOptions;
use insta::assert_json_snapshot;

use crate::site::{Site, Who, attempt};

/// The site of every test, where one worker builds, one has nothing to do, and one is lost.
async fn busy() -> Site {
    let site = Site::new().await;
    site.see_worker("lost").await;
    site.clock.advance(Duration::from_mins(1));
    for name in ["busy", "idle"] {
        site.see_worker(name).await;
    }
    let attempt = attempt("busy");
    let (catalogue, build) = (site.store.catalogue(), BuildId(3));
    catalogue.begin_job(&Job::Build { build_id: build }, &attempt).await.unwrap();
    catalogue.claim_build(build, "busy", attempt.lease).await.unwrap();
    catalogue.begin_job(&Job::Sweep, &attempt).await.unwrap();
    site.clock.advance(Duration::from_secs(1));
    catalogue.end_job(&Job::Sweep, &attempt, Some("the database cannot be reached")).await.unwrap();
    site
}

#[tokio::test]
async fn workers_are_shown_with_what_they_do() {
    let site = busy().await;
    let workers = site.get(Who::Admin, "/api/v2/worker/").await;
    assert_json_snapshot!("workers", workers, { ".body.data[].version" => "[version]" });
    let last = site.get(Who::Admin, "/api/v2/worker/?order=desc&limit=1").await;
    assert_eq!((&last["body"]["data"][0]["name"], &last["body"]["count"]), (&"idle".into(), &3.into()));
}

#[tokio::test]
async fn jobs_are_shown_and_filtered() {
    let site = busy().await;
    assert_json_snapshot!("jobs", site.get(Who::Admin, "/api/v2/job/").await);
    for (filter, names) in [
        ("kind=build", vec!["build/3"]),
        ("state=waiting", vec!["sweep"]),
        ("state=running&kind=sweep", vec![]),
        ("state=running/", vec!["build/3"]),
    ] {
        let found = site.get(Who::Admin, &format!("/api/v2/job/?{filter}")).await;
        let data = found["body"]["data"].as_array().unwrap();
        assert_eq!(data.iter().map(|job| job["name"].as_str().unwrap()).collect::<Vec<_>>(), names, "{filter}");
    }
    let first = site.get(Who::Admin, "/api/v2/job/?limit=1").await;
    let next = format!("/api/v2/job/?limit=1&cursor={}", first["body"]["cursor"].as_str().unwrap());
    assert_eq!(site.get(Who::Admin, &next).await["body"]["data"][0]["name"], "sweep");
    assert_json_snapshot!("jobs-wrong", site.get(Who::Admin, "/api/v2/job/?kind=holiday&state=lazy&cursor=7b").await);
}

#[tokio::test]
async fn a_solve_is_a_job_while_somebody_waits_for_it() {
    let site = Site::new().await;
    let solves = "/api/v2/job/?kind=solve";
    let asking = site.get(Who::Developer, "/api/v1/specification/?conda=python");
    let looking = async {
        while site.get(Who::Admin, solves).await["body"]["count"] == 0 {
            tokio::task::yield_now().await;
        }
        let found = site.get(Who::Admin, solves).await["body"]["data"][0].clone();
        site.start_solving();
        found
    };
    let (answer, job) = tokio::join!(asking, looking);
    assert_eq!(answer["status"], 200, "{answer}");
    let shown = ["state", "namespace", "environment"].map(|field| job[field].as_str().unwrap());
    assert_eq!(shown, ["waiting", "secret", "solve"]);
    assert_eq!(site.get(Who::Admin, solves).await["body"]["count"], 0);
}

#[tokio::test]
async fn a_job_that_is_done_by_a_worker_leaves_its_mark() {
    let site = Site::empty(HttpOptions::default()).await;
    let worker = site.worker("worker");
    site.store.worker_is_there(&worker).await.unwrap();
    for job in [Job::Sweep, Job::Deletions, Job::Build { build_id: BuildId(1) }] {
        site.store.handle(&job, &attempt("worker")).await.unwrap();
    }
    let jobs = site.get(Who::Admin, "/api/v2/job/").await;
    assert_eq!((&jobs["body"]["count"], &jobs["body"]["data"][0]["state"]), (&1.into(), &"idle".into()), "{jobs}");
    let workers = site.get(Who::Admin, "/api/v2/worker/").await;
    assert_eq!(workers["body"]["data"][0]["version"], env!("CARGO_PKG_VERSION"));
    site.store.worker_is_gone(&worker).await.unwrap();
    assert_eq!(site.get(Who::Admin, "/api/v2/worker/").await["body"]["count"], 0);
}
