//! `GET /metrics`: what is counted and measured, for Prometheus.

use axum::{extract::State, response::IntoResponse};
use http::header;

use crate::{error::Answer, vitals::Vitals};

/// The media type of Prometheus' text format.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is counted and measured, in the text format of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses((status = OK, description = "the measures", content_type = "text/plain", body = String)),
)]
pub(crate) async fn handle(State(vitals): State<Vitals>) -> Answer<impl IntoResponse> {
    let text = vitals.metrics().text(vitals.store()).await?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text))
}
