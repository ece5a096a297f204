//! Running the command so that nothing of it outlives the wait for it.

use std::{io, path::Path, process::Stdio, sync::LazyLock};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use regex::Regex;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader},
    process::{Child, Command},
};

use super::OPERATION;
use crate::{
    Error, ErrorKind, Result,
    event::{Reporter, ReporterExt as _},
};

/// The most that is read of an answer, in bytes.
const LONGEST_ANSWER: u64 = 256 << 20;

/// How many lines of the command's messages are kept for an error.
const LINES_KEPT: usize = 20;

/// What a command left behind.
#[derive(Debug)]
pub(super) struct Finished {
    /// Its standard output.
    pub(super) answer: String,
    /// The last lines of its standard error, without credentials.
    pub(super) messages: Vec<String>,
    /// Whether and how it failed, in words.
    pub(super) failure: Option<String>,
}

/// Runs `command` to its end and reports its messages. When the future is dropped, the command and all processes that it
/// started are killed.
pub(super) async fn run(mut command: Command, name: &Path, reporter: &dyn Reporter) -> Result<Finished> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| not_started(error, name))?;
    let group = ProcessGroup::of(&child);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (answer, messages, status) = tokio::try_join!(read(stdout), listen(stderr, reporter), async {
        let status = child.wait().await;
        // What it left running would keep the pipes open.
        drop(group);
        status
    })
    .map_err(|error| Error::io(OPERATION, error).with("command", name.display()))?;
    let failure = (!status.success()).then(|| status.to_string());
    Ok(Finished { answer, messages, failure })
}

fn not_started(error: io::Error, name: &Path) -> Error {
    let found = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied);
    let error = if found {
        let message = "the command that chooses packages cannot be run; conda_command has to be \"rattler\" or the name \
                       or path of an installed mamba, micromamba or conda";
        Error::new(ErrorKind::NotFound, OPERATION, message).with_source(error)
    } else {
        Error::io(OPERATION, error)
    };
    error.with("command", name.display())
}

async fn read(stdout: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(stdout) = stdout {
        stdout.take(LONGEST_ANSWER).read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn listen(stderr: Option<impl AsyncRead + Unpin>, reporter: &dyn Reporter) -> io::Result<Vec<String>> {
    let mut kept = Vec::new();
    let Some(stderr) = stderr else {
        return Ok(kept);
    };
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        let line = without_credentials(String::from_utf8_lossy(&line).trim_end());
        if line.is_empty() {
            continue;
        }
        reporter.message(&line);
        if kept.len() == LINES_KEPT {
            kept.remove(0);
        }
        kept.push(line);
    }
    Ok(kept)
}

/// `text` with the user, password or token of every URL in it replaced.
pub(super) fn without_credentials(text: &str) -> String {
    static CREDENTIALS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(://)[^/@\s]+@|(/t/)[^/\s]+").ok());
    match CREDENTIALS.as_ref() {
        Some(credentials) => credentials.replace_all(text, "$1$2").into_owned(),
        None => String::new(),
    }
}

/// The processes that a command started; they are killed with it.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An error means that nothing of the group is left.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_reach_the_log() {
        let line = "reading https://user:word@a.example/x and https://b.example/t/tk-1/forge/noarch";
        assert_eq!(without_credentials(line), "reading https://a.example/x and https://b.example/t//forge/noarch");
    }
}
