//! Programs of an environment, run so that they can be stopped with everything they started.

use std::{
    collections::BTreeMap,
    fmt,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
};
use tokio_util::sync::CancellationToken;

use super::orphans;
use crate::{
    Error, ErrorKind, Result,
    event::{Reporter, ReporterExt},
    memory::MemoryKills,
};

/// How long the last lines of a program that has ended are waited for: a process that it left behind may keep its output
/// open.
const LAST_LINES: Duration = Duration::from_millis(250);
/// How much of a line goes into the log; a program that writes no line ends must not fill the memory.
const LINE_LIMIT: usize = 16 * 1024;

/// The environment variables of a program that is run for the environment at `prefix`: those of `inherited`, its own
/// `bin` before the system's programs, and none of this process, which may hold passwords.
pub(super) fn variables(prefix: &Path, inherited: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let path = inherited.get("PATH").map_or(SYSTEM, String::as_str);
    let mut variables = inherited.clone();
    variables.insert("PATH".to_owned(), format!("{}:{path}", prefix.join("bin").display()));
    variables.insert("CONDA_PREFIX".to_owned(), prefix.display().to_string());
    variables.insert(orphans::MARK.to_owned(), prefix.display().to_string());
    variables.entry("LANG".to_owned()).or_insert_with(|| "C.UTF-8".to_owned());
    variables
}

/// What a shell says of a program that signal 9 ended: 128 and the number of the signal.
const KILLED_IN_SHELL: i32 = 137;

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    status: ExitStatus,
    /// What the kernel had killed when it began.
    kills: Option<MemoryKills>,
}

impl Ended {
    pub(super) fn success(&self) -> bool {
        self.status.success()
    }

    /// Whether signal 9 ended it or what it ran.
    fn was_killed(&self) -> bool {
        self.status.signal() == Some(Signal::SIGKILL as i32) || self.status.code() == Some(KILLED_IN_SHELL)
    }
}

/// The exit status; where it was killed also why, as far as the kernel tells.
impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.status)?;
        if !self.was_killed() {
            return Ok(());
        }
        formatter.write_str(", which is what the kernel does to programs that need more memory than they may use")?;
        match self.kills.as_ref().and_then(MemoryKills::since_then) {
            Some(found) => write!(formatter, ": {found}"),
            None => Ok(()),
        }
    }
}

/// Runs `command` to its end in a process group of its own; each line it writes goes through `line`, and from there to
/// the reporter.
///
/// # Errors
/// [`ErrorKind::Cancelled`] and [`ErrorKind::Timeout`], after all its processes were killed; what the system says where
/// it cannot be started.
pub(super) async fn run(
    operation: &'static str,
    mut command: Command,
    time_limit: Option<Duration>,
    mut line: impl FnMut(String) -> String + Send,
    reporter: &dyn Reporter,
    cancellation: &CancellationToken,
) -> Result<Ended> {
    let kills = MemoryKills::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| Error::io(operation, error))?;
    let _group = Group(child.id());
    let work = follow(operation, &mut child, |text| reporter.message(line(text)));
    let limited = async {
        match time_limit {
            None => work.await,
            Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late(operation, limit))),
        }
    };
    let ended = cancellation.run_until_cancelled(limited).await.unwrap_or_else(|| Err(super::cancelled(operation)));
    ended.map(|status| Ended { status, kills })
}

async fn follow(operation: &'static str, child: &mut Child, mut report: impl FnMut(String)) -> Result<ExitStatus> {
    let mut lines = Lines { output: Stream::new(child.stdout.take()), errors: Stream::new(child.stderr.take()) };
    let fail = |error| Error::io(operation, error);
    let status = loop {
        tokio::select! {
            biased;
            line = lines.next() => report(line.map_err(fail)?),
            status = child.wait() => break status.map_err(fail)?,
        }
    };
    while let Ok(line) = tokio::time::timeout(LAST_LINES, lines.next()).await {
        report(line.map_err(fail)?);
    }
    Ok(status)
}

/// What a program writes, line by line.
struct Lines<O, E> {
    output: Stream<O>,
    errors: Stream<E>,
}

impl<O: AsyncRead + Unpin, E: AsyncRead + Unpin> Lines<O, E> {
    /// The next line, empty ones left out; it never comes after the end of both streams.
    async fn next(&mut self) -> std::io::Result<String> {
        loop {
            let line = tokio::select! {
                line = self.output.line() => line?,
                line = self.errors.line() => line?,
            };
            if !line.is_empty() {
                return Ok(line);
            }
        }
    }
}

struct Stream<R> {
    reader: Option<BufReader<R>>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Stream<R> {
    fn new(reader: Option<R>) -> Self {
        Self { reader: reader.map(BufReader::new), line: Vec::new() }
    }

    /// The next line; what was read of it stays here when the future is dropped.
    async fn line(&mut self) -> std::io::Result<String> {
        loop {
            let Some(reader) = &mut self.reader else { return std::future::pending().await };
            let buffer = reader.fill_buf().await?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let count = end.map_or(buffer.len(), |end| end + 1);
            let room = LINE_LIMIT.saturating_sub(self.line.len()).min(count);
            self.line.extend_from_slice(&buffer[..room]);
            reader.consume(count);
            if count == 0 {
                self.reader = None;
            }
            if end.is_some() || count == 0 {
                let line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
                self.line.clear();
                return Ok(line);
            }
        }
    }
}

fn late(operation: &'static str, limit: Duration) -> Error {
    Error::new(ErrorKind::Timeout, operation, format!("not finished after {} s", limit.as_secs()))
}

/// A process group, which ends with this value: at the end, on cancellation, and when the work is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // Nobody may be left in the group, which is fine.
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}
