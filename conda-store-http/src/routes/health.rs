//! `GET /health/live` and `GET /health/ready`: for whoever starts, restarts and balances processes.

use axum::extract::State;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    error::Answer,
    face::Face,
};

/// Whether the process answers.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "service",
    responses((status = OK, body = Acknowledged)),
)]
pub(crate) async fn live() -> Acknowledgement {
    Acknowledgement(None)
}

/// Whether the process can do its work: the database answers.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "service",
    responses((status = OK, body = Acknowledged)),
)]
pub(crate) async fn ready(State(face): State<Face>) -> Answer<Acknowledgement> {
    face.store().catalogue().ping().await?;
    Ok(Acknowledgement(None))
}
