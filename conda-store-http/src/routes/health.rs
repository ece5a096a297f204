//! `GET /health/live` and `GET /health/ready`: for whoever starts, restarts and balances processes.

use axum::extract::State;

use crate::{answer::Acknowledgement, error::Answer, face::Face};

/// The process answers.
pub(crate) async fn live() -> Acknowledgement {
    Acknowledgement(None)
}

/// The process can do its work: the catalogue answers.
pub(crate) async fn ready(State(face): State<Face>) -> Answer<Acknowledgement> {
    face.store().catalogue().ping().await?;
    Ok(Acknowledgement(None))
}
