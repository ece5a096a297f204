//! Compression of answers that gain by it.

use http::{HeaderValue, Response, header};
use tower::util::MapResponseLayer;
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate as _,
        predicate::{And, DefaultPredicate, NotForContentType, SizeAbove},
    },
};

use crate::answer::REPR_DIGEST;

/// Fewer bytes go in one packet anyway.
const WORTHWHILE: u64 = 1024;

type Worthwhile =
    And<And<And<And<DefaultPredicate, SizeAbove>, NotForContentType>, NotForContentType>, NotForContentType>;

/// Leaves alone what is small, what is a live stream, and artifacts, which are compressed already.
pub(super) fn layer() -> CompressionLayer<Worthwhile> {
    let worthwhile = DefaultPredicate::new()
        .and(SizeAbove::new(WORTHWHILE))
        .and(NotForContentType::const_new("application/gzip"))
        .and(NotForContentType::const_new("application/zstd"))
        .and(NotForContentType::const_new("application/octet-stream"));
    // Answers are made anew for every request: what takes long to compress costs more than it saves.
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worthwhile)
}

/// Compressed bytes are not the bytes that a strong entity tag stands for (RFC 9110, section 8.8.3.3), nor those that the
/// digest of a representation is made of (RFC 9530, section 3).
pub(super) fn weak_tags<B>() -> MapResponseLayer<fn(Response<B>) -> Response<B>> {
    MapResponseLayer::new(|mut response| {
        let headers = response.headers_mut();
        if !headers.contains_key(header::CONTENT_ENCODING) {
            return response;
        }
        headers.remove(REPR_DIGEST);
        if let Some(tag) = headers.get(header::ETAG)
            && !tag.as_bytes().starts_with(b"W/")
            && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
        {
            headers.insert(header::ETAG, weak);
        }
        response
    })
}
