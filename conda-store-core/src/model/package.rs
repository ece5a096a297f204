//! Conda packages as the catalogue knows them.

use serde::{Deserialize, Serialize};

use super::{ChannelId, PackageBuildId};
use crate::clock::Timestamp;

/// A row of the table `conda_channel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CondaChannel {
    /// Its id.
    pub id: ChannelId,
    /// Its canonical URL.
    pub name: String,
    /// When its packages were last indexed.
    pub last_update: Option<Timestamp>,
}

/// One build of one version of a package, as the API lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CondaPackage {
    /// The id of the package build.
    pub id: PackageBuildId,
    /// The channel it comes from.
    pub channel: CondaChannel,
    /// The build string.
    pub build: String,
    /// The licence as the package states it.
    pub license: Option<String>,
    /// SHA-256 of the package file in hexadecimal.
    pub sha256: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line about it.
    pub summary: Option<String>,
}
