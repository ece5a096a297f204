//! The section `CondaStoreServer`: what concerns the HTTP server.

use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU32, path::PathBuf};

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::Section;
use crate::configuration::{log_level::LogLevel, value::Absent};

/// How people log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum AuthenticationClass {
    /// Any name, one password; for tests and for a first look.
    #[default]
    DummyAuthentication,
    /// Any provider of OAuth 2.
    GenericOAuthAuthentication,
    /// GitHub.
    GithubOAuthAuthentication,
    /// `JupyterHub`.
    JupyterHubOAuthAuthentication,
}

impl AuthenticationClass {
    /// The section of that name.
    #[must_use]
    pub fn section(self) -> &'static str {
        match self {
            Self::DummyAuthentication => "DummyAuthentication",
            Self::GenericOAuthAuthentication => "GenericOAuthAuthentication",
            Self::GithubOAuthAuthentication => "GithubOAuthAuthentication",
            Self::JupyterHubOAuthAuthentication => "JupyterHubOAuthAuthentication",
        }
    }
}

/// The section `CondaStoreServer`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a documented switch of its own")]
pub struct CondaStoreServerSection {
    /// What is logged.
    pub log_level: LogLevel,
    /// Whether the web UI answers.
    pub enable_ui: bool,
    /// Whether the API answers.
    pub enable_api: bool,
    /// Whether the container registry answers.
    pub enable_registry: bool,
    /// Whether the metrics answer.
    pub enable_metrics: bool,
    /// The address that is listened on.
    pub address: IpAddr,
    /// The port that is listened on; 0 for any free one.
    pub port: u16,
    /// `HOST:PORT` of the registry as users reach it, without scheme; by default `localhost:PORT`.
    pub registry_external_url: Option<String>,
    /// The path below which everything but the registry answers.
    pub url_prefix: String,
    /// How people log in.
    pub authentication_class: AuthenticationClass,
    /// Signs sessions and links to artifacts; by default `AuthenticationBackend.secret`.
    pub secret_key: Option<SecretString>,
    /// The longest page of a list, also the default.
    pub max_page_size: NonZeroU32,
    /// Whether a proxy in front sets `X-Forwarded-*` headers that can be trusted.
    pub behind_proxy: bool,
    /// A directory of templates that take the place of built-in ones.
    pub template: Option<PathBuf>,
    /// Variables of the templates.
    pub template_vars: BTreeMap<String, Value>,
    /// Origins whose pages may use the API with credentials.
    pub cors_allow_origins: Vec<String>,
    /// Origins whose pages may use the API, as a regular expression.
    pub cors_allow_origin_regex: String,
    /// Routes that are merged in.
    pub additional_routes: Absent,
    /// Whether the worker runs in this process too.
    pub standalone: bool,
}

impl Default for CondaStoreServerSection {
    fn default() -> Self {
        Self {
            log_level: LogLevel::default(),
            enable_ui: true,
            enable_api: true,
            enable_registry: true,
            enable_metrics: true,
            address: IpAddr::from([0, 0, 0, 0]),
            port: 8080,
            registry_external_url: None,
            url_prefix: "/".into(),
            authentication_class: AuthenticationClass::default(),
            secret_key: None,
            max_page_size: NonZeroU32::MIN.saturating_add(99),
            behind_proxy: false,
            template: None,
            template_vars: BTreeMap::new(),
            cors_allow_origins: Vec::new(),
            cors_allow_origin_regex: ".*".into(),
            additional_routes: Absent::None,
            standalone: false,
        }
    }
}

impl Section for CondaStoreServerSection {
    const NAME: &'static str = "CondaStoreServer";
    const SECRETS: &'static [&'static str] = &["secret_key"];
}
