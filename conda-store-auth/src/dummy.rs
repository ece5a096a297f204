//! One password for everybody.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use conda_store_core::{
    Error, ErrorKind, Result,
    auth::{ArnPattern, Authenticator, Credentials, Entity, IssuedToken, Login, LoginStep, Role, TokenRequest},
};
use http::request::Parts;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    Tokens,
    configuration::{DummyConfig, LoginConfig},
    digest::SecretDigest,
};

/// The built-in login form.
const LOGIN_HTML: &str = include_str!("login.html");

/// Lets anybody log in, under any name, who knows the one password, and makes them administrator of everything.
///
/// For trying things out, and for machines of one person.
pub struct DummyAuthenticator {
    tokens: Arc<Tokens>,
    login: LoginConfig,
    /// None where any password is right.
    password: Option<SecretDigest>,
}

impl DummyAuthenticator {
    /// An authenticator that issues and reads `tokens`.
    #[must_use]
    pub fn new(tokens: Arc<Tokens>, login: LoginConfig, config: &DummyConfig) -> Self {
        let password = config.password.expose_secret();
        let password = (!password.is_empty()).then(|| SecretDigest::of(password));
        Self { tokens, login, password }
    }

    fn accepts(&self, password: &SecretString) -> bool {
        let given = SecretDigest::of(password.expose_secret());
        self.password.as_ref().is_none_or(|password| password.matches(&given).into())
    }
}

impl fmt::Debug for DummyAuthenticator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DummyAuthenticator")
            .field("cookie_name", &self.login.cookie_name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Authenticator for DummyAuthenticator {
    fn cookie_name(&self) -> &str {
        &self.login.cookie_name
    }

    fn cookie_domain(&self) -> Option<&str> {
        self.login.cookie_domain.as_deref()
    }

    async fn authenticate(&self, request: &Parts) -> Result<Option<Entity>> {
        self.tokens.authenticate(&request.headers, &self.login.cookie_name).await
    }

    async fn login_step(&self, _callback: &Url) -> Result<LoginStep> {
        Ok(LoginStep::Form(self.login.login_html.clone().unwrap_or_else(|| LOGIN_HTML.to_owned())))
    }

    async fn login(&self, credentials: &Credentials) -> Result<Login> {
        if !self.accepts(&credentials.password) {
            return Err(Error::new(ErrorKind::Forbidden, "log in", "invalid authentication credentials"));
        }
        self.tokens.login(Entity {
            primary_namespace: credentials.username.clone(),
            role_bindings: BTreeMap::from([(ArnPattern::everything(), [Role::Admin].into())]),
            expires: None,
        })
    }

    async fn callback(&self, _parameters: &BTreeMap<String, String>, _callback: &Url) -> Result<Login> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "log in",
            "logins come from the form, no outside provider is configured",
        ))
    }

    async fn issue(&self, request: &TokenRequest<'_>) -> Result<IssuedToken> {
        self.tokens.issue(request).await
    }

    async fn logout(&self, request: &Parts) -> Result<()> {
        self.tokens.logout(&request.headers, &self.login.cookie_name).await
    }
}

#[cfg(test)]
mod tests {
    use conda_store_core::{
        catalogue::{Catalogue, Database},
        testing::ManualClock,
    };
    use http::Request;

    use super::*;
    use crate::configuration::TokensConfig;

    async fn authenticator(password: &str) -> DummyAuthenticator {
        let clock = Arc::new(ManualClock::new());
        let shared = || Arc::<ManualClock>::clone(&clock);
        let catalogue = Catalogue::new(Database::connect("sqlite::memory:").await.unwrap(), shared());
        catalogue.migrate().await.unwrap();
        let tokens = Tokens::new(TokensConfig::default(), catalogue, shared()).unwrap();
        let config = DummyConfig { password: SecretString::from(password) };
        DummyAuthenticator::new(Arc::new(tokens), LoginConfig::default(), &config)
    }

    fn credentials(password: &str) -> Credentials {
        Credentials { username: "alice".into(), password: SecretString::from(password) }
    }

    fn request(authorization: &str) -> Parts {
        let request = Request::builder().header("authorization", authorization).body(());
        request.unwrap().into_parts().0
    }

    #[tokio::test]
    async fn the_right_password_gives_a_token_of_an_administrator() {
        let authenticator = authenticator("secret").await;
        let login = authenticator.login(&credentials("secret")).await.unwrap();
        assert_eq!(login.entity.primary_namespace, "alice");
        let request = request(&format!("Bearer {}", login.token.expose_secret()));
        assert_eq!(authenticator.authenticate(&request).await.unwrap(), Some(login.entity.clone()));
        assert_eq!(serde_json::to_value(&login.entity.role_bindings).unwrap(), serde_json::json!({"*/*": ["admin"]}));
        assert_eq!(login.entity.expires.unwrap().to_string(), "2024-05-02T00:00:00.000000");
    }

    #[tokio::test]
    async fn a_wrong_password_is_forbidden_and_an_empty_one_configured_lets_any_in() {
        for password in ["", "secre", "secrets", "SECRET"] {
            let error = authenticator("secret").await.login(&credentials(password)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Forbidden, "{password}");
            assert_eq!(error.to_string(), "invalid authentication credentials");
            authenticator("").await.login(&credentials(password)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn shows_a_form_that_can_be_replaced() {
        let callback = "http://localhost/oauth_callback/".parse().unwrap();
        let LoginStep::Form(built_in) = authenticator("x").await.login_step(&callback).await.unwrap() else {
            unreachable!("the login is a form");
        };
        assert!(built_in.contains("name=\"username\"") && built_in.contains("name=\"password\""), "{built_in}");
        let mut replaced = authenticator("x").await;
        replaced.login.login_html = Some("<form>ours</form>".into());
        assert_eq!(replaced.login_step(&callback).await.unwrap(), LoginStep::Form("<form>ours</form>".into()));
    }

    #[tokio::test]
    async fn takes_no_answer_of_an_outside_provider() {
        let callback = "http://localhost/oauth_callback/".parse().unwrap();
        let error = authenticator("").await.callback(&BTreeMap::new(), &callback).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[tokio::test]
    async fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", authenticator("hunter2").await, DummyConfig { password: "hunter2".into() });
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
