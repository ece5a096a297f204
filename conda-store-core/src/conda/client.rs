//! The HTTP client that everything about conda goes through: package lists, packages, and what is looked up beside them.
//!
//! One client means one connection pool, one place for time limits, retries and credentials. Nothing here reads the
//! environment by itself; the proxy variables (`HTTPS_PROXY` and the like) are honoured by the HTTP library.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use http::StatusCode;
use rattler_networking::{
    AuthenticationMiddleware, AuthenticationStorage,
    authentication_storage::{
        AuthenticationStorageError,
        backends::file::{FileStorage, FileStorageError},
    },
};
use reqwest_middleware::{ClientBuilder as StackBuilder, ClientWithMiddleware, Middleware};
use reqwest_retry::{
    DefaultRetryableStrategy, RetryTransientMiddleware, Retryable, RetryableStrategy, policies::ExponentialBackoff,
};

use super::{ChannelMirrors, mirrored::MirrorMiddleware};
use crate::{Error, ErrorKind, Result};

/// What the client calls itself in requests.
const USER_AGENT: &str = concat!("conda-store/", env!("CARGO_PKG_VERSION"));

/// How the [`Client`] behaves.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// How long connecting to a host may take.
    pub connect_timeout: Duration,
    /// How long a host may stay silent in the middle of an answer.
    pub read_timeout: Duration,
    /// How often a request is repeated after a failure that may pass (no connection, 408, 429, 5xx), with growing pauses.
    pub retries: u32,
    /// File with the credentials of hosts: JSON, in the form that rattler and pixi keep in `credentials.json`
    /// (host → `{"BearerToken": …}`, `{"CondaToken": …}` or `{"BasicHTTP": {"username": …, "password": …}}`).
    pub credentials: Option<PathBuf>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(20),
            read_timeout: Duration::from_mins(1),
            retries: 3,
            credentials: None,
        }
    }
}

/// HTTP with time limits, retries and the credentials of conda channels. Clones share the connections.
#[derive(Clone)]
pub struct Client {
    bare: reqwest::Client,
    retries: u32,
    authentication: Option<AuthenticationMiddleware>,
}

impl Client {
    /// A client with these options.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where the file with the credentials is missing, [`ErrorKind::Invalid`] where it is not
    /// what it should be, [`ErrorKind::Unexpected`] where TLS cannot be set up.
    pub fn new(options: &ClientOptions) -> Result<Self> {
        let bare = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.read_timeout)
            .build()
            .map_err(|error| Error::unexpected("build HTTP client", "TLS cannot be set up").with_source(error))?;
        let authentication = options.credentials.clone().map(authentication).transpose()?;
        Ok(Self { bare, retries: options.retries, authentication })
    }

    /// The client for requests to exactly the URL that they name.
    #[must_use]
    pub fn plain(&self) -> ClientWithMiddleware {
        self.stack(Vec::new())
    }

    /// A client that shares the connections with this one and turns to `mirrors` in place of public addresses; the
    /// mirrors of one prefix are tried in their order. Mirrors may be `file://` URLs.
    #[must_use]
    pub fn mirrored(&self, mirrors: ChannelMirrors) -> ClientWithMiddleware {
        self.stack(vec![Arc::new(MirrorMiddleware::new(mirrors))])
    }

    /// As [`mirrored`](Self::mirrored), and `watcher` sees every request under its public address.
    pub(super) fn watched(&self, watcher: impl Middleware, mirrors: ChannelMirrors) -> ClientWithMiddleware {
        self.stack(vec![Arc::new(watcher), Arc::new(MirrorMiddleware::new(mirrors))])
    }

    /// Retries come before everything, so that they go through the mirrors again; credentials come last, as they belong
    /// to the host that is really asked.
    fn stack(&self, layers: Vec<Arc<dyn Middleware>>) -> ClientWithMiddleware {
        let policy = ExponentialBackoff::builder()
            .retry_bounds(Duration::from_millis(200), Duration::from_secs(10))
            .build_with_max_retries(self.retries);
        let retries = RetryTransientMiddleware::new_with_policy_and_strategy(policy, UnlessUnsupported);
        let mut stack = StackBuilder::new(self.bare.clone()).with(retries);
        for layer in layers {
            stack = stack.with_arc(layer);
        }
        if let Some(authentication) = &self.authentication {
            stack = stack.with(authentication.clone());
        }
        stack.build()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("retries", &self.retries).finish_non_exhaustive()
    }
}

/// As by default, but "501 Not Implemented" stays what it is: hosts answer it for package lists that they do not have.
struct UnlessUnsupported;

impl RetryableStrategy for UnlessUnsupported {
    fn handle(&self, outcome: &reqwest_middleware::Result<reqwest::Response>) -> Option<Retryable> {
        match outcome {
            Ok(response) if response.status() == StatusCode::NOT_IMPLEMENTED => Some(Retryable::Fatal),
            _ => DefaultRetryableStrategy.handle(outcome),
        }
    }
}

fn authentication(path: PathBuf) -> Result<AuthenticationMiddleware> {
    const OPERATION: &str = "read channel credentials";
    let shown = path.display().to_string();
    // A missing file would count as an empty one.
    std::fs::metadata(&path).map_err(|error| Error::io(OPERATION, error).with("path", &shown))?;
    let file = FileStorage::from_path(path).map_err(|error| match AuthenticationStorageError::from(error) {
        AuthenticationStorageError::FileStorageError(FileStorageError::IOError(error)) => Error::io(OPERATION, error),
        // The parser's own words may quote a secret.
        _ => Error::new(ErrorKind::Invalid, OPERATION, "not a JSON object that maps hosts to credentials"),
    });
    let mut storage = AuthenticationStorage::empty();
    storage.add_backend(Arc::new(file.map_err(|error| error.with("path", shown))?));
    Ok(AuthenticationMiddleware::from_auth_storage(storage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_cannot_be_read_are_an_error_that_quotes_none_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials.json");
        let options = ClientOptions { credentials: Some(path.clone()), ..ClientOptions::default() };
        assert_eq!(Client::new(&options).unwrap_err().kind(), ErrorKind::NotFound);

        std::fs::write(&path, r#"{"conda.example.org": "hunter2"}"#).unwrap();
        let error = Client::new(&options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.report().contains("credentials.json"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");

        std::fs::write(&path, r#"{"conda.example.org": {"BearerToken": "hunter2"}}"#).unwrap();
        let client = Client::new(&options).unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
    }
}
