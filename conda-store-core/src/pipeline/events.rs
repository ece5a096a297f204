//! The events of a build on their way into the catalogue, where every server can read them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    Result,
    catalogue::Catalogue,
    event::{BuildEvent, Reporter},
    model::BuildId,
};

/// How often events are written.
const FLUSHED_EVERY: Duration = Duration::from_millis(500);

/// How many lines and steps of progress an attempt may write; phases and the end are written all the same.
const MOST: usize = 10_000;

/// How many bytes of a line are written; the log has all of it.
const LONGEST: usize = 4096;

/// What is said in place of everything beyond [`MOST`].
const CUT: &str = "… further lines are in the log alone";

/// Collects the events of one attempt until they are written.
#[derive(Debug, Default)]
pub(super) struct EventLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Vec<BuildEvent>,
    /// How many lines and steps of progress there were.
    counted: usize,
}

impl EventLog {
    /// Nothing yet.
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Writes what is waiting; what cannot be written waits on.
    ///
    /// # Errors
    /// As [`Catalogue::add_events`].
    pub(super) async fn flush(&self, catalogue: &Catalogue, build: BuildId, attempt: u32) -> Result<()> {
        let events = std::mem::take(&mut self.lock().waiting);
        if events.is_empty() {
            return Ok(());
        }
        let written = catalogue.add_events(build, attempt, &events).await;
        if written.is_err() {
            let mut state = self.lock();
            let later = std::mem::replace(&mut state.waiting, events);
            state.waiting.extend(later);
        }
        written
    }

    /// Writes what is waiting twice a second until `stop` fires. A failure is tried again with the next.
    pub(super) async fn keep_flushing(
        &self,
        catalogue: &Catalogue,
        build: BuildId,
        attempt: u32,
        stop: &CancellationToken,
    ) {
        while stop.run_until_cancelled(tokio::time::sleep(FLUSHED_EVERY)).await.is_some() {
            if let Err(error) = self.flush(catalogue, build, attempt).await {
                tracing::warn!(build.id = %build, error = error.report(), "could not write a build's events");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for EventLog {
    fn report(&self, event: BuildEvent) {
        let mut state = self.lock();
        let event = match event {
            BuildEvent::Progress { .. } if state.merge(&event) => return,
            BuildEvent::Progress { .. } | BuildEvent::Message { .. } => {
                state.counted += 1;
                match state.counted {
                    0..MOST => shortened(event),
                    MOST => BuildEvent::Message { text: CUT.into() },
                    _ => return,
                }
            }
            event => event,
        };
        state.waiting.push(event);
    }
}

impl State {
    /// Adds a step of progress to the last one, where that is of the same phase and still waiting.
    fn merge(&mut self, event: &BuildEvent) -> bool {
        let BuildEvent::Progress { phase, items, bytes, subject } = event else { return false };
        let Some(BuildEvent::Progress { phase: last, items: all_items, bytes: all_bytes, subject: latest }) =
            self.waiting.last_mut()
        else {
            return false;
        };
        if last != phase {
            return false;
        }
        *all_items += items;
        *all_bytes += bytes;
        latest.clone_from(subject);
        true
    }
}

fn shortened(event: BuildEvent) -> BuildEvent {
    match event {
        BuildEvent::Message { mut text } => {
            text.truncate(text.floor_char_boundary(LONGEST));
            BuildEvent::Message { text }
        }
        event => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Phase, ReporterExt};

    fn progress(phase: Phase, subject: &str) -> BuildEvent {
        BuildEvent::Progress { phase, items: 1, bytes: 10, subject: subject.into() }
    }

    #[test]
    fn progress_that_waits_becomes_one_event() {
        let log = EventLog::new();
        for event in [progress(Phase::Fetch, "a"), progress(Phase::Fetch, "b"), progress(Phase::Link, "a")] {
            log.report(event);
        }
        let merged = BuildEvent::Progress { phase: Phase::Fetch, items: 2, bytes: 20, subject: "b".into() };
        assert_eq!(log.lock().waiting, [merged, progress(Phase::Link, "a")]);
    }

    #[test]
    fn what_a_build_says_is_bounded() {
        let log = EventLog::new();
        for _ in 0..2 * MOST {
            log.message("x".repeat(2 * LONGEST));
        }
        log.report(BuildEvent::PhaseStarted { phase: Phase::Link, total: None, bytes: None });
        let waiting = log.lock().waiting.clone();
        assert_eq!(waiting.len(), MOST + 1);
        assert_eq!(waiting[0], BuildEvent::Message { text: "x".repeat(LONGEST) });
        assert_eq!(waiting[MOST - 1], BuildEvent::Message { text: CUT.into() });
    }
}
