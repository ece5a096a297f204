//! The sections of the configuration, one file each, under the documented names.

mod authentication;
mod authentication_backend;
mod authorization_backend;
mod conda_store;
mod container_registry;
mod local_storage;
mod oauth;
mod opendal_storage;
mod s3_storage;
mod server;
mod worker;

use serde::de::DeserializeOwned;

pub use self::{
    authentication::Authentication,
    authorization_backend::AuthorizationBackend,
    conda_store::{CondaStoreSection, ContainerRegistryClass, LockBackend, StorageClass},
    container_registry::{ContainerRegistrySection, RegistryCredentials},
    local_storage::LocalStorageSection,
    oauth::{GenericOAuthAuthentication, GithubOAuthAuthentication, JupyterHubOAuthAuthentication},
    opendal_storage::OpendalStorageSection,
    s3_storage::{S3Credentials, S3StorageSection},
    server::{AuthenticationClass, CondaStoreServerSection},
    worker::CondaStoreWorkerSection,
};

/// A section of the configuration.
///
/// Its fields are its keys; it denies unknown ones, and every key has a default.
pub trait Section: Default + DeserializeOwned {
    /// Its name in the file.
    const NAME: &'static str;
    /// Keys whose values are never shown; a text among them can also be read from a file with `KEY_file`.
    const SECRETS: &'static [&'static str] = &[];
    /// The sections whose keys can be set under this one's name too, the nearest first.
    const INHERITS: &'static [&'static str] = &[];
}
