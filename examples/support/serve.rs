//! What the server does: the HTTP face, and with it the worker and the demonstration where they are asked for.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use conda_store_core::CondaStore;
use conda_store_http::HttpOptions;
use prometheus::Registry;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    configuration::{Configuration, Program},
    data_directory::DataDirectory,
    demo,
    work::work,
};

/// How long requests may take to come to their end after the server was told to stop.
const GRACE: Duration = Duration::from_secs(20);

/// Serves `store`, and what is measured in `registry`, until `shutdown` fires, with a worker in this process where `program`
/// says so.
///
/// # Errors
/// Where the address cannot be listened on, or the demonstration, if it is asked for, cannot be made.
pub async fn serve(
    store: CondaStore,
    configuration: &Configuration,
    program: Program,
    demonstration: Option<&DataDirectory>,
    registry: Registry,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let router = conda_store_http::router(store.clone(), HttpOptions { registry, ..options(configuration) })?;
    let address = SocketAddr::new(configuration.server.address, configuration.server.port);
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    tracing::info!(server.address = %address, "listening");
    if let Some(data) = demonstration {
        demonstrate(&store, configuration, data, address).await?;
    }
    let worker = async {
        if program == Program::Standalone {
            work(store, configuration, shutdown.clone()).await;
        }
    };
    let requests = async {
        let served = tokio::select! {
            served = conda_store_http::serve(listener, router, shutdown.clone().cancelled_owned()) => served,
            () = late(&shutdown) => Ok(()),
        };
        // Where serving failed, the worker has to come to its end as well.
        shutdown.cancel();
        served
    };
    let (served, ()) = tokio::join!(requests, worker);
    Ok(served?)
}

/// Ends when requests had their time after `shutdown`.
async fn late(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(GRACE).await;
    tracing::warn!("some requests were cut off");
}

fn options(configuration: &Configuration) -> HttpOptions {
    let section = &configuration.server;
    HttpOptions {
        url_prefix: section.url_prefix.clone(),
        registry_external_url: section
            .registry_external_url
            .clone()
            .unwrap_or_else(|| format!("localhost:{}", section.port)),
        max_page_size: section.max_page_size.get(),
        behind_proxy: section.behind_proxy,
        enable_api: section.enable_api,
        enable_metrics: section.enable_metrics,
        cors_allow_origins: section.cors_allow_origins.clone(),
        cors_allow_origin_regex: section.cors_allow_origin_regex.clone(),
        ..HttpOptions::default()
    }
}

async fn demonstrate(
    store: &CondaStore,
    configuration: &Configuration,
    data: &DataDirectory,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let namespace = &configuration.settings.default_namespace;
    let build = demo::register(store, namespace, &data.demo_channel()).await?;
    let host = if address.ip().is_unspecified() { "localhost".into() } else { address.ip().to_string() };
    let url = format!("http://{host}:{}{}", address.port(), configuration.server.url_prefix);
    let guide = demo::guide(store.clone(), url, login(configuration), build);
    tokio::spawn(async move {
        if let Err(error) = guide.await {
            tracing::warn!("the demonstration cannot be followed: {error:#}");
        }
    });
    Ok(())
}

/// How to log in; the password only where it is the documented one.
fn login(configuration: &Configuration) -> String {
    match configuration.dummy_authentication.password.expose_secret() {
        "" => "any user name and any password".into(),
        "password" => "any user name and the password \"password\"".into(),
        _ => "any user name and the configured password".into(),
    }
}
