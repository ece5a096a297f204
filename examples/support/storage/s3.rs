//! The section `S3Storage` as the storage takes it.

use std::collections::BTreeMap;

use conda_store_storage::{S3Credentials as Credentials, S3Endpoint, S3StorageConfig, WebIdentity};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::configuration::{Configuration, Problem, S3Credentials, S3StorageSection, Section};

pub(super) fn config(configuration: &Configuration) -> Result<S3StorageConfig, Problem> {
    let section = &configuration.s3_storage;
    let endpoint = |key, host: &str, secure| {
        let read = S3Endpoint::new(host, secure);
        read.map_err(|error| configuration.problem(S3StorageSection::NAME, key, error.to_string()))
    };
    let internal = endpoint("internal_endpoint", &section.internal_endpoint, section.internal_secure)?;
    Ok(S3StorageConfig {
        external_endpoint: endpoint("external_endpoint", &section.external_endpoint, section.external_secure)?,
        region: section.region.clone(),
        ..S3StorageConfig::new(internal, &section.bucket_name, credentials(configuration)?)
    })
}

/// What each source of credentials takes, in the order of `credentials_args`.
fn parameters(source: S3Credentials) -> &'static [&'static str] {
    match source {
        S3Credentials::Static => &["access_key", "secret_key", "session_token"],
        S3Credentials::Environment => &[],
        S3Credentials::Iam => &["custom_endpoint"],
        S3Credentials::WebIdentity => &["token_file", "role_arn", "role_session_name"],
        S3Credentials::Profile => &["filename", "profile"],
    }
}

fn credentials(configuration: &Configuration) -> Result<Credentials, Problem> {
    let section = &configuration.s3_storage;
    let problem = |key, message: &str| configuration.problem(S3StorageSection::NAME, key, message);
    let mut given = arguments(configuration)?;
    let mut take = |name| given.remove(name);
    let text = |secret: SecretString| secret.expose_secret().to_owned();
    Ok(match section.credentials {
        S3Credentials::Static => {
            let (access, secret) = (take("access_key"), take("secret_key"));
            let missing =
                |key| problem(key, "is missing; where the key comes from elsewhere, credentials says from where");
            Credentials::Static {
                access_key: access.or(section.access_key.clone()).ok_or_else(|| missing("access_key"))?,
                secret_key: secret.or(section.secret_key.clone()).ok_or_else(|| missing("secret_key"))?,
                session_token: take("session_token"),
            }
        }
        S3Credentials::Environment => Credentials::Environment,
        S3Credentials::Iam => {
            let endpoint = take("custom_endpoint").map(|url| text(url).parse()).transpose();
            let wrong = |_| problem("credentials_kwargs", "custom_endpoint takes a URL");
            Credentials::InstanceMetadata { endpoint: endpoint.map_err(wrong)? }
        }
        S3Credentials::WebIdentity => {
            let (token, role, session) = (take("token_file"), take("role_arn"), take("role_session_name"));
            match (token, role) {
                (Some(token), Some(role)) => Credentials::WebIdentity(Some(WebIdentity {
                    token_file: text(token).into(),
                    role_arn: text(role),
                    session_name: session.map_or_else(|| "conda-store".to_owned(), text),
                })),
                (None, None) if session.is_none() => Credentials::WebIdentity(None),
                _ => return Err(problem("credentials_kwargs", "takes token_file and role_arn, or neither of them")),
            }
        }
        S3Credentials::Profile => Credentials::Profile {
            file: take("filename").map(|path| text(path).into()),
            name: take("profile").map(text),
        },
    })
}

/// `credentials_args` and `credentials_kwargs` by name.
fn arguments(configuration: &Configuration) -> Result<BTreeMap<&'static str, SecretString>, Problem> {
    let section = &configuration.s3_storage;
    let names = parameters(section.credentials);
    let problem = |key, message: String| configuration.problem(S3StorageSection::NAME, key, message);
    let known = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let (by_position, by_name) = (&section.credentials_args, &section.credentials_kwargs.0);
    if by_position.len() > names.len() {
        let message = format!("has {} values; this source of credentials takes {known}", by_position.len());
        return Err(problem("credentials_args", message));
    }
    let mut given: BTreeMap<_, _> = names.iter().copied().zip(by_position.iter().cloned()).collect();
    for (name, value) in by_name {
        let Some(name) = names.iter().find(|known| *known == name) else {
            return Err(problem(
                "credentials_kwargs",
                format!("{name} is not known; this source of credentials takes {known}"),
            ));
        };
        let Value::String(text) = value else {
            return Err(problem("credentials_kwargs", format!("{name} takes text")));
        };
        if given.insert(*name, text.clone().into()).is_some() {
            return Err(problem("credentials_kwargs", format!("{name} is in credentials_args too")));
        }
    }
    Ok(given)
}
