//! One attempt to turn a specification into an environment.

use serde::{Deserialize, Serialize};

use super::{BuildId, EnvironmentId, EnvironmentName, NamespaceName, SpecificationId};
use crate::{clock::Timestamp, text::texts};

/// Where a build stands.
///
/// `Queued → Building → Completed | Failed`, and `Queued | Building → Canceled`; a building one whose worker was lost
/// stays `Building` until another worker has it. Nothing leaves the last three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum BuildStatus {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Building,
    /// The environment is there.
    Completed,
    /// It could not be built; `status_info` says why.
    Failed,
    /// Somebody called it off.
    Canceled,
}

texts!(BuildStatus, "build status", {
    Queued = "QUEUED",
    Building = "BUILDING",
    Completed = "COMPLETED",
    Failed = "FAILED",
    Canceled = "CANCELED",
});

impl BuildStatus {
    /// Whether the build is over.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

/// A row of the table `build`, with the names that its key and paths are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// Its id.
    pub id: BuildId,
    /// The environment it belongs to.
    pub environment_id: EnvironmentId,
    /// That environment's name.
    pub environment: EnvironmentName,
    /// The namespace of that environment.
    pub namespace: NamespaceName,
    /// What is built.
    pub specification_id: SpecificationId,
    /// The specification's SHA-256 in hexadecimal.
    pub specification_sha256: String,
    /// Where it stands.
    pub status: BuildStatus,
    /// Why it stands there, in one sentence for a person.
    pub status_info: Option<String>,
    /// Bytes on disk, once built.
    pub size: Option<i64>,
    /// When it was asked for.
    pub scheduled_on: Timestamp,
    /// When a worker first took it.
    pub started_on: Option<Timestamp>,
    /// When it came to an end.
    pub ended_on: Option<Timestamp>,
    /// When it was marked as deleted.
    pub deleted_on: Option<Timestamp>,
    /// The format of its key.
    pub build_key_version: i32,
    /// The key itself where its format is a hash (version 3).
    pub hash: Option<String>,
}
