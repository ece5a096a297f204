//! A package and where it comes from.

use conda_store_core::{
    clock::Timestamp,
    model::{ChannelId, CondaChannel, CondaPackage, PackageBuildId},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::schema;

/// A channel as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelView {
    #[schema(value_type = i32)]
    id: ChannelId,
    /// Its URL.
    name: String,
    /// When its packages were last indexed.
    #[schema(value_type = Option<schema::Moment>)]
    last_update: Option<Timestamp>,
}

impl From<CondaChannel> for ChannelView {
    fn from(CondaChannel { id, name, last_update }: CondaChannel) -> Self {
        Self { id, name, last_update }
    }
}

/// One build of one version of a package as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PackageView {
    #[schema(value_type = i32)]
    id: PackageBuildId,
    channel: ChannelView,
    /// The build string.
    build: String,
    /// The licence as the package states it.
    license: Option<String>,
    /// SHA-256 of the package file in hexadecimal.
    sha256: String,
    name: String,
    version: String,
    /// One line about it.
    summary: Option<String>,
}

impl From<CondaPackage> for PackageView {
    fn from(package: CondaPackage) -> Self {
        let CondaPackage { id, channel, build, license, sha256, name, version, summary } = package;
        Self { id, channel: channel.into(), build, license, sha256, name, version, summary }
    }
}
