//! A solver that leaves the choice to an external mamba, micromamba or conda.
//!
//! The command is asked for a dry run with JSON output. It runs in a process group of its own, with an empty home
//! directory; what is kept from one solve to the next are the package lists that it downloads.

mod output;
mod process;

use std::{collections::BTreeMap, path::PathBuf};

use async_trait::async_trait;
use rattler_conda_types::{ChannelUrl, MatchSpec, RepoDataRecord, Subdir};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::output::Choice;
use super::{
    PackageLists,
    in_order::in_order,
    platforms::{self, PlatformSolver},
};
use crate::{
    Error, Result,
    event::Reporter,
    solver::{ChannelPriority, Lock, SolveRequest, Solver},
};

const OPERATION: &str = "run external solver";

/// Variables of the server's own environment that would name another installation or prefix to the command.
const FOREIGN_VARIABLES: [&str; 5] =
    ["CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL", "CONDARC", "MAMBA_ROOT_PREFIX"];

/// Chooses packages with an external mamba, micromamba or conda.
///
/// A mirrored channel is read by the command from the first of its mirrors.
#[derive(Clone, Debug)]
pub struct CommandSolver {
    command: PathBuf,
    lists: PackageLists,
}

impl CommandSolver {
    /// A solver that runs `command`, a path or a name to be found in `PATH`; `lists` completes what the command leaves
    /// out of its answer.
    #[must_use]
    pub fn new(command: impl Into<PathBuf>, lists: PackageLists) -> Self {
        Self { command: command.into(), lists }
    }

    /// The chosen packages under their public addresses, with everything that the package list says of them.
    async fn complete(
        &self,
        choices: Vec<Choice>,
        sources: &Sources,
        request: &SolveRequest,
        platform: Subdir,
    ) -> Result<Vec<RepoDataRecord>> {
        let (mut records, mut incomplete) = (Vec::new(), Vec::new());
        for choice in choices {
            match choice.record() {
                Some(record) => records.push(record),
                None => incomplete.push(choice),
            }
        }
        if !incomplete.is_empty() {
            records.extend(self.look_up(&incomplete, request, platform).await?);
        }
        for record in &mut records {
            sources.publish(record);
        }
        Ok(in_order(records))
    }

    async fn look_up(
        &self,
        choices: &[Choice],
        request: &SolveRequest,
        platform: Subdir,
    ) -> Result<Vec<RepoDataRecord>> {
        let names = choices.iter().map(Choice::name).collect::<Result<Vec<_>>>()?;
        let known = self.lists.records(&request.channels, &[platform, Subdir::NoArch], names).await?;
        let found = |choice: &Choice| {
            known.iter().find(|record| choice.is(record)).cloned().ok_or_else(|| {
                let message = "the command chose a package that no channel lists";
                Error::not_found(OPERATION, message).with("package", choice.shown())
            })
        };
        choices.iter().map(found).collect()
    }
}

#[async_trait]
impl PlatformSolver for CommandSolver {
    fn lists(&self) -> &PackageLists {
        &self.lists
    }

    async fn solve_platform(
        &self,
        request: &SolveRequest,
        platform: Subdir,
        _specs: &[MatchSpec],
        reporter: &dyn Reporter,
    ) -> Result<Vec<RepoDataRecord>> {
        let home = tempfile::tempdir().map_err(|error| Error::io(OPERATION, error))?;
        let kept = self.lists.cache().join("external");
        tokio::fs::create_dir_all(&kept)
            .await
            .map_err(|error| Error::io(OPERATION, error).with("path", kept.display()))?;
        let sources = Sources::new(request, &self.lists);
        let mut command = Command::new(&self.command);
        command.args(["create", "--dry-run", "--json", "--yes", "--override-channels", "--prefix"]);
        command.arg(home.path().join("environment"));
        for (_, source) in &sources.0 {
            command.arg("--channel").arg(source.as_str());
        }
        command.arg(match request.channel_priority {
            ChannelPriority::Strict => "--strict-channel-priority",
            ChannelPriority::Disabled => "--no-channel-priority",
        });
        command.args(&request.flags).args(&request.specs);
        for name in FOREIGN_VARIABLES {
            command.env_remove(name);
        }
        command.envs(overrides(&request.variables));
        command.env("HOME", home.path()).env("CONDA_PKGS_DIRS", &kept).env("CONDA_SUBDIR", platform.as_str());
        let finished = process::run(command, &self.command, reporter).await?;
        let choices = output::choices(&finished, reporter)?;
        self.complete(choices, &sources, request, platform).await
    }
}

#[async_trait]
impl Solver for CommandSolver {
    async fn solve(
        &self,
        request: &SolveRequest,
        reporter: &dyn Reporter,
        cancellation: &CancellationToken,
    ) -> Result<Lock> {
        platforms::solve(self, request, reporter, cancellation).await
    }
}

fn overrides(variables: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    variables.iter().filter(|(name, _)| name.starts_with("CONDA_OVERRIDE_"))
}

/// The channels and where the command reads them.
struct Sources(Vec<(ChannelUrl, ChannelUrl)>);

impl Sources {
    fn new(request: &SolveRequest, lists: &PackageLists) -> Self {
        let source = |channel: &ChannelUrl| {
            let candidates = lists.mirrors().candidates(channel.url());
            candidates.into_iter().next().map_or_else(|| channel.clone(), ChannelUrl::from)
        };
        Self(request.channels.iter().map(|channel| (channel.clone(), source(channel))).collect())
    }

    /// Names `record` by the public address of its channel.
    fn publish(&self, record: &mut RepoDataRecord) {
        let Some((channel, rest)) = self.0.iter().find_map(|(channel, source)| {
            let rest = [source, channel].into_iter().find_map(|url| below(&record.url, url.url()))?;
            Some((channel, rest))
        }) else {
            return;
        };
        if let Ok(url) = channel.url().join(&rest) {
            record.url = url;
        }
        record.channel = Some(channel.to_string());
    }
}

/// What follows `directory` in `url`; commands leave out credentials.
fn below(url: &Url, directory: &Url) -> Option<String> {
    let directory = super::public_url(directory);
    super::public_url(url).as_str().strip_prefix(directory.as_str()).map(str::to_owned)
}
