//! Under which conditions, and which part of it, a representation is wanted (RFC 9110, sections 13 and 14).

use std::{
    convert::Infallible,
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::extract::FromRequestParts;
use conda_store_core::storage::BlobInfo;
use http::{HeaderMap, HeaderName, header, request::Parts};
use http_range_header::{EndPosition, StartPosition};

/// The headers that make a request conditional or ask for a part.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    if_none_match: Option<String>,
    if_modified_since: Option<String>,
    if_range: Option<String>,
    range: Option<String>,
}

/// The part of a blob that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// It has no such bytes.
    Beyond,
}

impl<S: Sync> FromRequestParts<S> for Conditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Conditions {
    fn of(headers: &HeaderMap) -> Self {
        let value = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            if_none_match: value(header::IF_NONE_MATCH),
            if_modified_since: value(header::IF_MODIFIED_SINCE),
            if_range: value(header::IF_RANGE),
            range: value(header::RANGE),
        }
    }

    /// Whether there is nothing that depends on what is known about the blob.
    pub(crate) fn is_empty(&self) -> bool {
        self.if_none_match.is_none() && self.if_modified_since.is_none() && self.range.is_none()
    }

    /// Whether whoever asks has the blob already.
    pub(crate) fn has(&self, blob: &BlobInfo) -> bool {
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(tags), _) => tags.split(',').any(|tag| {
                let tag = tag.trim();
                tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == tag_of(blob)
            }),
            (None, Some(since)) => httpdate::parse_http_date(since).is_ok_and(|since| modified(blob) <= since),
            (None, None) => false,
        }
    }

    /// The part that is wanted. What is no range of bytes, or several, is answered with the whole.
    pub(crate) fn part(&self, blob: &BlobInfo) -> Part {
        let Some(Ok(ranges)) = self.range.as_deref().map(http_range_header::parse_range_header) else {
            return Part::Whole;
        };
        let [range] = ranges.ranges.as_slice() else { return Part::Whole };
        let (start, end) = match (range.start, range.end) {
            (StartPosition::FromLast(length), _) => (blob.size.saturating_sub(length), blob.size),
            (StartPosition::Index(start), EndPosition::LastByte) => (start, blob.size),
            (StartPosition::Index(start), EndPosition::Index(last)) if start <= last => (start, last.saturating_add(1)),
            _ => return Part::Whole,
        };
        match () {
            () if !self.is_same(blob) => Part::Whole,
            () if start >= blob.size => Part::Beyond,
            () => Part::Bytes(start..end.min(blob.size)),
        }
    }

    /// Whether the blob is the one that the range was meant for: a strong comparison.
    fn is_same(&self, blob: &BlobInfo) -> bool {
        self.if_range.as_deref().is_none_or(|expected| {
            expected == tag_of(blob) || httpdate::parse_http_date(expected).is_ok_and(|date| date == modified(blob))
        })
    }
}

/// The blob's entity tag.
pub(crate) fn tag_of(blob: &BlobInfo) -> String {
    format!("\"{}\"", blob.etag)
}

/// When the blob was last written, in whole seconds as HTTP has them.
pub(crate) fn modified(blob: &BlobInfo) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(blob.modified.unix_seconds()).unwrap_or_default())
}
