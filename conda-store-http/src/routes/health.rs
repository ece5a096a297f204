//! `GET /health/live` and `GET /health/ready`: for whoever starts, restarts and balances processes.

use std::{future::Future, time::Duration};

use axum::extract::State;
use conda_store_core::{Error, ErrorKind, Result};

use crate::{
    answer::{Acknowledged, Acknowledgement},
    error::Answer,
    vitals::Vitals,
};

/// Probes wait for seconds, not minutes.
const PATIENCE: Duration = Duration::from_secs(3);

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

/// Whether the process can do its work: database, queue and storage answer.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "service",
    responses((status = OK, body = Acknowledged)),
)]
pub(crate) async fn ready(State(vitals): State<Vitals>) -> Answer<Acknowledgement> {
    let store = vitals.store();
    let nothing = "health".parse()?;
    needed("the database", store.catalogue().ping()).await?;
    needed("the queue", store.queue().depth()).await?;
    needed("the storage", store.storage().head(&nothing)).await?;
    Ok(Acknowledgement(None))
}

/// Whatever is wrong with what the process needs, it cannot do its work now.
async fn needed<T>(part: &'static str, answer: impl Future<Output = Result<T>>) -> Result<()> {
    let unready = |text: &str| Error::new(ErrorKind::Unavailable, "check health", format!("{part} {text}"));
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unready("does not work").with_source(error)),
        Err(_) => Err(unready("does not answer")),
    }
}
