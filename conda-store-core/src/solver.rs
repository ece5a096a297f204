//! How packages are chosen: the trait [`Solver`] and its vocabulary.

use std::{collections::BTreeMap, fmt, time::Duration};

use async_trait::async_trait;
use rattler_conda_types::{ChannelUrl, RepoDataRecord, Subdir};
use tokio_util::sync::CancellationToken;

use crate::{Result, event::Reporter};

/// Which packages the solver considers of several channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelPriority {
    /// Only those of the first channel that has the name (`--strict-channel-priority`).
    #[default]
    Strict,
    /// All of them, the version decides (`--no-channel-priority`).
    Disabled,
}

/// What is asked of a solver.
#[derive(Clone, Debug)]
pub struct SolveRequest {
    /// The channels under their public URLs, the most important first.
    pub channels: Vec<ChannelUrl>,
    /// Conda match specs (<https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html>).
    pub specs: Vec<String>,
    /// The platforms to choose packages for; `noarch` is always considered.
    pub platforms: Vec<Subdir>,
    /// Environment variables of the specification; `CONDA_OVERRIDE_*` among them set virtual packages.
    pub variables: BTreeMap<String, String>,
    /// How channels take precedence.
    pub channel_priority: ChannelPriority,
    /// Further flags for an external command.
    pub flags: Vec<String>,
    /// When to give up.
    pub time_limit: Duration,
}

/// The packages that were chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// The packages of each platform in an order in which they can be linked, each after what it depends on (as far
    /// as the dependencies have no cycle).
    pub platforms: BTreeMap<Subdir, Vec<RepoDataRecord>>,
}

/// Chooses packages.
///
/// # Contract
/// - Every package of an answer meets the request, and together they meet each other's requirements, for each
///   platform that was asked for.
/// - Packages are named by their public URLs, also where they were looked up on a mirror.
/// - It stops within a second of `cancellation`, with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled), and
///   within a second of the time limit, with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout); no thread and no
///   process of it goes on.
///
/// # Errors
/// [`ErrorKind::Unsatisfiable`](crate::ErrorKind::Unsatisfiable) with an explanation that a person can read;
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a match spec that is none;
/// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a channel that does not exist.
#[async_trait]
pub trait Solver: fmt::Debug + Send + Sync + 'static {
    /// Chooses packages for `request`.
    async fn solve(
        &self,
        request: &SolveRequest,
        reporter: &dyn Reporter,
        cancellation: &CancellationToken,
    ) -> Result<Lock>;
}
