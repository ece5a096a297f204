//! What a worker shows of itself: `/metrics`, `/health/live` and `/health/ready`.

use std::{future::Future, net::SocketAddr};

use anyhow::Context;
use conda_store_core::CondaStore;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::configuration::Configuration;

/// Listens where the section of the worker says so; what it returns answers until `shutdown` fires.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn monitor(
    store: CondaStore,
    configuration: &Configuration,
    registry: Registry,
    shutdown: CancellationToken,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
    let section = &configuration.worker;
    let listening = match section.port {
        None => None,
        Some(port) => {
            let address = SocketAddr::new(section.address, port);
            let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
            tracing::info!(worker.address = %listener.local_addr()?, "listening");
            Some((listener, conda_store_http::monitoring(store, registry)?))
        }
    };
    Ok(async move {
        let Some((listener, router)) = listening else { return Ok(()) };
        Ok(conda_store_http::serve(listener, router, shutdown.cancelled_owned()).await?)
    })
}
