//! What a build says while it runs: typed events, from which logs, live streams, metrics and progress bars are made.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The steps of a build, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The specification is checked and completed.
    Validate,
    /// The packages are chosen.
    Solve,
    /// Packages that the cache lacks are downloaded, checked and unpacked.
    Fetch,
    /// Packages are linked into the prefix.
    Link,
    /// Packages of the `pip:` list are installed.
    Pip,
    /// Owner and mode of the files are set.
    Permissions,
    /// Packages and size are written to the catalogue.
    Record,
    /// Artifacts are made.
    Artifact,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Validate => "validate",
            Self::Solve => "solve",
            Self::Fetch => "fetch",
            Self::Link => "link",
            Self::Pip => "pip",
            Self::Permissions => "permissions",
            Self::Record => "record",
            Self::Artifact => "artifact",
        })
    }
}

/// One thing that happened in a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BuildEvent {
    /// A worker began an attempt; what an earlier one did counts for nothing.
    AttemptStarted {
        /// Its number, from 1.
        attempt: u32,
    },
    /// A phase began; `total` is how many steps it has, where that is known.
    PhaseStarted {
        /// Which one.
        phase: Phase,
        /// Packages (or files) that it will go through.
        total: Option<u64>,
        /// Bytes that it will go through.
        bytes: Option<u64>,
    },
    /// A phase got further.
    Progress {
        /// Which one.
        phase: Phase,
        /// Packages (or files) finished since the last such event.
        items: u64,
        /// Bytes finished since the last such event.
        bytes: u64,
        /// The package or file at hand.
        subject: String,
    },
    /// A phase came to its end.
    PhaseFinished {
        /// Which one.
        phase: Phase,
        /// How long it took.
        elapsed: Duration,
    },
    /// A line for the log.
    Message {
        /// The line, never with a secret in it.
        text: String,
    },
    /// The attempt is over; nothing follows of it.
    AttemptEnded {
        /// Its number.
        attempt: u32,
    },
}

/// Takes the events of one build.
///
/// # Contract
/// [`report`](Self::report) neither blocks nor fails; what it cannot keep it drops.
pub trait Reporter: fmt::Debug + Send + Sync {
    /// Takes one event.
    fn report(&self, event: BuildEvent);
}

/// Conveniences on every [`Reporter`].
pub trait ReporterExt: Reporter {
    /// Reports a line for the log.
    fn message(&self, text: impl Into<String>) {
        self.report(BuildEvent::Message { text: text.into() });
    }
}

impl<R: Reporter + ?Sized> ReporterExt for R {}

/// Drops every event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _event: BuildEvent) {}
}
