//! How far builds are: bars where somebody watches, log lines where nobody does.

use std::{
    io::{self, IsTerminal},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use conda_store_core::{
    event::{BuildEvent, Phase, Reporter},
    model::{Build, BuildId},
    pipeline::BuildObserver,
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a bar turns while nothing else happens to it.
const TICK: Duration = Duration::from_millis(120);

/// Shows the builds of this process on standard error.
#[derive(Debug)]
pub enum Progress {
    /// One bar per build.
    Bars(MultiProgress),
    /// A log line per phase.
    Lines,
}

impl Progress {
    /// Bars where standard error is a terminal, lines otherwise.
    #[must_use]
    pub fn new(bars: &MultiProgress) -> Self {
        if io::stderr().is_terminal() { Self::Bars(bars.clone()) } else { Self::Lines }
    }
}

impl BuildObserver for Progress {
    fn watch(&self, build: &Build) -> Arc<dyn Reporter> {
        match self {
            Self::Bars(bars) => Arc::new(Bar::new(bars, build)),
            Self::Lines => Arc::new(Lines { build: build.id }),
        }
    }
}

/// The bar of one attempt; it goes with its reporter.
#[derive(Debug)]
struct Bar {
    bar: ProgressBar,
    /// Whether the running phase counts bytes; else it counts packages.
    bytes: Mutex<bool>,
}

impl Bar {
    fn new(bars: &MultiProgress, build: &Build) -> Self {
        let bar = bars.add(ProgressBar::no_length().with_style(style(Unit::None)));
        bar.set_prefix(format!("{}/{} build {}", build.namespace, build.environment, build.id));
        bar.enable_steady_tick(TICK);
        Self { bar, bytes: Mutex::new(false) }
    }

    fn start(&self, phase: Phase, total: Option<u64>, bytes: Option<u64>) {
        let bytes = bytes.filter(|bytes| *bytes > 0);
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) = bytes.is_some();
        let unit = match (bytes, total) {
            (Some(_), _) => Unit::Bytes,
            (None, Some(_)) => Unit::Items,
            (None, None) => Unit::None,
        };
        self.bar.set_style(style(unit));
        self.bar.reset();
        self.bar.set_length(bytes.or(total).unwrap_or(0));
        self.bar.set_message(phase.to_string());
    }

    fn advance(&self, items: u64, bytes: u64) {
        let counts_bytes = *self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        self.bar.inc(if counts_bytes { bytes } else { items });
    }
}

impl Reporter for Bar {
    fn report(&self, event: BuildEvent) {
        match event {
            BuildEvent::PhaseStarted { phase, total, bytes } => self.start(phase, total, bytes),
            BuildEvent::Progress { phase, items, bytes, subject } => {
                self.bar.set_message(format!("{phase} {subject}"));
                self.advance(items, bytes);
            }
            _ => {}
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// What a bar counts.
#[derive(Clone, Copy, Debug)]
enum Unit {
    None,
    Items,
    Bytes,
}

fn style(unit: Unit) -> ProgressStyle {
    let template = match unit {
        Unit::None => "{spinner} {prefix} {wide_msg}",
        Unit::Items => "{spinner} {prefix} {bar:20} {pos}/{len} {wide_msg}",
        Unit::Bytes => "{spinner} {prefix} {bar:20} {bytes}/{total_bytes} {bytes_per_sec} {wide_msg}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Writes a log line per phase.
#[derive(Debug)]
struct Lines {
    build: BuildId,
}

impl Reporter for Lines {
    fn report(&self, event: BuildEvent) {
        match event {
            BuildEvent::PhaseStarted { phase, total, bytes } => {
                tracing::info!(build.id = %self.build, build.phase = %phase, items = total, bytes, "phase started");
            }
            BuildEvent::PhaseFinished { phase, elapsed } => {
                let seconds = elapsed.as_secs_f64();
                tracing::info!(build.id = %self.build, build.phase = %phase, seconds, "phase finished");
            }
            BuildEvent::Message { text } => tracing::debug!(build.id = %self.build, "{text}"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use conda_store_core::{clock::Clock, testing::ManualClock};
    use indicatif::ProgressDrawTarget;

    use super::*;

    fn build() -> Build {
        Build {
            id: BuildId(7),
            environment_id: conda_store_core::model::EnvironmentId(1),
            environment: "web".parse().unwrap(),
            namespace: "default".parse().unwrap(),
            specification_id: conda_store_core::model::SpecificationId(1),
            specification_sha256: "00".repeat(32),
            status: conda_store_core::model::BuildStatus::Building,
            status_info: None,
            size: None,
            scheduled_on: ManualClock::new().now(),
            started_on: None,
            ended_on: None,
            deleted_on: None,
            build_key_version: 2,
            hash: None,
        }
    }

    #[test]
    fn a_bar_shows_build_phase_bytes_and_package_and_goes_with_the_attempt() {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let reporter = Bar::new(&bars, &build());
        assert_eq!(reporter.bar.prefix(), "default/web build 7");
        let bar = reporter.bar.clone();
        let progress = |phase, items, bytes| {
            reporter.report(BuildEvent::Progress { phase, items, bytes, subject: "numpy-2.2.0-0".into() });
        };
        reporter.report(BuildEvent::PhaseStarted { phase: Phase::Fetch, total: Some(2), bytes: Some(2048) });
        progress(Phase::Fetch, 1, 1024);
        assert_eq!((bar.position(), bar.length()), (1024, Some(2048)));
        assert_eq!(bar.message(), "fetch numpy-2.2.0-0");
        reporter.report(BuildEvent::PhaseStarted { phase: Phase::Link, total: Some(2), bytes: None });
        progress(Phase::Link, 1, 0);
        assert_eq!((bar.position(), bar.length()), (1, Some(2)));
        drop(reporter);
        assert!(bar.is_finished());
    }
}
