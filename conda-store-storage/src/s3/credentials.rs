//! Who asks the service.

use std::path::{Path, PathBuf};

use aws_config::{
    ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    imds,
    meta::credentials::CredentialsProviderChain,
    profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
    web_identity_token::{StaticConfiguration, WebIdentityTokenCredentialsProvider},
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_s3::config::Region;
use conda_store_core::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Where the credentials for a bucket come from. All but fixed ones are renewed before they end.
#[derive(Clone, Debug)]
pub enum S3Credentials {
    /// From here.
    Static {
        /// The name of the key.
        access_key: SecretString,
        /// The key.
        secret_key: SecretString,
        /// The token that belongs to temporary ones.
        session_token: Option<SecretString>,
    },
    /// From the variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    Environment,
    /// From the role of the container or of the machine.
    InstanceMetadata {
        /// The metadata service, where it is not at its usual address.
        endpoint: Option<Url>,
    },
    /// In exchange for a token that a file holds, such as the one of a service account of Kubernetes; at Amazon's, or where
    /// `AWS_ENDPOINT_URL_STS` says.
    WebIdentity(Option<WebIdentity>),
    /// From a profile of AWS's configuration files.
    Profile {
        /// The profile; `AWS_PROFILE` or `default` where there is none.
        name: Option<String>,
        /// The file of credentials; the usual ones where there is none.
        file: Option<PathBuf>,
    },
}

/// What to exchange for credentials, in place of what `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN` and
/// `AWS_ROLE_SESSION_NAME` say.
#[derive(Clone, Debug)]
pub struct WebIdentity {
    /// The file with the token.
    pub token_file: PathBuf,
    /// The role to be taken.
    pub role_arn: String,
    /// The name that the session gets in logs.
    pub session_name: String,
}

impl S3Credentials {
    /// What gives them to a client.
    pub(super) fn provider(&self, region: &Region) -> Result<SharedCredentialsProvider> {
        let surroundings = || ProviderConfig::without_region().with_region(Some(region.clone()));
        Ok(match self {
            Self::Static { access_key, secret_key, session_token } => {
                let (access_key, secret_key) = (access_key.expose_secret(), secret_key.expose_secret());
                let token = session_token.as_ref().map(|token| token.expose_secret().to_owned());
                SharedCredentialsProvider::new(Credentials::new(access_key, secret_key, token, None, "configuration"))
            }
            Self::Environment => SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
            Self::InstanceMetadata { endpoint } => machine(endpoint.as_ref(), &surroundings())?,
            Self::WebIdentity(given) => {
                let mut builder = WebIdentityTokenCredentialsProvider::builder().configure(&surroundings());
                if let Some(WebIdentity { token_file, role_arn, session_name }) = given.clone() {
                    let given = StaticConfiguration { web_identity_token_file: token_file, role_arn, session_name };
                    builder = builder.static_configuration(given);
                }
                SharedCredentialsProvider::new(builder.build())
            }
            Self::Profile { name, file } => {
                let builder = ProfileFileCredentialsProvider::builder().configure(&surroundings());
                let builder = match name {
                    Some(name) => builder.profile_name(name),
                    None => builder,
                };
                let builder = match file {
                    Some(file) => builder.profile_files(only(file)),
                    None => builder,
                };
                SharedCredentialsProvider::new(builder.build())
            }
        })
    }
}

/// One file of credentials in place of the usual ones.
#[expect(deprecated, reason = "the types that take their place are in a crate of the SDK's own insides")]
fn only(file: &Path) -> aws_config::profile::profile_file::ProfileFiles {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    ProfileFiles::builder().with_file(ProfileFileKind::Credentials, file).build()
}

/// The role of the container where there is one, else that of the machine.
fn machine(endpoint: Option<&Url>, surroundings: &ProviderConfig) -> Result<SharedCredentialsProvider> {
    let mut client = imds::Client::builder().configure(surroundings);
    if let Some(endpoint) = endpoint {
        let wrong =
            |cause| Error::invalid("open storage", "the metadata service has no usable address").with_source(cause);
        client = client.endpoint(endpoint).map_err(wrong)?;
    }
    let machine = imds::credentials::ImdsCredentialsProvider::builder().configure(surroundings);
    let machine = machine.imds_client(client.build()).build();
    if endpoint.is_some() {
        return Ok(SharedCredentialsProvider::new(machine));
    }
    let container = EcsCredentialsProvider::builder().configure(surroundings).build();
    let chain = CredentialsProviderChain::first_try("container", container).or_else("machine", machine);
    Ok(SharedCredentialsProvider::new(chain))
}
