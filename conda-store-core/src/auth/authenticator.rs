//! How a request is recognised, and how somebody logs in.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use http::request::Parts;
use url::Url;

use super::Entity;
use crate::{Result, model::TokenId};

/// What a login form sends.
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: secrecy::SecretString,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A login that succeeded.
#[derive(Debug)]
pub struct Login {
    /// Who it is.
    pub entity: Entity,
    /// The token that recognises them from now on, for the cookie.
    pub token: secrecy::SecretString,
}

/// What a browser is shown that wants to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginStep {
    /// This HTML form, which posts user name and password.
    Form(String),
    /// The page of an outside provider; `state` goes into a cookie and must come back.
    Redirect {
        /// The provider's page.
        url: Url,
        /// A secret that ties the answer to this browser.
        state: String,
    },
}

/// A token that somebody asks for, for themselves or for somebody who may do no more.
#[derive(Clone, Copy, Debug)]
pub struct TokenRequest<'a> {
    /// Whom it is to stand for.
    pub entity: &'a Entity,
    /// The own namespace of whoever asks: theirs it is to list, to name and to revoke.
    pub owner: &'a str,
    /// What they call it.
    pub name: Option<&'a str>,
}

/// A token, to be shown this once.
#[derive(Debug)]
pub struct IssuedToken {
    /// Under which the catalogue knows it.
    pub id: TokenId,
    /// The token.
    pub token: secrecy::SecretString,
}

/// Recognises whoever sends a request.
///
/// # Contract
/// - [`authenticate`](Self::authenticate) answers `None` for a request without credentials, and for one whose
///   credentials are wrong, tampered with, revoked or expired: never with an error on their account.
/// - It looks at the cookie, then at `Authorization: Basic` (the password is the token), then at
///   `Authorization: Bearer`.
/// - A failed login or callback is [`ErrorKind::Unauthenticated`](crate::ErrorKind::Unauthenticated) or
///   [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden), with a message that tells nothing of why.
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// The name of the cookie that carries the token.
    fn cookie_name(&self) -> &str;

    /// The domain of that cookie, where it is not this host alone.
    fn cookie_domain(&self) -> Option<&str> {
        None
    }

    /// Whoever sends this request.
    async fn authenticate(&self, request: &Parts) -> Result<Option<Entity>>;

    /// What a browser is shown that wants to log in; `callback` is where a provider sends it back to.
    async fn login_step(&self, callback: &Url) -> Result<LoginStep>;

    /// Logs in with what a form sent.
    async fn login(&self, credentials: &Credentials) -> Result<Login>;

    /// Logs in with what an outside provider sent back: the query's parameters, after `state` was compared.
    async fn callback(&self, parameters: &BTreeMap<String, String>, callback: &Url) -> Result<Login>;

    /// A token as [`authenticate`](Self::authenticate) recognises it, until it is over or revoked in the catalogue.
    async fn issue(&self, request: &TokenRequest<'_>) -> Result<IssuedToken>;

    /// Ends the login that this request's cookie stands for: from now on its token is refused.
    async fn logout(&self, request: &Parts) -> Result<()>;
}
