//! A server in this process, on a catalogue of the bench's.

use std::sync::Arc;

use anyhow::Result;
use conda_store_auth::{
    DummyAuthenticator, DummyConfig, LoginConfig, RoleAuthorizer, RolesConfig, Tokens, TokensConfig,
};
use conda_store_core::{
    CondaStore,
    catalogue::{Catalogue, Database},
    clock::{Clock, SystemClock},
    paths::{Layout, LayoutOptions},
    settings::Settings,
};
use conda_store_http::HttpOptions;
use conda_store_queue::SqlQueue;
use conda_store_storage::MemoryStorage;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A server, and what leads to it.
pub(crate) struct Site {
    pub(crate) store: CondaStore,
    pub(crate) base: String,
    _directory: TempDir,
}

impl Site {
    /// Serves what the database at `url` holds, with artifacts in memory.
    pub(crate) async fn start(url: &str, directory: TempDir, tokens: TokensConfig) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let database = Database::connect(url).await?;
        let catalogue = Catalogue::new(database.clone(), Arc::clone(&clock));
        catalogue.migrate().await?;
        let tokens = Arc::new(Tokens::new(tokens, catalogue.clone(), Arc::clone(&clock))?);
        let authenticator = DummyAuthenticator::new(tokens, LoginConfig::default(), &DummyConfig::default());
        let roles = RoleAuthorizer::new(RolesConfig::default(), catalogue.clone(), Arc::clone(&clock));
        let store = CondaStore::builder()
            .catalogue(catalogue)
            .storage(MemoryStorage::new(Arc::clone(&clock)))
            .queue(SqlQueue::migrated(database, Arc::clone(&clock)).await?)
            .layout(Layout::new(&LayoutOptions::new("state"), directory.path())?)
            .settings(Settings { storage_threshold: 0, ..Settings::default() })
            .authenticator(authenticator)
            .authorizer(roles)
            .build()
            .await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let router = conda_store_http::router(store.clone(), HttpOptions::default())?;
        tokio::spawn(conda_store_http::serve(listener, router, std::future::pending()));
        Ok(Self { store, base, _directory: directory })
    }
}
