//! Choosing packages without building anything.

mod ask;

use std::{collections::BTreeMap, time::Duration};

use rattler_conda_types::RepoDataRecord;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, ErrorKind, Result,
    catalogue::channel_name,
    conda_store::CondaStore,
    event::Silent,
    lockfile::Lockfile,
    model::NamespaceName,
    pipeline::{platform, solve_request},
    settings::Settings,
    solver::{Lock, SolveRequest},
    specification::Specification,
};

/// How many solves run at a time in this process beside its jobs; each can take a processor and much memory.
pub(crate) const SOLVES_AT_ONCE: usize = 2;

/// What is being done.
const OPERATION: &str = "solve specification";

/// What a build of a specification would consist of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Solution {
    /// The conda packages for the platform of the machine that chose them, each after what it depends on.
    pub packages: Vec<SolvedPackage>,
    /// The conda packages for all platforms.
    pub lockfile: Lockfile,
}

/// A conda package that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// What is asked of a solver, and for which specification.
#[derive(Debug)]
pub(crate) struct Question {
    specification: Specification,
    pub(crate) request: SolveRequest,
}

impl Question {
    /// What to ask for a specification that was checked and completed.
    pub(crate) fn new(specification: Specification, settings: &Settings) -> Result<Self> {
        let Specification::Conda(conda) = &specification else {
            return Err(Error::invalid(OPERATION, "a lockfile is solved already"));
        };
        Ok(Self { request: solve_request(conda, settings)?, specification })
    }

    /// The answer that the solver's is.
    pub(crate) fn solution(&self, lock: &Lock) -> Result<Solution> {
        let sha256 = self.specification.sha256();
        let lockfile = Lockfile::new(lock, &BTreeMap::new(), &self.request.channels, &sha256)?;
        let packages = lock.platforms.get(&platform()?).map(Vec::as_slice).unwrap_or_default();
        Ok(Solution { packages: packages.iter().map(SolvedPackage::from).collect(), lockfile })
    }
}

impl CondaStore {
    /// Chooses in this process the conda packages that a build of `specification` in `namespace` would have, for programs
    /// without a worker; [`solve`](Self::solve) leaves it to one.
    ///
    /// Two such solves run at a time, others wait. It ends when the returned future is dropped, and where
    /// [`conda_max_solve_time`](crate::settings::Settings::conda_max_solve_time) is over, the wait included.
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    pub async fn solve_here(&self, namespace: &NamespaceName, specification: Specification) -> Result<Solution> {
        let question = self.question(namespace, specification).await?;
        let request = &question.request;
        let (asked, stop) = (self.clock().now(), CancellationToken::new());
        let _stops_with_the_future = stop.clone().drop_guard();
        let solve = async {
            let turn = self.parts().solves.acquire().await;
            let _turn =
                turn.map_err(|error| Error::unexpected(OPERATION, "nothing is solved any more").with_source(error))?;
            let solver = self.solver().as_ref();
            loop {
                let lock = self.parts().shared_solves.solve(solver, request, asked, &Silent, &stop).await?;
                if let Some(lock) = lock {
                    return question.solution(&lock);
                }
            }
        };
        tokio::time::timeout(request.time_limit, solve).await.unwrap_or_else(|_| Err(too_late(request.time_limit)))
    }

    /// What is asked for `specification`, checked and completed.
    async fn question(&self, namespace: &NamespaceName, mut specification: Specification) -> Result<Question> {
        let settings = self.settings(namespace, Some(specification.name())).await?;
        self.validate(namespace, &settings, &mut specification).await?;
        Question::new(specification, &settings)
    }
}

fn too_late(limit: Duration) -> Error {
    Error::new(ErrorKind::Timeout, OPERATION, format!("no solution was found within {} seconds", limit.as_secs()))
}
