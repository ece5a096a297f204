//! How many requests the server answers, and how long they take, over HTTP on loopback with authenticated clients that
//! keep their connections, in one process with the server:
//!
//!     cargo bench --bench http
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use conda_store_auth::{
    DummyAuthenticator, DummyConfig, LoginConfig, RoleAuthorizer, RolesConfig, Tokens, TokensConfig,
};
use conda_store_core::{
    CondaStore,
    auth::Credentials,
    catalogue::{Catalogue, Database},
    clock::{Clock, SystemClock},
    paths::{Layout, LayoutOptions},
    settings::Settings,
    specification::{Specification, SpecificationLimits},
};
use conda_store_http::HttpOptions;
use conda_store_queue::SqlQueue;
use conda_store_storage::MemoryStorage;
use futures::future::try_join_all;
use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::net::TcpListener;

/// Clients that ask at the same time, each the next request when the last one is answered.
const CLIENTS: usize = 16;
/// How long each kind of request is measured.
const MEASURED: Duration = Duration::from_secs(5);
/// Environments that lists show.
const ENVIRONMENTS: usize = 1000;

#[tokio::main]
async fn main() -> Result<()> {
    let site = Site::start().await?;
    println!("{:<22}{:>12}{:>12}{:>12}", "", "requests/s", "p50 ms", "p99 ms");
    site.measure("GET status", |client| client.get(site.url("/api/v1/"))).await?;
    site.measure("GET environment list", |client| client.get(site.url("/api/v1/environment/?size=100"))).await?;
    site.measure("GET build", |client| client.get(site.url("/api/v1/build/1/"))).await?;
    site.measure("POST specification", |client| {
        let body = json!({"namespace": "bench", "specification": "name: posted\ndependencies: [python]\n"});
        client.post(site.url("/api/v1/specification/")).json(&body)
    })
    .await
}

/// The server, and a token for it.
struct Site {
    base: String,
    token: String,
    _directory: tempfile::TempDir,
}

impl Site {
    async fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let database = Database::connect(&format!("sqlite:{}/catalogue.db", directory.path().display())).await?;
        let catalogue = Catalogue::new(database.clone(), Arc::clone(&clock));
        catalogue.migrate().await?;
        let tokens = Arc::new(Tokens::new(TokensConfig::default(), catalogue.clone(), Arc::clone(&clock))?);
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
        for number in 0..ENVIRONMENTS {
            let text = format!("name: environment-{number}\ndependencies: [python]\n");
            let specification = Specification::from_yaml(&text, &SpecificationLimits::default())?;
            store.submit(&"bench".parse()?, specification).await?;
        }
        // Whoever logs in is the administrator of a namespace of their own name.
        let credentials = Credentials { username: "bench".into(), password: "password".into() };
        let login = store.authenticator().context("there is one")?.login(&credentials).await?;
        let token = login.token.expose_secret().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let router = conda_store_http::router(store, HttpOptions::default())?;
        tokio::spawn(conda_store_http::serve(listener, router, std::future::pending()));
        Ok(Self { base, token, _directory: directory })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Has all clients send `request` for a while, and prints what came of it.
    async fn measure(&self, name: &str, request: impl Fn(&Client) -> RequestBuilder) -> Result<()> {
        let begun = Instant::now();
        let clients = (0..CLIENTS).map(|_| self.client(&request, begun));
        let mut times = try_join_all(clients).await?.concat();
        times.sort_unstable();
        let (count, seconds) = (u32::try_from(times.len())?, begun.elapsed().as_secs_f64());
        let milliseconds = |share: usize| -> Result<f64> {
            let time = times.get(times.len() * share / 100).context("no request was answered")?;
            Ok(time.as_secs_f64() * 1000.0)
        };
        let (half, most) = (milliseconds(50)?, milliseconds(99)?);
        println!("{name:<22}{:>12.0}{half:>12.2}{most:>12.2}", f64::from(count) / seconds);
        Ok(())
    }

    async fn client(&self, request: impl Fn(&Client) -> RequestBuilder, begun: Instant) -> Result<Vec<Duration>> {
        let client = Client::builder().timeout(Duration::from_secs(30)).build()?;
        let mut times = Vec::new();
        while begun.elapsed() < MEASURED {
            let sent = Instant::now();
            let answer = request(&client).bearer_auth(&self.token).send().await?;
            ensure!(answer.status().is_success(), "{}: {}", answer.status(), answer.text().await?);
            answer.bytes().await?;
            times.push(sent.elapsed());
        }
        Ok(times)
    }
}
