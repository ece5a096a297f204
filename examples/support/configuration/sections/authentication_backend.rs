//! The section `AuthenticationBackend`: tokens.

use conda_store_auth::TokensConfig;

use super::Section;

impl Section for TokensConfig {
    const NAME: &'static str = "AuthenticationBackend";
    const SECRETS: &'static [&'static str] = &["secret", "predefined_tokens"];
}
