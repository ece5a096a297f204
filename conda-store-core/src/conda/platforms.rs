//! A solve, one platform after the other.

use async_trait::async_trait;
use rattler_conda_types::{MatchSpec, RepoDataRecord, Subdir};
use tokio_util::sync::CancellationToken;

use super::{PackageLists, specs, stop::unless_stopped};
use crate::{
    Result,
    event::{Reporter, ReporterExt as _},
    solver::{Lock, SolveRequest},
};

/// Chooses packages for one platform.
#[async_trait]
pub(super) trait PlatformSolver: Send + Sync {
    /// The package lists that match specs are read with.
    fn lists(&self) -> &PackageLists;

    /// The packages for `platform`, each after what it depends on; `specs` are those of `request`.
    async fn solve_platform(
        &self,
        request: &SolveRequest,
        platform: Subdir,
        specs: &[MatchSpec],
        reporter: &dyn Reporter,
    ) -> Result<Vec<RepoDataRecord>>;
}

/// Has `solver` choose packages for each platform of `request`, until `cancellation` fires or the time is over.
pub(super) async fn solve(
    solver: &dyn PlatformSolver,
    request: &SolveRequest,
    reporter: &dyn Reporter,
    cancellation: &CancellationToken,
) -> Result<Lock> {
    let all = async {
        let specs = specs::parsed(request, solver.lists())?;
        let mut lock = Lock::default();
        for &platform in &request.platforms {
            let records = solver.solve_platform(request, platform, &specs, reporter).await?;
            reporter.message(format!("{platform}: {} packages were chosen", records.len()));
            lock.platforms.insert(platform, records);
        }
        Ok(lock)
    };
    unless_stopped(request, cancellation, all).await
}
