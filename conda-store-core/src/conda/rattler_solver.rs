//! The built-in solver: rattler's package lists and its SAT solver, resolvo.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rattler_conda_types::{Channel, GenericVirtualPackage, MatchSpec, RepoDataRecord, Subdir};
use rattler_repodata_gateway::{DownloadReporter, RepoData, Reporter as GatewayReporter};
use rattler_solve::{ChannelPriority as Priority, RepoDataIter, SolveError, SolverImpl as _, SolverTask, resolvo};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    PackageLists,
    answers::{Answers, Question},
    explanation::Offer,
    in_order::in_order,
    mirrored::behind_stand_in,
    platforms::{self, PlatformSolver},
    public_url,
    virtual_packages::virtual_packages,
};
use crate::{
    Error, ErrorKind, Result,
    event::{BuildEvent, Phase, Reporter},
    solver::{ChannelPriority, Lock, SolveRequest, Solver},
};

const OPERATION: &str = "solve environment";

/// Chooses packages in this process.
///
/// Each platform is solved by itself, from its own subdirectory of every channel and `noarch`. `flags` of a request are
/// for external commands and have no effect here. What was asked before is answered at once while no list changed.
#[derive(Clone, Debug)]
pub struct RattlerSolver {
    lists: PackageLists,
    answers: Answers,
}

impl RattlerSolver {
    /// A solver that chooses from `lists`; whoever else reads them shares what is in memory.
    #[must_use]
    pub fn new(lists: PackageLists) -> Self {
        Self { lists, answers: Answers::default() }
    }

    async fn virtual_packages(
        &self,
        platform: Subdir,
        variables: BTreeMap<String, String>,
    ) -> Result<Vec<GenericVirtualPackage>> {
        let cache = self.lists.cache().to_owned();
        tokio::task::spawn_blocking(move || virtual_packages(platform, &variables, Some(&cache)))
            .await
            .map_err(|error| Error::unexpected(OPERATION, "examining this machine failed").with_source(error))?
    }

    /// The lists that matter for `specs`, while the progress of fetching them is passed on to `reporter`.
    async fn fetch(
        &self,
        channels: &[Channel],
        subdirs: &[Subdir],
        specs: Vec<MatchSpec>,
        reporter: &dyn Reporter,
    ) -> Result<Vec<RepoData>> {
        let (sender, mut events) = mpsc::unbounded_channel();
        let query = self.lists.query(channels, subdirs, specs, Downloads(sender));
        tokio::pin!(query);
        loop {
            tokio::select! {
                Some(event) = events.recv() => reporter.report(event),
                lists = &mut query => {
                    while let Ok(event) = events.try_recv() {
                        reporter.report(event);
                    }
                    return lists;
                }
            }
        }
    }
}

#[async_trait]
impl PlatformSolver for RattlerSolver {
    fn lists(&self) -> &PackageLists {
        &self.lists
    }

    async fn solve_platform(
        &self,
        request: &SolveRequest,
        platform: Subdir,
        specs: &[MatchSpec],
        reporter: &dyn Reporter,
    ) -> Result<Vec<RepoDataRecord>> {
        let channels: Vec<Channel> = request.channels.iter().map(|url| self.lists.channel(url)).collect();
        let subdirs = if platform == Subdir::NoArch { vec![platform] } else { vec![platform, Subdir::NoArch] };
        let virtual_packages = self.virtual_packages(platform, request.variables.clone()).await?;
        let question = Question::new(request, platform, &virtual_packages);
        let revision = self.lists.revision(&channels, &subdirs).await?;
        if let Some(records) = self.answers.get(&question, revision) {
            return Ok(records);
        }
        let by_name: Vec<MatchSpec> = specs.iter().map(any_version).collect();
        let lists = self.fetch(&channels, &subdirs, specs.to_vec(), reporter).await?;
        let task = Task { lists, specs: specs.to_vec(), virtual_packages, priority: request.channel_priority };
        if let Ok(records) = run(task.clone()).await? {
            let records = in_order(records);
            self.answers.keep(question, revision, &records);
            return Ok(records);
        }
        // In an explanation everything counts that there is, also what the match specs rule out from the outset.
        let lists = self.fetch(&channels, &subdirs, by_name, reporter).await?;
        let outcome = run(Task { lists: lists.clone(), ..task.clone() }).await?;
        let names = self.lists.names(&request.channels, &subdirs).await?;
        let offer = Offer { lists: &lists, names: &names, channels: &request.channels, platform };
        outcome.map(in_order).map_err(|failure| offer.explain(&failure, &task.specs))
    }
}

#[async_trait]
impl Solver for RattlerSolver {
    async fn solve(
        &self,
        request: &SolveRequest,
        reporter: &dyn Reporter,
        cancellation: &CancellationToken,
    ) -> Result<Lock> {
        platforms::solve(self, request, reporter, cancellation).await
    }
}

/// `spec` without conditions on the package's version and build.
fn any_version(spec: &MatchSpec) -> MatchSpec {
    MatchSpec { version: None, build: None, build_number: None, ..spec.clone() }
}

/// What the solver proper works on.
#[derive(Clone)]
struct Task {
    lists: Vec<RepoData>,
    specs: Vec<MatchSpec>,
    virtual_packages: Vec<GenericVirtualPackage>,
    priority: ChannelPriority,
}

impl Task {
    fn solve(self, stop: rattler_solve::CancellationToken) -> Result<Vec<RepoDataRecord>, SolveError> {
        let mut task: SolverTask<'_, Vec<RepoDataIter<_>>> = self.lists.iter().map(RepoData::iter).collect();
        task.specs = self.specs;
        task.virtual_packages = self.virtual_packages;
        task.channel_priority = match self.priority {
            ChannelPriority::Strict => Priority::Strict,
            ChannelPriority::Disabled => Priority::Disabled,
        };
        task.cancellation_token = Some(stop);
        Ok(resolvo::Solver.solve(task)?.records)
    }
}

/// Runs `task` on a thread of its own, which ends soon after the returned future is dropped. The inner error is the
/// explanation of why there is no solution.
async fn run(task: Task) -> Result<Result<Vec<RepoDataRecord>, String>> {
    let stop = StopOnDrop(rattler_solve::CancellationToken::new());
    let token = stop.0.clone();
    let outcome = tokio::task::spawn_blocking(move || task.solve(token))
        .await
        .map_err(|error| Error::unexpected(OPERATION, "the solver broke down").with_source(error))?;
    match outcome {
        Ok(records) => Ok(Ok(records)),
        Err(SolveError::Unsolvable(reasons)) => Ok(Err(reasons.join("\n"))),
        Err(SolveError::Cancelled) => Err(Error::new(ErrorKind::Cancelled, OPERATION, "the solve was canceled")),
        Err(error @ SolveError::DuplicateRecords(_)) => {
            let message = "the package list of a channel names a package twice, with different contents";
            Err(Error::new(ErrorKind::Corrupt, OPERATION, message).with_source(error))
        }
        Err(error) => Err(Error::unexpected(OPERATION, "the solver cannot work on these packages").with_source(error)),
    }
}

/// Stops the solver when nobody waits for it any more.
struct StopOnDrop(rattler_solve::CancellationToken);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Sends on what happens while package lists are downloaded.
struct Downloads(mpsc::UnboundedSender<BuildEvent>);

impl GatewayReporter for Downloads {
    fn download_reporter(&self) -> Option<&dyn DownloadReporter> {
        Some(self)
    }
}

impl DownloadReporter for Downloads {
    fn on_download_complete(&self, url: &Url, _index: usize) {
        let subject = public_url(&behind_stand_in(url)).to_string();
        // Nobody listens any more where the solve was given up.
        let _ = self.0.send(BuildEvent::Progress { phase: Phase::Solve, items: 1, bytes: 0, subject });
    }
}
