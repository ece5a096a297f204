//! The section `ContainerRegistry`: outside registries that images are pushed to.

use std::{collections::BTreeMap, path::PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use super::Section;

/// How this service introduces itself to a registry.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryCredentials {
    /// The user.
    pub username: Option<String>,
    /// The environment variable that holds the user.
    pub username_env: Option<String>,
    /// The file that holds the user.
    pub username_file: Option<PathBuf>,
    /// The password.
    pub password: Option<SecretString>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
    /// A bearer token in place of user and password.
    pub token: Option<SecretString>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Whether docker's own configuration file is asked.
    pub docker_config: bool,
}

/// The section `ContainerRegistry`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContainerRegistrySection {
    /// The registries by URL.
    pub container_registries: BTreeMap<String, RegistryCredentials>,
    /// Template of an image's name.
    pub container_registry_image_name: String,
    /// Template of an image's tag.
    pub container_registry_image_tag: String,
}

impl Default for ContainerRegistrySection {
    fn default() -> Self {
        Self {
            container_registries: BTreeMap::new(),
            container_registry_image_name: "{username}/{namespace}-{name}".into(),
            container_registry_image_tag: "{build_key}".into(),
        }
    }
}

impl Section for ContainerRegistrySection {
    const NAME: &'static str = "ContainerRegistry";
    const SECRETS: &'static [&'static str] = &["container_registries"];
}
