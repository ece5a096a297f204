//! The access log.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum::body::Body;
use http::{Method, Request};
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::site::{Site, Who};

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The events that say that a request was answered.
    fn answers(&self) -> Vec<Value> {
        let events = self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
        events.into_iter().filter(|event| event["fields"]["message"] == "answered").collect()
    }
}

#[tokio::test]
async fn every_answer_is_logged_with_who_asked_for_what_and_no_secret() {
    let site = Site::new().await;
    let token = site.token(Who::Viewer).unwrap();
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(lines.clone()).finish();
    // While there is just one subscriber, whoever meets an event first decides for all threads whether it is logged: tests
    // on other threads, which have none, would decide that it is not.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);

    site.ask(Who::Developer, Method::GET, &format!("/api/v1/environment/?jwt={token}"), None).await;
    site.ask(Who::Nobody, Method::PUT, "/api/v1/build/3/cancel/", None).await;
    let request = Request::builder().uri("/nothing").header("x-request-id", "mine").body(Body::empty());
    site.send(request.unwrap()).await;

    let answers = lines.answers();
    let shown: Vec<_> = answers
        .iter()
        .map(|answer| {
            let (span, fields) = (&answer["span"], &answer["fields"]);
            assert!(fields["http.seconds"].as_f64().unwrap() > 0.0, "{answer}");
            (
                span["http.method"].as_str(),
                span["http.path"].as_str(),
                fields["http.status"].as_u64(),
                span["entity"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (Some("GET"), Some("/api/v1/environment/"), Some(200), Some("secret")),
            (Some("PUT"), Some("/api/v1/build/3/cancel/"), Some(403), None),
            (Some("GET"), Some("/nothing"), Some(404), None),
        ]
    );
    assert_eq!(answers[0]["span"]["http.request.id"].as_str().unwrap().len(), 36);
    assert_eq!(answers[2]["span"]["http.request.id"], "mine");
    assert!(!lines.text().contains(&token), "{}", lines.text());
}
