//! The sections of the ways to log in by OAuth 2 (<https://www.rfc-editor.org/rfc/rfc6749>).

use secrecy::SecretString;
use serde::Deserialize;

use super::{Authentication, Section};
use crate::configuration::value::UrlValue;

/// The section `GenericOAuthAuthentication`: any provider.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenericOAuthAuthentication {
    /// Where a code is exchanged for an access token.
    pub access_token_url: Option<UrlValue>,
    /// Where a user agrees to the login.
    pub authorize_url: Option<UrlValue>,
    /// This service's name at the provider.
    pub client_id: String,
    /// This service's secret at the provider.
    pub client_secret: Option<SecretString>,
    /// The scopes that are asked for, separated by spaces.
    pub access_scope: Option<String>,
    /// Where a JSON map about the user is.
    pub user_data_url: Option<UrlValue>,
    /// The key of the user's name in that map.
    pub user_data_key: Option<String>,
    /// Where the provider sends a user back to, where it is not what the request suggests.
    pub oauth_callback_url: Option<UrlValue>,
    /// Whether the provider's certificate is checked.
    pub tls_verify: bool,
}

impl Default for GenericOAuthAuthentication {
    fn default() -> Self {
        Self {
            access_token_url: None,
            authorize_url: None,
            client_id: String::new(),
            client_secret: None,
            access_scope: None,
            user_data_url: None,
            user_data_key: None,
            oauth_callback_url: None,
            tls_verify: true,
        }
    }
}

impl Section for GenericOAuthAuthentication {
    const NAME: &'static str = "GenericOAuthAuthentication";
    const SECRETS: &'static [&'static str] = &["client_secret"];
    const INHERITS: &'static [&'static str] = &[Authentication::NAME];
}

/// The section `GithubOAuthAuthentication`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GithubOAuthAuthentication {
    /// GitHub, by default <https://github.com>.
    pub github_url: Option<UrlValue>,
    /// Its API, by default <https://api.github.com>.
    pub github_api: Option<UrlValue>,
}

impl Section for GithubOAuthAuthentication {
    const NAME: &'static str = "GithubOAuthAuthentication";
    const INHERITS: &'static [&'static str] = &[GenericOAuthAuthentication::NAME, Authentication::NAME];
}

/// The section `JupyterHubOAuthAuthentication`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JupyterHubOAuthAuthentication {
    /// The hub, without `/hub/`.
    pub jupyterhub_url: Option<UrlValue>,
}

impl Section for JupyterHubOAuthAuthentication {
    const NAME: &'static str = "JupyterHubOAuthAuthentication";
    const INHERITS: &'static [&'static str] = &[GenericOAuthAuthentication::NAME, Authentication::NAME];
}
