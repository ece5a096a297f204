//! The access log: one event per answer, within a span that every other event of the request is in as well.

use std::time::Duration;

use http::{Request, Response};
use tower_http::{
    classify::{ServerErrorsAsFailures, SharedClassifier},
    trace::TraceLayer,
};
use tracing::{Span, field};

use super::request_id::HEADER;
use crate::caller::ENTITY;

type Classifier = SharedClassifier<ServerErrorsAsFailures>;
type MakeSpan<B> = fn(&Request<B>) -> Span;
type OnResponse<B> = fn(&Response<B>, Duration, &Span);

type Requests<B, R> = TraceLayer<Classifier, MakeSpan<B>, (), OnResponse<R>, (), (), ()>;

/// Opens the span, and logs the answer. What failed is logged where that is found out.
pub(super) fn requests<B, R>() -> Requests<B, R> {
    TraceLayer::new_for_http()
        .make_span_with(span::<B> as MakeSpan<B>)
        .on_request(())
        .on_response(answered::<R> as OnResponse<R>)
        .on_body_chunk(())
        .on_eos(())
        .on_failure(())
}

/// What belongs to one request: without the query, which may carry tokens.
fn span<B>(request: &Request<B>) -> Span {
    let id = request.headers().get(HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!(
        "request",
        http.method = %request.method(),
        http.path = request.uri().path(),
        http.request.id = id,
        { ENTITY } = field::Empty,
    )
}

fn answered<B>(response: &Response<B>, elapsed: Duration, _span: &Span) {
    tracing::info!(http.status = response.status().as_u16(), http.seconds = elapsed.as_secs_f64(), "answered");
}
