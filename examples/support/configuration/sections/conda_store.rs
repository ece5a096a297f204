//! The section `CondaStore`: what concerns the service as a whole.

use std::{collections::BTreeMap, path::PathBuf};

use conda_store_core::{
    model::{ArtifactType, NamespaceName},
    settings::Settings,
};
use rattler_conda_types::Subdir;
use secrecy::SecretString;
use serde::Deserialize;

use super::Section;
use crate::configuration::value::{Absent, BuiltIn, Mode, UrlValue, Version};

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

/// The section `CondaStore`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a documented switch of its own")]
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
    /// `rattler` for the built-in solver, else the name or path of mamba, micromamba or conda.
    pub conda_command: String,
    /// Prepended to a channel name without a URL; by default <https://conda.anaconda.org>.
    pub conda_channel_alias: Option<UrlValue>,
    /// Public prefixes of channels, and the prefixes of mirrors to fetch from instead, in order.
    pub conda_channel_mirrors: BTreeMap<UrlValue, Vec<UrlValue>>,
    /// Subdirectories whose package lists are used.
    pub conda_platforms: Vec<Subdir>,
    /// Platforms to lock for; this one must be among them.
    pub conda_solve_platforms: Vec<Subdir>,
    /// Channels of a specification that names none.
    pub conda_default_channels: Vec<String>,
    /// Channels that a specification may name; none here means all.
    pub conda_allowed_channels: Vec<String>,
    /// Channels whose packages can be searched.
    pub conda_indexed_channels: Vec<String>,
    /// Dependencies of a specification that has none.
    pub conda_default_packages: Vec<String>,
    /// Dependencies without which a specification is refused.
    pub conda_required_packages: Vec<String>,
    /// Dependencies that are added where they are missing.
    pub conda_included_packages: Vec<String>,
    /// As `conda_default_packages`, for the `pip:` list.
    pub pypi_default_packages: Vec<String>,
    /// As `conda_required_packages`, for the `pip:` list.
    pub pypi_required_packages: Vec<String>,
    /// As `conda_included_packages`, for the `pip:` list.
    pub pypi_included_packages: Vec<String>,
    /// Seconds after which a solve gives up.
    pub conda_max_solve_time: u64,
    /// Channel priority, and further flags of an external solver.
    pub conda_flags: String,
    /// Whether scripts of packages are run when they are linked.
    pub run_link_scripts: bool,
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
    /// Artifacts that are made of a build; `LOCKFILE` always is.
    pub build_artifacts: Vec<ArtifactType>,
    /// Artifacts that outlive their build.
    pub build_artifacts_kept_on_deletion: Vec<ArtifactType>,
    /// The namespace of specifications that name none.
    pub default_namespace: NamespaceName,
    /// The namespace of environments found on the file system.
    pub filesystem_namespace: NamespaceName,
    /// Owner of every file of a built environment; by default the user of the worker.
    pub default_uid: Option<u32>,
    /// Group of every file of a built environment; by default the group of the worker.
    pub default_gid: Option<u32>,
    /// Mode bits of every file and directory of a built environment.
    pub default_permissions: Option<Mode>,
    /// Bytes of free space below which nothing is created or updated.
    pub storage_threshold: u64,
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
        let settings = Settings::default();
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
            conda_command: settings.conda_command,
            conda_channel_alias: None,
            conda_channel_mirrors: BTreeMap::new(),
            conda_platforms: settings.conda_platforms,
            conda_solve_platforms: settings.conda_solve_platforms,
            conda_default_channels: settings.conda_default_channels,
            conda_allowed_channels: settings.conda_allowed_channels,
            conda_indexed_channels: settings.conda_indexed_channels,
            conda_default_packages: settings.conda_default_packages,
            conda_required_packages: settings.conda_required_packages,
            conda_included_packages: settings.conda_included_packages,
            pypi_default_packages: settings.pypi_default_packages,
            pypi_required_packages: settings.pypi_required_packages,
            pypi_included_packages: settings.pypi_included_packages,
            conda_max_solve_time: settings.conda_max_solve_time.as_secs(),
            conda_flags: settings.conda_flags,
            run_link_scripts: settings.run_link_scripts,
            database_url: None,
            upgrade_db: true,
            redis_url: None,
            celery_broker_url: None,
            queue_url: None,
            celery_results_backend: None,
            build_artifacts: settings.build_artifacts,
            build_artifacts_kept_on_deletion: settings.build_artifacts_kept_on_deletion,
            default_namespace: settings.default_namespace,
            filesystem_namespace: settings.filesystem_namespace,
            default_uid: settings.default_uid,
            default_gid: settings.default_gid,
            default_permissions: settings.default_permissions.map(Mode),
            storage_threshold: settings.storage_threshold,
            default_docker_base_image: "registry-1.docker.io/library/debian:sid-slim".into(),
            serialize_builds: true,
            lock_backend: LockBackend::default(),
            container_registry_class: ContainerRegistryClass::default(),
        }
    }
}
