//! The events of a build in one process, watched through another, on PostgreSQL.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Event, Site, channel, database, drop_database, file_url, specification};

/// How long a server may take to stop that has nothing but a stream to answer.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

const LIMIT: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_watched_as_it_goes_and_across_a_restart_of_the_server() {
    let (Some(channel), Some(database)) = (channel(), database("events").await) else { return };
    let site = Site::new(Some(&database), "").unwrap();
    let (mut server, api) = site.server(&[]).await.unwrap();
    let _worker = site.worker("worker").unwrap();
    let packages = ["many-files", "large-file", "python=3.11", "numpy", "pandas"];
    let id = api.submit("default", &specification("slow", &file_url(&channel), &packages)).await.unwrap();

    let mut watched: Vec<Event> = Vec::new();
    let mut stream = api.events(id, None).await.unwrap();
    while watched.last().is_none_or(|event| event.data["phase"] != "fetch") {
        watched.push(stream.next().await.unwrap().expect("the build goes on"));
    }
    let build = api.build(id).await.unwrap();
    assert_eq!(build["status"], "BUILDING", "what it says comes while it runs");

    let told = Instant::now();
    server.signal(Signal::SIGTERM);
    while let Some(event) = stream.next().await.unwrap() {
        assert_ne!(event.kind, "end", "the build goes on");
        watched.push(event);
    }
    assert!(server.succeeded(STOPS_WITHIN).unwrap(), "{}", site.output("conda-store-server"));
    assert!(told.elapsed() < STOPS_WITHIN, "a stream held the server up for {:?}", told.elapsed());

    let (_server, api) = site.server(&[]).await.unwrap();
    let last = watched.last().unwrap().id.clone();
    let mut stream = api.events(id, Some(&last)).await.unwrap();
    while let Some(event) = stream.next().await.unwrap() {
        watched.push(event);
    }
    let end = watched.pop().unwrap();
    assert_eq!((end.kind.as_str(), &end.data["status"]), ("end", &"COMPLETED".into()));
    let ids: Vec<String> = watched.iter().map(|event| event.id.clone()).collect();
    assert_eq!(ids, (1..=ids.len()).map(|number| number.to_string()).collect::<Vec<_>>(), "none is missing or twice");
    let phases: Vec<_> = watched.iter().filter(|event| event.kind == "phase_finished").collect();
    assert!(phases.iter().any(|event| event.data["phase"] == "link"), "{phases:?}");
    api.completed(id, LIMIT).await.unwrap();
    drop_database(&database).await;
}
