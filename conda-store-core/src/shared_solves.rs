//! Solves that several builds ask for, done once.
//!
//! Whoever solves has the turn at it and leaves the answer beside the lock: `locks/…` and `KEY.json`, where the key is a digest
//! of everything that the answer depends on. Others wait for their turn and take the answer. It holds for whoever asked
//! before it was there: that answer is as good as one of their own, and a later request sees the channels as they are then.
//! Where the one whose turn it is ends without an answer, the next one solves.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rattler_conda_types::{RepoDataRecord, Subdir};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, ErrorKind, Result,
    clock::{Clock, Timestamp},
    conda::virtual_packages,
    event::{Reporter, ReporterExt},
    install::blocking,
    kept_error::KeptError,
    solver::{Lock, SolveRequest, Solver},
    turns::Turns,
};

const OPERATION: &str = "solve environment";

/// How long an answer is given to those who asked before it was there.
const SHARED_FOR: Duration = Duration::from_mins(10);

/// Gives one answer to all who ask the same.
#[derive(Debug)]
pub(crate) struct SharedSolves {
    directory: PathBuf,
    turns: Turns,
    clock: Arc<dyn Clock>,
}

/// What a solve came to.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    ended: Timestamp,
    outcome: Outcome,
}

#[derive(Debug, Serialize, Deserialize)]
enum Outcome {
    Solved(BTreeMap<Subdir, Vec<RepoDataRecord>>),
    /// Nothing but time changes this outcome; other failures are tried again.
    Unsatisfiable(KeptError),
}

impl Outcome {
    fn of(solved: &Result<Lock>) -> Option<Self> {
        match solved {
            Ok(lock) => Some(Self::Solved(lock.platforms.clone())),
            Err(error) if error.kind() == ErrorKind::Unsatisfiable => Some(Self::Unsatisfiable(error.into())),
            Err(_) => None,
        }
    }

    fn into_result(self) -> Result<Lock> {
        match self {
            Self::Solved(platforms) => Ok(Lock { platforms }),
            Self::Unsatisfiable(error) => Err(error.into_error(OPERATION)),
        }
    }
}

impl SharedSolves {
    /// Keeps answers in `directory`, which all who are to share them have in common.
    pub(crate) async fn open(directory: PathBuf, clock: Arc<dyn Clock>) -> Result<Self> {
        let turns = Turns::open(OPERATION, directory.join("locks")).await?;
        Ok(Self { directory, turns, clock })
    }

    /// The packages for `request`, which was made at `asked`: of `solver`, or as somebody else solved the same since then.
    /// Waits a while for one who is about to; `None` where that is not enough.
    pub(crate) async fn solve(
        &self,
        solver: &dyn Solver,
        request: &SolveRequest,
        asked: Timestamp,
        reporter: &dyn Reporter,
        cancellation: &CancellationToken,
    ) -> Result<Option<Lock>> {
        let key = self.key(request).await?;
        let Some(_turn) = self.turns.wait(&key, cancellation).await? else { return Ok(None) };
        if let Some(answer) = self.read(&key, asked).await {
            reporter.message("another build asked for the same and was solved meanwhile: this one takes its packages");
            return answer.outcome.into_result().map(Some);
        }
        let lock = solver.solve(request, reporter, cancellation).await;
        if let Some(outcome) = Outcome::of(&lock) {
            self.write(&key, outcome).await;
        }
        lock.map(Some)
    }

    /// A digest of everything that an answer depends on, apart from the time.
    async fn key(&self, request: &SolveRequest) -> Result<String> {
        let (request, directory) = (request.clone(), self.directory.clone());
        blocking(OPERATION, move || {
            let mut machine = Vec::new();
            for platform in &request.platforms {
                let offered = virtual_packages(*platform, &request.variables, Some(&directory))?;
                machine.extend(offered.iter().map(ToString::to_string));
            }
            let SolveRequest { channels, specs, platforms, variables, channel_priority, flags, time_limit: _ } =
                request;
            let question =
                format!("{:?}", (1, channels, specs, platforms, variables, channel_priority, flags, machine));
            Ok(hex::encode(Sha256::digest(question)))
        })
        .await
    }

    fn path(&self, key: &str) -> PathBuf {
        self.directory.join(format!("{key}.json"))
    }

    /// The answer at `key`, where it came after `asked` and not too long ago. One that cannot be read is none.
    async fn read(&self, key: &str, asked: Timestamp) -> Option<Answer> {
        let text = tokio::fs::read(self.path(key)).await.ok()?;
        let answer: Answer = serde_json::from_slice(&text).ok()?;
        (answer.ended >= asked && self.clock.now().since(answer.ended) < SHARED_FOR).then_some(answer)
    }

    /// Leaves an answer for others. Where that fails, they solve themselves.
    async fn write(&self, key: &str, outcome: Outcome) {
        let (path, directory) = (self.path(key), self.directory.clone());
        let answer = Answer { ended: self.clock.now(), outcome };
        let written = blocking(OPERATION, move || {
            remove_old(&directory).map_err(|error| failed(error, &directory))?;
            let text = serde_json::to_vec(&answer)
                .map_err(|error| Error::unexpected(OPERATION, "an answer cannot be written").with_source(error))?;
            let write = || {
                let mut file = tempfile::NamedTempFile::new_in(&directory)?;
                io::Write::write_all(&mut file, &text)?;
                file.persist(&path).map_err(|error| error.error).map(drop)
            };
            write().map_err(|error| failed(error, &path))
        });
        if let Err(error) = written.await {
            tracing::warn!(error = error.report(), "a solve is not shared with other builds");
        }
    }
}

/// Removes the answers that nobody takes any more.
fn remove_old(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let age = metadata.modified()?.elapsed().unwrap_or_default();
        if metadata.is_file() && age > SHARED_FOR * 2 {
            // Another process may be doing the same.
            let _gone = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn failed(error: io::Error, path: &Path) -> Error {
    Error::io(OPERATION, error).with("path", path.display())
}
