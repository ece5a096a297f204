//! The events of builds as a stream.

use std::time::Duration;

use axum::body::Body;
use conda_store_core::{
    catalogue::Claim,
    event::{BuildEvent, Phase},
    model::BuildId,
};
use conda_store_http::{HttpOptions, router, serve};
use http::{Method, Request};
use http_body_util::BodyExt;
use insta::{assert_json_snapshot, assert_snapshot};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::site::{Site, Who, shown};

const PATH: &str = "/api/v2/build/3/events/";

fn message(text: &str) -> BuildEvent {
    BuildEvent::Message { text: text.into() }
}

/// A site where a worker has build 3.
async fn building() -> (Site, u32) {
    let site = Site::new().await;
    let lease = Duration::from_mins(1);
    let Claim::Started { attempt, .. } = site.store.catalogue().claim_build(BuildId(3), "worker", lease).await.unwrap()
    else {
        unreachable!("nobody else has the build")
    };
    (site, attempt)
}

async fn say(site: &Site, attempt: u32, events: &[BuildEvent]) {
    site.store.catalogue().add_events(BuildId(3), attempt, events).await.unwrap();
}

/// What a viewer is answered who has the event `last`.
async fn watch(site: &Site, last: Option<&str>) -> (u16, String) {
    let token = format!("Bearer {}", site.token(Who::Viewer).unwrap());
    let mut request = Request::builder().uri(PATH).header("authorization", token);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = site.send(request.body(Body::empty()).unwrap()).await;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_build_that_is_over_tells_all_of_it_and_resumes_anywhere() {
    let (site, attempt) = building().await;
    let started = BuildEvent::PhaseStarted { phase: Phase::Fetch, total: Some(2), bytes: None };
    let progress = BuildEvent::Progress { phase: Phase::Fetch, items: 2, bytes: 64, subject: "numpy".into() };
    let finished = BuildEvent::PhaseFinished { phase: Phase::Fetch, elapsed: Duration::from_millis(1500) };
    say(&site, attempt, &[BuildEvent::AttemptStarted { attempt }, started, progress, finished]).await;
    say(&site, attempt, &[message("two\nlines"), BuildEvent::AttemptEnded { attempt }]).await;
    site.store.catalogue().fail_build(BuildId(3), attempt, "no").await.unwrap();

    let (status, whole) = watch(&site, None).await;
    assert_eq!(status, 200);
    assert_snapshot!("whole", whole);
    for last in 1..=6 {
        let (_, rest) = watch(&site, Some(&last.to_string())).await;
        let place = whole.find(&format!("id: {last}\n")).unwrap();
        assert!(whole[place..].ends_with(&rest) && !rest.contains(&format!("id: {last}\n")), "{last}: {rest}");
    }
    assert_eq!(watch(&site, Some("end")).await, (204, String::new()));
    assert_eq!(watch(&site, Some("one")).await.0, 422);
}

#[tokio::test]
async fn a_build_is_watched_while_it_runs() {
    let (site, attempt) = building().await;
    say(&site, attempt, &[message("first")]).await;
    let (watched, ()) = tokio::join!(watch(&site, None), async {
        for text in ["second", "third"] {
            tokio::time::sleep(Duration::from_millis(300)).await;
            say(&site, attempt, &[message(text)]).await;
        }
        site.store.catalogue().fail_build(BuildId(3), attempt, "no").await.unwrap();
        say(&site, attempt, &[message("last"), BuildEvent::AttemptEnded { attempt }]).await;
    });
    let ids: Vec<_> = watched.1.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "end"]);
}

#[tokio::test]
async fn a_build_that_nobody_began_ends_some_time_after_it_was_canceled() {
    let site = Site::new().await;
    site.store.catalogue().cancel_build(BuildId(3)).await.unwrap();
    site.clock.advance(Duration::from_secs(5));
    assert_snapshot!("canceled", watch(&site, None).await.1);
}

#[tokio::test]
async fn events_are_for_those_who_may_read_the_build() {
    let site = Site::new().await;
    site.clock.advance(Duration::from_mins(1));
    for (who, id, status) in [
        (Who::Nobody, 2, 403),
        (Who::Nobody, 1, 200),
        (Who::Viewer, 2, 200),
        (Who::Nobody, 99, 403),
        (Who::Admin, 99, 404),
    ] {
        let answer = shown(site.ask(who, Method::GET, &format!("/api/v2/build/{id}/events/"), None).await).await;
        assert_eq!(answer["status"], status, "{who:?} {id}");
    }
    assert_json_snapshot!("no-id", site.get(Who::Admin, "/api/v2/build/one/events/").await);
}

#[tokio::test]
async fn a_stream_ends_when_the_server_is_told_to_stop() {
    let (site, attempt) = building().await;
    say(&site, attempt, &[message("first")]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let router = router(site.store.clone(), HttpOptions::default()).unwrap();
    let served = tokio::spawn(serve(listener, router, stop.clone().cancelled_owned()));
    let mut client = TcpStream::connect(address).await.unwrap();
    let token = site.token(Who::Viewer).unwrap();
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("first") {
        assert_ne!(client.read_buf(&mut said).await.unwrap(), 0);
    }
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), served).await.expect("nothing holds it up").unwrap().unwrap();
    client.read_to_end(&mut said).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    // The build goes on, and so does the client elsewhere: no last event, and the end of the chunks.
    assert!(!said.contains("event: end") && said.ends_with("0\r\n\r\n"), "{said}");
}
