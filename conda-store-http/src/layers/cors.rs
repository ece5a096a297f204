//! Which pages of other origins may use the API (the Fetch standard's CORS protocol).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use conda_store_core::{Error, Result};
use http::{HeaderName, HeaderValue, header};
use regex::Regex;
use tower_http::cors::{AllowCredentials, AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use url::Url;

use crate::HttpOptions;

/// How long a browser remembers what it may send.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Origins of hosts that cannot exist (RFC 2606): a pattern that takes one of them takes everybody.
const NOBODY: [&str; 3] = ["https://nobody.invalid", "http://nobody.invalid:8080", "null"];

/// The origins that may use the API.
#[derive(Debug)]
struct Origins {
    listed: BTreeSet<HeaderValue>,
    pattern: Regex,
    /// Whether the pattern takes everybody.
    open: bool,
}

/// Lets the configured origins use the API with credentials, and those of a pattern for everybody without.
///
/// # Errors
/// [`Invalid`](conda_store_core::ErrorKind::Invalid) for what is no origin or no regular expression.
pub(super) fn layer(options: &HttpOptions) -> Result<CorsLayer> {
    let origins = Arc::new(Origins::new(options)?);
    let trusted = Arc::clone(&origins);
    let shown = [super::request_id::HEADER, "deprecation", "sunset"].map(HeaderName::from_static);
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| origins.allows(origin)))
        .allow_credentials(AllowCredentials::predicate(move |origin, _| trusted.trusts(origin)))
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(shown.into_iter().chain([header::ETAG, header::RETRY_AFTER]).collect::<Vec<_>>())
        .max_age(REMEMBERED))
}

impl Origins {
    fn new(options: &HttpOptions) -> Result<Self> {
        let listed = options.cors_allow_origins.iter().map(|origin| self::origin(origin)).collect::<Result<_>>()?;
        let text = &options.cors_allow_origin_regex;
        let pattern = Regex::new(&format!("^(?:{text})$")).map_err(|error| {
            Error::invalid("compose routes", format!("cors_allow_origin_regex {text:?} is no regular expression"))
                .with_source(error)
        })?;
        let open = NOBODY.iter().any(|origin| pattern.is_match(origin));
        Ok(Self { listed, pattern, open })
    }

    fn matches(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.pattern.is_match(origin))
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.listed.contains(origin) || self.matches(origin)
    }

    fn trusts(&self, origin: &HeaderValue) -> bool {
        self.listed.contains(origin) || (!self.open && self.matches(origin))
    }
}

/// `text` as browsers write an origin.
fn origin(text: &str) -> Result<HeaderValue> {
    let wrong = || {
        Error::invalid(
            "compose routes",
            format!("cors_allow_origins: {text:?} is no origin such as https://example.org"),
        )
    };
    let url = Url::parse(text).map_err(|error| wrong().with_source(error))?;
    let written = url.origin().ascii_serialization();
    if !url.origin().is_tuple() || text.trim_end_matches('/') != written {
        return Err(wrong());
    }
    HeaderValue::from_str(&written).map_err(|error| wrong().with_source(error))
}
