//! The sections `Authentication`, what all ways to log in share, and `DummyAuthentication`.

use conda_store_auth::{DummyConfig, LoginConfig};
use serde::Deserialize;

use super::Section;

/// What issues and checks tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum AuthenticationBackendClass {
    /// The shipped one.
    #[default]
    AuthenticationBackend,
}

/// What decides who may do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum AuthorizationBackendClass {
    /// The shipped one.
    #[default]
    #[serde(alias = "AuthorizationBackend")]
    RBACAuthorizationBackend,
}

/// The section `Authentication`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authentication {
    /// The cookie that carries the token.
    pub cookie_name: String,
    /// Its domain, where it is not this host alone.
    pub cookie_domain: Option<String>,
    /// What issues and checks tokens.
    pub authentication_backend: AuthenticationBackendClass,
    /// What decides who may do what.
    pub authorization_backend: AuthorizationBackendClass,
    /// The HTML of the login form; by default the built-in one.
    pub login_html: Option<String>,
}

impl Authentication {
    /// The section as ways to log in take it.
    #[must_use]
    pub fn login(&self) -> LoginConfig {
        LoginConfig {
            cookie_name: self.cookie_name.clone(),
            cookie_domain: self.cookie_domain.clone(),
            login_html: self.login_html.clone(),
        }
    }
}

impl Default for Authentication {
    fn default() -> Self {
        let LoginConfig { cookie_name, cookie_domain, login_html } = LoginConfig::default();
        Self {
            cookie_name,
            cookie_domain,
            authentication_backend: AuthenticationBackendClass::default(),
            authorization_backend: AuthorizationBackendClass::default(),
            login_html,
        }
    }
}

impl Section for Authentication {
    const NAME: &'static str = "Authentication";
}

impl Section for DummyConfig {
    const NAME: &'static str = "DummyAuthentication";
    const SECRETS: &'static [&'static str] = &["password"];
    const INHERITS: &'static [&'static str] = &[Authentication::NAME];
}
