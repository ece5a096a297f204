//! Choosing packages without building anything.

use std::collections::BTreeMap;

use rattler_conda_types::RepoDataRecord;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, ErrorKind, Result,
    catalogue::channel_name,
    conda_store::CondaStore,
    event::Silent,
    lockfile::Lockfile,
    model::NamespaceName,
    pipeline::{platform, solve_request},
    specification::Specification,
};

/// How many solves run at a time in this process beside its other work; each can take a processor and much memory.
pub(crate) const SOLVES_AT_ONCE: usize = 2;

/// What is being done.
const OPERATION: &str = "solve specification";

/// What a build of a specification would consist of.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The conda packages for this machine's platform, each after what it depends on.
    pub packages: Vec<SolvedPackage>,
    /// The conda packages for all platforms.
    pub lockfile: Lockfile,
}

/// A conda package that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolvedPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its build string.
    pub build: String,
    /// Its build number.
    pub build_number: u64,
    /// Its channel, as the catalogue names channels.
    pub channel: String,
    /// The subdirectory of the channel that it is in.
    pub subdir: String,
    /// Bytes of the package file.
    pub size: Option<u64>,
    /// SHA-256 of the package file in hexadecimal.
    pub sha256: Option<String>,
    /// MD5 of the package file in hexadecimal.
    pub md5: Option<String>,
    /// What it depends on, as match specs.
    pub depends: Vec<String>,
}

impl From<&RepoDataRecord> for SolvedPackage {
    fn from(record: &RepoDataRecord) -> Self {
        let package = &record.package_record;
        Self {
            name: package.name.as_normalized().to_owned(),
            version: package.version.to_string(),
            build: package.build.to_string(),
            build_number: package.build_number,
            channel: channel_name(record),
            subdir: package.subdir.clone(),
            size: package.size,
            sha256: package.sha256.map(hex::encode),
            md5: package.md5.map(hex::encode),
            depends: package.depends.clone(),
        }
    }
}

impl CondaStore {
    /// Chooses the conda packages that a build of `specification` in `namespace` would have.
    ///
    /// Two solves run at a time, others wait. It ends when the returned future is dropped, and where
    /// [`conda_max_solve_time`](crate::settings::Settings::conda_max_solve_time) is over, the wait included.
    ///
    /// # Errors
    /// What a validator objects to and what [`Solver`](crate::solver::Solver) says; [`ErrorKind::Timeout`] where there was not
    /// enough time.
    pub async fn solve(&self, namespace: &NamespaceName, mut specification: Specification) -> Result<Solution> {
        let settings = self.settings(namespace, Some(specification.name())).await?;
        self.validate(namespace, &settings, &mut specification).await?;
        let sha256 = specification.sha256();
        let Specification::Conda(conda) = specification else {
            return Err(Error::invalid(OPERATION, "a lockfile is solved already"));
        };
        let request = solve_request(&conda, &settings)?;
        let (asked, stop) = (self.clock().now(), CancellationToken::new());
        let _stops_with_the_future = stop.clone().drop_guard();
        let solve = async {
            let turn = self.parts().solves.acquire().await;
            let _turn =
                turn.map_err(|error| Error::unexpected(OPERATION, "nothing is solved any more").with_source(error))?;
            let solver = self.solver().as_ref();
            loop {
                let lock = self.parts().shared_solves.solve(solver, &request, asked, &Silent, &stop).await?;
                if let Some(lock) = lock {
                    return Ok(lock);
                }
            }
        };
        let lock = tokio::time::timeout(request.time_limit, solve).await.map_err(|_| {
            let message = format!("no solution was found within {} seconds", request.time_limit.as_secs());
            Error::new(ErrorKind::Timeout, OPERATION, message)
        })??;
        let lockfile = Lockfile::new(&lock, &BTreeMap::new(), &request.channels, &sha256)?;
        let packages = lock.platforms.get(&platform()?).map(Vec::as_slice).unwrap_or_default();
        Ok(Solution { packages: packages.iter().map(SolvedPackage::from).collect(), lockfile })
    }
}
