//! The log of a build: events made text, written to storage while the build runs.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use crate::{
    Result,
    clock::Clock,
    event::{BuildEvent, Phase, Reporter},
    storage::{Body, Storage, StorageKey},
};

/// How often a short log that grew is written to storage.
const FLUSHED_EVERY: Duration = Duration::from_secs(1);

/// The most that is written of a log in that time, in bytes: a longer one is written less often, since all of it is written
/// each time.
const WRITTEN_AT_ONCE: usize = 1024 * 1024;

/// The most that is kept of a log in bytes. A package's script could print for ever.
const LARGEST: usize = 16 * 1024 * 1024;

/// What replaces everything that is printed beyond [`LARGEST`].
const CUT: &str = "… the log is full, what follows was dropped\n";

/// Collects the log of one attempt, and hands events on to whoever watches.
#[derive(Debug)]
pub(super) struct BuildLog {
    clock: Arc<dyn Clock>,
    watchers: Vec<Arc<dyn Reporter>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was written to storage before, in pieces that no write copies.
    sealed: Vec<Bytes>,
    /// What was logged since.
    text: String,
    /// The bytes of both.
    length: usize,
    /// How many of them the storage has.
    written: usize,
    phases: Vec<(Phase, Duration)>,
}

impl State {
    fn push(&mut self, text: fmt::Arguments<'_>) {
        let before = self.text.len();
        let _infallible = self.text.write_fmt(text);
        self.length += self.text.len() - before;
    }

    /// All of the log.
    fn seal(&mut self) -> Vec<Bytes> {
        if !self.text.is_empty() {
            self.sealed.push(std::mem::take(&mut self.text).into());
        }
        self.sealed.clone()
    }
}

impl BuildLog {
    /// An empty log.
    pub(super) fn new(clock: Arc<dyn Clock>, watchers: Vec<Arc<dyn Reporter>>) -> Self {
        Self { clock, watchers, state: Mutex::default() }
    }

    /// The phases that are over, and how long each took.
    pub(super) fn phases(&self) -> Vec<(Phase, Duration)> {
        self.lock().phases.clone()
    }

    /// The whole log.
    pub(super) fn text(&self) -> Vec<u8> {
        self.lock().seal().concat()
    }

    /// Writes the whole log to storage where it grew since the last time.
    pub(super) async fn flush(&self, storage: &dyn Storage, key: &StorageKey) -> Result<()> {
        let Some((pieces, length)) = self.grown() else { return Ok(()) };
        storage.put(key, Body::Stream(stream::iter(pieces).map(Ok).boxed())).await?;
        self.lock().written = length;
        Ok(())
    }

    /// The whole log and its length in bytes, where it grew since it was written.
    fn grown(&self) -> Option<(Vec<Bytes>, usize)> {
        let mut state = self.lock();
        (state.length > state.written).then(|| (state.seal(), state.length))
    }

    /// Writes the log now and then until `stop` fires, but only while `held` says that the build is still this
    /// attempt's: after a suspension another attempt may have a log there. A failed write is tried again with the next.
    pub(super) async fn keep_flushing(
        &self,
        storage: &dyn Storage,
        key: &StorageKey,
        held: impl Fn() -> bool,
        stop: &CancellationToken,
    ) {
        while stop.run_until_cancelled(tokio::time::sleep(self.pause())).await.is_some() {
            if !held() {
                continue;
            }
            if let Err(error) = self.flush(storage, key).await {
                tracing::warn!(storage.key = %key, error = error.report(), "could not write a build's log");
            }
        }
    }

    /// How long the storage may lack what was logged.
    fn pause(&self) -> Duration {
        let times = self.lock().length / WRITTEN_AT_ONCE;
        FLUSHED_EVERY.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX).saturating_add(1))
    }

    fn line(&self, text: &str) {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.length >= LARGEST {
            return;
        }
        for line in text.trim_end().lines() {
            state.push(format_args!("[{now}] {line}\n"));
        }
        if state.length >= LARGEST {
            state.push(format_args!("{CUT}"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for BuildLog {
    fn report(&self, event: BuildEvent) {
        match &event {
            BuildEvent::PhaseStarted { phase, total, bytes } => {
                let total = total.map(|total| format!(", {total} packages")).unwrap_or_default();
                let bytes = bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
                self.line(&format!("{phase} started{total}{bytes}"));
            }
            BuildEvent::PhaseFinished { phase, elapsed } => {
                self.line(&format!("{phase} took {:.3} s", elapsed.as_secs_f64()));
                self.lock().phases.push((*phase, *elapsed));
            }
            BuildEvent::Message { text } => self.line(text),
            // Thousands of these would bury everything else; the bars and streams show them. Of attempts there are lines.
            BuildEvent::Progress { .. } | BuildEvent::AttemptStarted { .. } | BuildEvent::AttemptEnded { .. } => {}
        }
        for watcher in &self.watchers {
            watcher.report(event.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::ReporterExt, testing::ManualClock};

    fn text(log: &BuildLog) -> String {
        String::from_utf8(log.lock().seal().concat()).unwrap()
    }

    #[test]
    fn a_log_has_a_limit_and_says_so_once() {
        let log = BuildLog::new(Arc::new(ManualClock::new()), Vec::new());
        let line = "x".repeat(1024 * 1024);
        for _ in 0..20 {
            log.message(line.as_str());
        }
        let text = text(&log);
        assert!(text.len() < LARGEST + 2 * line.len());
        assert_eq!(text.matches(CUT).count(), 1);
        assert_eq!(log.pause(), 17 * FLUSHED_EVERY);
    }

    #[test]
    fn every_write_is_of_the_whole_log_and_only_where_it_grew() {
        let log = BuildLog::new(Arc::new(ManualClock::new()), Vec::new());
        assert_eq!(log.pause(), FLUSHED_EVERY);
        let mut lines = Vec::new();
        for line in [Some("first"), None, Some("second"), Some("third"), None] {
            if let Some(line) = line {
                log.message(line);
            }
            let Some((pieces, length)) = log.grown() else { continue };
            let whole = String::from_utf8(pieces.concat()).unwrap();
            assert_eq!((whole.len(), &whole), (length, &text(&log)));
            lines.push(whole.lines().count());
            log.lock().written = length;
        }
        assert_eq!(lines, [1, 2, 3]);
    }

    #[test]
    fn phases_are_shown_and_remembered() {
        let log = BuildLog::new(Arc::new(ManualClock::new()), Vec::new());
        log.report(BuildEvent::PhaseStarted { phase: Phase::Fetch, total: Some(3), bytes: None });
        log.report(BuildEvent::PhaseFinished { phase: Phase::Fetch, elapsed: Duration::from_millis(1500) });
        assert_eq!(
            text(&log),
            "[2024-05-01T00:00:00.000000] fetch started, 3 packages\n[2024-05-01T00:00:00.000000] fetch took 1.500 s\n"
        );
        assert_eq!(log.phases(), [(Phase::Fetch, Duration::from_millis(1500))]);
    }
}
