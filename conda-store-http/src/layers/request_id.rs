//! Every request has an id: the client's, where it sends a sensible one, otherwise one made here. It is in the log and in the
//! answer.

use axum::extract::Request;
use tower::util::MapRequestLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

/// The header that carries the id.
pub(super) const HEADER: &str = "x-request-id";

/// The longest id that is taken over, in bytes.
const LONGEST: usize = 128;

/// Drops ids that would make a mess of a log: long ones, and what is no visible ASCII.
pub(super) fn sensible() -> MapRequestLayer<fn(Request) -> Request> {
    MapRequestLayer::new(|mut request| {
        let plain = |id: &[u8]| (1..=LONGEST).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
        if request.headers().get(HEADER).is_some_and(|id| !plain(id.as_bytes())) {
            request.headers_mut().remove(HEADER);
        }
        request
    })
}

pub(super) fn set() -> SetRequestIdLayer<MakeRequestUuid> {
    SetRequestIdLayer::x_request_id(MakeRequestUuid)
}

pub(super) fn propagate() -> PropagateRequestIdLayer {
    PropagateRequestIdLayer::x_request_id()
}
