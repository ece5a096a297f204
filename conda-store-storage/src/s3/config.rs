//! What can be set.

use std::time::Duration;

use conda_store_core::storage::ARTIFACT_PREFIXES;

use super::{S3Credentials, S3Endpoint};

/// Settings of [`S3Storage`](super::S3Storage).
#[derive(Clone, Debug)]
pub struct S3StorageConfig {
    /// Where the service is reached for every get and put.
    pub internal_endpoint: S3Endpoint,
    /// Where those who follow a link reach it. Links are signed for it, nothing is ever sent there.
    pub external_endpoint: S3Endpoint,
    /// The region of the bucket; services other than Amazon's mostly take any.
    pub region: String,
    /// The bucket, which must exist.
    pub bucket_name: String,
    /// What the keys start with whose unfinished uploads are removed once they are older than a day; those of artifacts by
    /// default. Whatever else the bucket holds is left alone. Inside of a [`PrefixedStorage`](crate::PrefixedStorage) they begin
    /// with its prefix.
    pub swept_prefixes: Vec<String>,
    /// Who asks.
    pub credentials: S3Credentials,
    /// After this long without a byte a transfer is given up and tried again.
    pub stall_limit: Duration,
}

impl S3StorageConfig {
    /// A bucket at one endpoint, in the region `us-east-1`.
    #[must_use]
    pub fn new(endpoint: S3Endpoint, bucket_name: impl Into<String>, credentials: S3Credentials) -> Self {
        Self {
            internal_endpoint: endpoint.clone(),
            external_endpoint: endpoint,
            region: "us-east-1".into(),
            bucket_name: bucket_name.into(),
            swept_prefixes: ARTIFACT_PREFIXES.map(Into::into).into(),
            credentials,
            stall_limit: Duration::from_secs(20),
        }
    }
}
