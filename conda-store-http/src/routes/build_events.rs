//! `GET /api/v2/build/{build_id}/events/`: what a build says, as it happens.
//!
//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): each has the name of the kind of
//! event, its number as id and JSON as data. A client that comes back with `Last-Event-ID` gets what came after it. The
//! last event is `end`; whoever comes back after that is answered 204, which tells browsers to stay away.

use std::{collections::VecDeque, convert::Infallible, str::FromStr, time::Duration};

use axum::{
    Extension,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use conda_store_core::{
    Result,
    auth::Permission,
    catalogue::{Catalogue, RecordedEvent},
    clock::Timestamp,
    event::BuildEvent,
    model::{Build, BuildId},
};
use futures::{Stream, stream};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    caller::Caller,
    error::{Answer, Failure},
    face::Face,
    openapi::{Forbidden, Missing},
    request::BuildPath,
    server::Closing,
};

/// The header with the id of the last event that the client has.
const LAST_EVENT_ID: &str = "last-event-id";

/// How often the catalogue is asked for more.
const POLLED_EVERY: Duration = Duration::from_millis(500);

/// How long after a build's end its worker may still write what it said.
const SETTLED: Duration = Duration::from_secs(5);

/// How long one answer lasts: then the client comes back, and it is asked anew who it is.
const LONGEST: Duration = Duration::from_mins(15);

/// The events of a build as they happen, until its end: server-sent events, to be resumed with `Last-Event-ID`.
#[utoipa::path(
    get,
    path = "/build/{build_id}/events",
    tag = "build",
    params(BuildPath, ("Last-Event-ID" = Option<String>, Header, description = "the id of the last event that came")),
    responses(
        (status = OK, description = "events as they happen, with their ids", content_type = "text/event-stream"),
        (status = NO_CONTENT, description = "the last event that came was the end"),
        Forbidden,
        Missing,
    ),
)]
pub(crate) async fn handle(
    caller: Caller,
    BuildPath(id): BuildPath,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
) -> Answer<Response> {
    let place: Place = match headers.get(LAST_EVENT_ID) {
        Some(text) => text.to_str().unwrap_or_default().parse()?,
        None => Place::Behind(0),
    };
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    match place {
        Place::End => Ok(StatusCode::NO_CONTENT.into_response()),
        Place::Behind(last) => {
            let closing = closing.map(|Extension(Closing(closing))| closing).unwrap_or_default();
            let watch = Watch::new(&caller.face, build.id, last, closing);
            Ok(Sse::new(watch.stream()).keep_alive(KeepAlive::default()).into_response())
        }
    }
}

/// Where in the events of a build a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It has the event of this number; 0 for none.
    Behind(u32),
    /// It has them all.
    End,
}

impl FromStr for Place {
    type Err = Failure;

    fn from_str(text: &str) -> Answer<Self> {
        if text == "end" {
            return Ok(Self::End);
        }
        let wrong =
            |_| Failure::type_of("header", LAST_EVENT_ID, "must be the id of an event of this build", "value_error");
        text.parse().map(Self::Behind).map_err(wrong)
    }
}

/// A client that watches a build.
struct Watch {
    face: Face,
    build: BuildId,
    last: u32,
    waiting: VecDeque<Event>,
    begun: Timestamp,
    is_over: bool,
    /// Fires when the server is told to stop.
    closing: CancellationToken,
}

impl Watch {
    fn new(face: &Face, build: BuildId, last: u32, closing: CancellationToken) -> Self {
        let begun = face.store().clock().now();
        Self { face: face.clone(), build, last, waiting: VecDeque::new(), begun, is_over: false, closing }
    }

    fn stream(self) -> impl Stream<Item = std::result::Result<Event, Infallible>> {
        stream::unfold(self, async |mut watch| watch.next().await.map(|event| (Ok(event), watch)))
    }

    /// The next event, once there is one; none at the end, when the server stops, and where the catalogue is out of reach:
    /// the client comes back.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.is_over || self.closing.is_cancelled() || self.now().since(self.begun) > LONGEST {
                return None;
            }
            match self.read().await {
                Ok(true) => {}
                Ok(false) => {
                    let _closed = tokio::time::timeout(POLLED_EVERY, self.closing.cancelled()).await;
                }
                Err(error) => {
                    tracing::warn!(build.id = %self.build, error = error.report(), "a client's events were cut off");
                    return None;
                }
            }
        }
    }

    /// Reads what is new, and says whether there is anything to send.
    async fn read(&mut self) -> Result<bool> {
        // In this order: what a worker says before it ends a build is there when the build is over.
        let build = self.catalogue().build(self.build).await?;
        let events = self.catalogue().events(self.build, self.last).await?;
        for recorded in &events {
            self.last = recorded.number;
            self.waiting.extend(shown(recorded));
        }
        if events.is_empty() && self.is_ended(build.as_ref()).await? {
            self.is_over = true;
            self.waiting.extend(end(build.as_ref()));
        }
        Ok(!self.waiting.is_empty())
    }

    /// Whether nothing comes any more: the worker said so, or had the time to.
    async fn is_ended(&self, build: Option<&Build>) -> Result<bool> {
        let Some(build) = build else { return Ok(true) };
        if !build.status.is_final() {
            return Ok(false);
        }
        if build.ended_on.is_none_or(|ended| self.now().since(ended) >= SETTLED) {
            return Ok(true);
        }
        let latest = self.catalogue().events(self.build, self.last.saturating_sub(1)).await?;
        let ends = |recorded: &RecordedEvent| matches!(recorded.event, BuildEvent::AttemptEnded { .. });
        Ok(latest.last().is_some_and(|recorded| recorded.number == self.last && ends(recorded)))
    }

    fn catalogue(&self) -> &Catalogue {
        self.face.store().catalogue()
    }

    fn now(&self) -> Timestamp {
        self.face.store().clock().now()
    }
}

/// The event as clients see it: its kind is the name.
fn shown(recorded: &RecordedEvent) -> Option<Event> {
    let mut data = serde_json::to_value(&recorded.event).ok()?;
    let fields = data.as_object_mut()?;
    let kind = fields.remove("event")?;
    fields.insert("happened_on".into(), json!(recorded.happened_on));
    if let BuildEvent::PhaseFinished { elapsed, .. } = &recorded.event {
        // In seconds, as clients take numbers.
        fields.insert("elapsed".into(), json!(elapsed.as_secs_f64()));
    }
    event(kind.as_str()?, &recorded.number.to_string(), &data)
}

/// The last event.
fn end(build: Option<&Build>) -> Option<Event> {
    let data = match build {
        Some(build) => json!({ "status": build.status, "status_info": build.status_info }),
        // It was removed meanwhile.
        None => json!({ "status": null, "status_info": null }),
    };
    event("end", "end", &data)
}

fn event(kind: &str, id: &str, data: &Value) -> Option<Event> {
    Event::default().event(kind).id(id).json_data(data).ok()
}
