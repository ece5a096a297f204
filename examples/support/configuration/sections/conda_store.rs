//! The section `CondaStore`: what concerns the service as a whole.

use std::{collections::BTreeMap, path::PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use super::Section;
use crate::configuration::value::{Absent, BuiltIn, UrlValue, Version};

/// Where artifacts are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum StorageClass {
    /// In a directory of this machine.
    #[default]
    LocalStorage,
    /// In a bucket of an S3 service.
    S3Storage,
    /// In any other store that opendal knows.
    OpendalStorage,
}

/// What chooses packages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockBackend {
    /// The built-in solver.
    #[default]
    Rattler,
}

/// What speaks to outside container registries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ContainerRegistryClass {
    /// The shipped one.
    #[default]
    ContainerRegistry,
}

/// The section `CondaStore`, apart from the [settings](conda_store_core::settings::Settings) that it holds as well.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CondaStoreSection {
    /// Where artifacts are kept.
    pub storage_class: StorageClass,
    /// The directory below which environments are built; by default `conda-store/state` in the user's data directory.
    pub store_directory: Option<PathBuf>,
    /// Template of the directory of builds, over `store_directory`, `namespace` and `name`.
    pub build_directory: String,
    /// Template of the symbolic link to an environment's current build, over the same keys.
    pub environment_directory: String,
    /// The format of new build keys.
    pub build_key_version: Version<3>,
    /// Whether Windows paths get the prefix `\\?\`.
    pub win_extended_length_prefix: bool,
    /// What checks specifications.
    pub validate_specification: BuiltIn,
    /// What allows actions.
    pub validate_action: BuiltIn,
    /// What is called after an environment's current build changed.
    pub post_update_environment_build_hook: Absent,
    /// Public prefixes of channels, and the prefixes of mirrors to fetch from instead, in order.
    pub conda_channel_mirrors: BTreeMap<UrlValue, Vec<UrlValue>>,
    /// The database; by default an `SQLite` file in the user's data directory.
    pub database_url: Option<SecretString>,
    /// Whether migrations are run at start.
    pub upgrade_db: bool,
    /// The default of the next two.
    pub redis_url: Option<SecretString>,
    /// The queue; by default `redis_url`, else the database.
    pub celery_broker_url: Option<SecretString>,
    /// The same as `celery_broker_url` under a plain name.
    pub queue_url: Option<SecretString>,
    /// Accepted; results of jobs are in the catalogue.
    pub celery_results_backend: Option<SecretString>,
    /// Template of the image that container images are built upon.
    pub default_docker_base_image: String,
    /// Accepted; concurrent builds share the package cache safely.
    pub serialize_builds: bool,
    /// What chooses packages.
    pub lock_backend: LockBackend,
    /// What speaks to outside container registries.
    pub container_registry_class: ContainerRegistryClass,
}

impl Section for CondaStoreSection {
    const NAME: &'static str = "CondaStore";
    // URLs may carry passwords.
    const SECRETS: &'static [&'static str] =
        &["database_url", "redis_url", "celery_broker_url", "queue_url", "celery_results_backend"];
}

impl Default for CondaStoreSection {
    fn default() -> Self {
        Self {
            storage_class: StorageClass::default(),
            store_directory: None,
            build_directory: "{store_directory}/{namespace}".into(),
            environment_directory: "{store_directory}/{namespace}/envs/{name}".into(),
            build_key_version: Version(2),
            win_extended_length_prefix: false,
            validate_specification: BuiltIn::default(),
            validate_action: BuiltIn::default(),
            post_update_environment_build_hook: Absent::default(),
            conda_channel_mirrors: BTreeMap::new(),
            database_url: None,
            upgrade_db: true,
            redis_url: None,
            celery_broker_url: None,
            queue_url: None,
            celery_results_backend: None,
            default_docker_base_image: "registry-1.docker.io/library/debian:sid-slim".into(),
            serialize_builds: true,
            lock_backend: LockBackend::default(),
            container_registry_class: ContainerRegistryClass::default(),
        }
    }
}
