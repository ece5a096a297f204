//! Log lines and progress bars on the same terminal.

use std::io::{self, IsTerminal, Write};

use indicatif::MultiProgress;
use tracing_subscriber::fmt::MakeWriter;

use crate::configuration::{Problem, log_level::LogLevel};

/// Writes the lines of `level` to standard error from now on, above the bars of `bars`.
///
/// # Errors
/// Where something else takes the log lines of this process already.
pub fn start(level: &LogLevel, bars: &MultiProgress) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(level.filter())
        .with_ansi(io::stderr().is_terminal())
        .with_writer(AboveBars(bars.clone()))
        .try_init()
        .map_err(|error| anyhow::anyhow!("cannot log: {error}"))
}

/// Logs what is worth a warning about the configuration.
pub fn warnings(found: &[Problem]) {
    for problem in found {
        tracing::warn!("{problem}");
    }
}

/// Standard error, with the bars out of the way while a line is written.
struct AboveBars(MultiProgress);

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self(self.0.clone())
    }
}

impl Write for AboveBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
