//! A package that a solver chose.

use conda_store_core::{SolvedPackage, model::ChannelId};
use serde::Serialize;
use utoipa::ToSchema;

/// A package that a solver chose.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SolvedPackageView {
    name: String,
    version: String,
    build: String,
    build_number: u64,
    /// The id of the channel, where it is known from builds or the index.
    #[schema(value_type = Option<i32>)]
    channel_id: Option<ChannelId>,
    /// The URL of the channel.
    channel: String,
    subdir: String,
    /// Bytes of the package file.
    size: Option<u64>,
    sha256: Option<String>,
    md5: Option<String>,
    depends: Vec<String>,
}

impl SolvedPackageView {
    /// The package, whose channel has this id.
    pub(crate) fn new(package: SolvedPackage, channel_id: Option<ChannelId>) -> Self {
        let SolvedPackage { name, version, build, build_number, channel, subdir, size, sha256, md5, depends } = package;
        Self { name, version, build, build_number, channel_id, channel, subdir, size, sha256, md5, depends }
    }
}
