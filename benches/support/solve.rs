//! What benches ask a solver, and the solver they ask.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use anyhow::Result;
use conda_store_core::{
    clock::SystemClock,
    conda::{ChannelMirrors, Client, PackageListOptions, PackageLists, RattlerSolver},
    event::Silent,
    solver::{ChannelPriority, SolveRequest, Solver},
};
use rattler_conda_types::{ChannelUrl, RepoDataRecord, Subdir};
use tokio_util::sync::CancellationToken;
use url::Url;

/// A solver that keeps package lists in `cache`.
pub(crate) fn solver(client: &Client, cache: &Path) -> Result<RattlerSolver> {
    let options = PackageListOptions {
        cache: cache.to_owned(),
        mirrors: ChannelMirrors::default(),
        trusted_for: Duration::from_mins(1),
        clock: Arc::new(SystemClock),
    };
    Ok(RattlerSolver::new(PackageLists::new(client, options)?))
}

/// The packages of `channel` that `specs` ask for, for Linux on x86-64.
pub(crate) async fn solve(solver: &RattlerSolver, channel: &Url, specs: &[&str]) -> Result<Vec<RepoDataRecord>> {
    let request = SolveRequest {
        channels: vec![ChannelUrl::from(channel.clone())],
        specs: specs.iter().copied().map(str::to_owned).collect(),
        platforms: vec![Subdir::Linux64],
        variables: BTreeMap::new(),
        channel_priority: ChannelPriority::Strict,
        flags: Vec::new(),
        time_limit: Duration::from_mins(5),
    };
    let lock = solver.solve(&request, &Silent, &CancellationToken::new()).await?;
    Ok(lock.platforms.into_values().flatten().collect())
}
