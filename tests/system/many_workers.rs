//! Several workers in processes of their own, on PostgreSQL: nothing is done twice, nothing is lost.

use std::time::Duration;

use crate::support::{Api, ChannelServer, Site, broken_files, channel, database, drop_database, specification};
use nix::sys::signal::Signal;

const LIMIT: Duration = Duration::from_mins(7);

const PACKAGES: [&[&str]; 5] = [
    &["python=3.11", "flask", "pyyaml"],
    &["python=3.11", "requests", "many-files"],
    &["python=3.13", "jinja2", "hello-py"],
    &["python=3.13", "flask", "requests"],
    &["python=3.11", "pyyaml", "prefix-text", "prefix-binary", "softlinks"],
];

#[tokio::test(flavor = "multi_thread")]
async fn twenty_builds_in_two_workers_fetch_each_package_once_and_are_whole() {
    let (Some(channel), Some(database)) = (channel(), database("twenty").await) else { return };
    let server = ChannelServer::start(&channel).await;
    let site = Site::new(Some(&database), "").unwrap();
    let (_server, api) = site.server(&[]).await.unwrap();
    let _workers = [site.worker("worker-a").unwrap(), site.worker("worker-b").unwrap()];

    let mut builds = Vec::new();
    for number in 0..20 {
        let text = specification(&format!("env-{number}"), &server.url, PACKAGES[number % PACKAGES.len()]);
        builds.push(api.submit("default", &text).await.unwrap());
    }
    for id in builds {
        api.completed(id, LIMIT).await.unwrap();
    }

    let twice: Vec<_> = server.packages().into_iter().filter(|(_, count)| *count != 1).collect();
    assert!(twice.is_empty(), "fetched more than once: {twice:?}");
    for number in 0..20 {
        assert_eq!(broken_files(&site.environment(&format!("env-{number}")).await.unwrap()), Vec::<String>::new());
    }
    let workers = ["worker-a", "worker-b"].map(|name| site.output(name));
    assert!(workers.iter().all(|log| log.contains("build")), "both workers worked");
    drop_database(&database).await;
}

/// A build that takes its time, so that something can happen in the middle of it.
async fn slow_build(api: &Api, channel: &str) -> i64 {
    let text = specification("slow", channel, &["many-files", "large-file", "python=3.11", "numpy", "pandas"]);
    let id = api.submit("default", &text).await.unwrap();
    api.wait_for(id, &["BUILDING"], LIMIT).await.unwrap();
    let log = format!("/api/v1/build/{id}/logs/");
    while !api.text(&log).await.is_ok_and(|log| log.contains("solve started")) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_build_is_finished_by_another() {
    let (Some(channel), Some(database)) = (channel(), database("killed").await) else { return };
    let server = ChannelServer::start(&channel).await;
    let site = Site::new(Some(&database), "").unwrap();
    let (_server, api) = site.server(&[]).await.unwrap();
    let first = site.worker("worker-a").unwrap();
    let id = slow_build(&api, &server.url).await;

    first.signal(Signal::SIGKILL);
    let _second = site.worker("worker-b").unwrap();
    api.completed(id, LIMIT).await.unwrap();

    assert_eq!(broken_files(&site.environment("slow").await.unwrap()), Vec::<String>::new());
    let log = api.text(&format!("/api/v1/build/{id}/logs/")).await.unwrap();
    assert!(log.contains("attempt 2"), "{log}");
    drop_database(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_comes_back_too_late_writes_nothing() {
    let (Some(channel), Some(database)) = (channel(), database("late").await) else { return };
    let server = ChannelServer::start(&channel).await;
    let site = Site::new(Some(&database), "").unwrap();
    let (_server, api) = site.server(&[]).await.unwrap();
    let first = site.worker("worker-a").unwrap();
    let id = slow_build(&api, &server.url).await;

    first.signal(Signal::SIGSTOP);
    let _second = site.worker("worker-b").unwrap();
    let build = api.completed(id, LIMIT).await.unwrap();
    first.signal(Signal::SIGCONT);
    let begun = std::time::Instant::now();
    let job = format!("job.name=build/{id}");
    let lost = |line: &str| line.contains(&job) && line.contains("was lost");
    while !site.output("worker-a").lines().any(lost) {
        assert!(begun.elapsed() < Duration::from_secs(30), "the worker notices nothing: {}", site.output("worker-a"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let now = api.build(id).await.unwrap();
    for field in ["status", "ended_on", "size"] {
        assert_eq!(now[field], build[field]);
    }
    assert_eq!(broken_files(&site.environment("slow").await.unwrap()), Vec::<String>::new());
    let log = api.text(&format!("/api/v1/build/{id}/logs/")).await.unwrap();
    assert!(log.contains("worker-b") || log.contains("attempt 2"), "{log}");
    drop_database(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_stop_hands_its_build_back() {
    let (Some(channel), Some(database)) = (channel(), database("stop").await) else { return };
    let server = ChannelServer::start(&channel).await;
    let site = Site::new(Some(&database), "").unwrap();
    let (_server, api) = site.server(&[]).await.unwrap();
    let mut first = site.worker("worker-a").unwrap();
    let id = slow_build(&api, &server.url).await;

    first.signal(Signal::SIGTERM);
    assert!(first.succeeded(Duration::from_mins(1)).unwrap(), "{}", site.output("worker-a"));
    let _second = site.worker("worker-b").unwrap();
    api.completed(id, LIMIT).await.unwrap();
    drop_database(&database).await;
}
