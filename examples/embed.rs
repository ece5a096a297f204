//! A whole service in one program: `SQLite`, directories, a worker and the HTTP API. It needs nothing but a directory.
//!
//! `cargo run --example embed` serves <http://127.0.0.1:8080> until it is interrupted (log in as anybody, password
//! `password`); `cargo run --example embed -- DIRECTORY ADDRESS` keeps its data and listens there.

use std::{path::PathBuf, sync::Arc};

use conda_store_auth::{
    DummyAuthenticator, DummyConfig, LoginConfig, RoleAuthorizer, RolesConfig, Tokens, TokensConfig,
};
use conda_store_core::{
    CondaStore,
    catalogue::{Catalogue, Database},
    clock::{Clock, SystemClock},
    paths::{Layout, LayoutOptions},
};
use conda_store_http::HttpOptions;
use conda_store_queue::{SqlQueue, Worker};
use conda_store_storage::{LocalStorage, LocalStorageConfig};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().unwrap_or_else(|| "conda-store-data".into()));
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    std::fs::create_dir_all(&directory)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let database = Database::connect(&format!("sqlite:{}", directory.join("catalogue.db").display())).await?;
    let catalogue = Catalogue::new(database.clone(), Arc::clone(&clock));
    catalogue.migrate().await?;
    let tokens = Arc::new(Tokens::new(TokensConfig::default(), catalogue.clone(), Arc::clone(&clock))?);
    let roles = RoleAuthorizer::new(RolesConfig::default(), catalogue.clone(), Arc::clone(&clock));
    let storage = LocalStorageConfig { storage_path: directory.join("storage"), storage_url: None };

    let store = CondaStore::builder()
        .catalogue(catalogue)
        .storage(LocalStorage::open(storage, Arc::clone(&clock)).await?)
        .queue(SqlQueue::migrated(database, Arc::clone(&clock)).await?)
        .layout(Layout::new(&LayoutOptions::new(directory.join("state")), &std::env::current_dir()?)?)
        .authenticator(DummyAuthenticator::new(tokens, LoginConfig::default(), &DummyConfig::default()))
        .authorizer(roles)
        .build()
        .await?;

    let stop = CancellationToken::new();
    let interrupted = stop.clone();
    tokio::spawn(async move { tokio::signal::ctrl_c().await.map(|()| interrupted.cancel()) });
    let router = conda_store_http::router(store.clone(), HttpOptions::default())?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    let worker = Worker::builder(Arc::new(store.clone()), Arc::clone(store.queue()), clock).build();
    let serve = conda_store_http::serve(listener, router, stop.clone().cancelled_owned());
    let (served, ()) = tokio::join!(serve, worker.run(stop));
    Ok(served?)
}
