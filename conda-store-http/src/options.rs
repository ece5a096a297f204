//! What can be set about the HTTP face.

use conda_store_core::{Error, Result};
use prometheus::Registry;

/// Settings of [`router`](crate::router).
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The path that everything lies below, such as `/conda-store`; `/` for none.
    pub url_prefix: String,
    /// Host and port under which clients reach the container registry, without a scheme.
    pub registry_external_url: String,
    /// How many items a page of a list has at most, and where nobody asks for fewer.
    pub max_page_size: u32,
    /// How many bytes the body of a request has at most.
    pub body_limit: usize,
    /// Whether a proxy in front is trusted to say, in `X-Forwarded-Proto` and `X-Forwarded-Host`, what the browser asked
    /// for.
    pub behind_proxy: bool,
    /// Whether `/api` answers.
    pub enable_api: bool,
    /// Whether `/metrics` answers.
    pub enable_metrics: bool,
    /// What `/metrics` shows beside its own measures, which join it: a registry for one router.
    pub registry: Registry,
    /// Origins whose pages may use the API with the credentials of whoever looks at them, such as `https://example.org`.
    pub cors_allow_origins: Vec<String>,
    /// A regular expression for whole origins whose pages may use the API as well: with credentials, unless it takes every
    /// origin, as `.*` does.
    pub cors_allow_origin_regex: String,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            url_prefix: "/".into(),
            registry_external_url: "localhost:8080".into(),
            max_page_size: 100,
            body_limit: 16 << 20,
            behind_proxy: false,
            enable_api: true,
            enable_metrics: true,
            registry: Registry::new(),
            cors_allow_origins: Vec::new(),
            cors_allow_origin_regex: ".*".into(),
        }
    }
}

impl HttpOptions {
    /// The prefix without its trailing slash: empty, or something that begins with a slash.
    ///
    /// # Errors
    /// [`Invalid`](conda_store_core::ErrorKind::Invalid) for a prefix that is no path of plain segments.
    pub(crate) fn prefix(&self) -> Result<&str> {
        let prefix = self.url_prefix.trim_end_matches('/');
        let plain = |segment: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~@+".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
        };
        if prefix.is_empty() || prefix.strip_prefix('/').is_some_and(|path| path.split('/').all(plain)) {
            return Ok(prefix);
        }
        let message = format!("url_prefix {:?} is no path such as / or /conda-store", self.url_prefix);
        Err(Error::invalid("compose routes", message))
    }
}
