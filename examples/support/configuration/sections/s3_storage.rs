//! The section `S3Storage`: artifacts in a bucket.

use secrecy::SecretString;
use serde::Deserialize;

use super::Section;
use crate::configuration::secret::SecretMap;

/// Where the credentials of a bucket come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum S3Credentials {
    /// `access_key` and `secret_key`.
    #[default]
    Static,
    /// The environment variables of AWS.
    Environment,
    /// The metadata service of the machine.
    Iam,
    /// A web identity token.
    WebIdentity,
    /// A profile of AWS's configuration files.
    Profile,
}

/// The section `S3Storage`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3StorageSection {
    /// `HOST[:PORT]` for every get and put.
    pub internal_endpoint: String,
    /// `HOST[:PORT]` in the links that users get.
    pub external_endpoint: String,
    /// Whether the internal endpoint is spoken to by https.
    pub internal_secure: bool,
    /// Whether the external endpoint is spoken to by https.
    pub external_secure: bool,
    /// The access key.
    pub access_key: Option<SecretString>,
    /// The secret key.
    pub secret_key: Option<SecretString>,
    /// The region.
    pub region: String,
    /// The bucket.
    pub bucket_name: String,
    /// Where the credentials come from.
    pub credentials: S3Credentials,
    /// Arguments of `credentials` by position.
    pub credentials_args: Vec<SecretString>,
    /// Arguments of `credentials` by name.
    pub credentials_kwargs: SecretMap,
}

impl Default for S3StorageSection {
    fn default() -> Self {
        Self {
            internal_endpoint: "s3.amazonaws.com".into(),
            external_endpoint: "s3.amazonaws.com".into(),
            internal_secure: true,
            external_secure: true,
            access_key: None,
            secret_key: None,
            region: "us-east-1".into(),
            bucket_name: "conda-store".into(),
            credentials: S3Credentials::default(),
            credentials_args: Vec::new(),
            credentials_kwargs: SecretMap::default(),
        }
    }
}

impl Section for S3StorageSection {
    const NAME: &'static str = "S3Storage";
    const SECRETS: &'static [&'static str] = &["access_key", "secret_key", "credentials_args", "credentials_kwargs"];
}
