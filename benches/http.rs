//! How many requests the server answers, and how long they take, over HTTP on loopback with authenticated clients that
//! keep their connections, in one process with the server:
//!
//!     cargo bench --bench http
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/site.rs"]
mod site;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conda_store_auth::TokensConfig;
use conda_store_core::{
    auth::Credentials,
    specification::{Specification, SpecificationLimits},
};
use futures::future::try_join_all;
use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::json;

use self::site::Site;

/// Clients that ask at the same time, each the next request when the last one is answered.
const CLIENTS: usize = 16;
/// How long each kind of request is measured.
const MEASURED: Duration = Duration::from_secs(5);
/// Environments that lists show.
const ENVIRONMENTS: usize = 1000;

#[tokio::main]
async fn main() -> Result<()> {
    let site = Bench::start().await?;
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
struct Bench {
    site: Site,
    token: String,
}

impl Bench {
    async fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let url = format!("sqlite:{}/catalogue.db", directory.path().display());
        let site = Site::start(&url, directory, TokensConfig::default()).await?;
        for number in 0..ENVIRONMENTS {
            let text = format!("name: environment-{number}\ndependencies: [python]\n");
            let specification = Specification::from_yaml(&text, &SpecificationLimits::default())?;
            site.store.submit(&"bench".parse()?, specification).await?;
        }
        // Whoever logs in is the administrator of a namespace of their own name.
        let credentials = Credentials { username: "bench".into(), password: "password".into() };
        let login = site.store.authenticator().context("there is one")?.login(&credentials).await?;
        let token = login.token.expose_secret().to_owned();
        Ok(Self { site, token })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site.base)
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
