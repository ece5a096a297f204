//! What can be set, section by section of a configuration.

use std::{collections::BTreeMap, fmt};

use conda_store_core::{auth::RoleBindings, clock::Timestamp};
use secrecy::SecretString;
use serde::Deserialize;

/// How tokens are signed: HMAC with one of the SHA-2 functions (RFC 7518, section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256; the secret has at least 32 bytes.
    #[default]
    HS256,
    /// HMAC with SHA-384; the secret has at least 48 bytes.
    HS384,
    /// HMAC with SHA-512; the secret has at least 64 bytes.
    HS512,
}

/// Whom a predefined token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredefinedToken {
    /// The namespace that is theirs.
    #[serde(default = "default_namespace")]
    pub primary_namespace: String,
    /// The roles that the token brings.
    #[serde(default)]
    pub role_bindings: RoleBindings,
    /// When the token stops being valid (UTC, ISO 8601); never where there is none.
    #[serde(default)]
    pub exp: Option<Timestamp>,
}

/// Settings of [`Tokens`](crate::Tokens): the section `AuthenticationBackend`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokensConfig {
    /// Signs the tokens. Where there is none a random one is made, and everybody has to log in again after a restart.
    pub secret: Option<SecretString>,
    /// How they are signed; tokens signed in another way are refused.
    pub jwt_algorithm: JwtAlgorithm,
    /// Tokens that are valid without a signature, for services.
    pub predefined_tokens: BTreeMap<String, PredefinedToken>,
}

impl fmt::Debug for TokensConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokensConfig")
            .field("jwt_algorithm", &self.jwt_algorithm)
            .field("predefined_tokens", &self.predefined_tokens.len())
            .finish_non_exhaustive()
    }
}

/// Settings of every login: the section `Authentication`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoginConfig {
    /// The name of the cookie that carries the token.
    pub cookie_name: String,
    /// The domain of the cookie; this host alone where there is none.
    pub cookie_domain: Option<String>,
    /// The page with the login form, in place of the built-in one.
    pub login_html: Option<String>,
}

impl Default for LoginConfig {
    fn default() -> Self {
        Self { cookie_name: "conda-store-auth".into(), cookie_domain: None, login_html: None }
    }
}

/// Settings of [`DummyAuthenticator`](crate::DummyAuthenticator): the section `DummyAuthentication`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DummyConfig {
    /// The password of everybody; an empty one lets any password in.
    pub password: SecretString,
}

impl Default for DummyConfig {
    fn default() -> Self {
        Self { password: SecretString::from("password") }
    }
}

/// The namespace of a token that names none, as in the original.
pub(crate) fn default_namespace() -> String {
    "default".into()
}
