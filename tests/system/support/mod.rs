//! What the whole-system tests share: the real binaries in processes of their own, and a client for their API.

mod channel_server;
mod database;
mod events;
mod files;
mod programs;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

pub(crate) use self::{
    channel_server::ChannelServer,
    database::{database, drop_database},
    events::{Event, Events},
    files::{broken_files, python_programs},
    programs::{Program, Site, example, processes_of},
};

/// The token that every test site knows, for an administrator.
pub(crate) const TOKEN: &str = "a-token-for-tests";

/// A client for the API of one server.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    base: String,
    client: reqwest::Client,
    /// What authenticates: the token of the site, until somebody logs in.
    credentials: (&'static str, String),
}

impl Api {
    /// A client of the server at `port` on this machine.
    pub(crate) fn new(port: u16) -> Self {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self {
            base: format!("http://127.0.0.1:{port}"),
            client,
            credentials: ("authorization", format!("Bearer {TOKEN}")),
        }
    }

    /// Where the server has `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The answer to a GET, whatever its status.
    pub(crate) async fn get(&self, path: &str) -> Result<(u16, Value)> {
        self.send(self.client.get(format!("{}{path}", self.base))).await
    }

    /// The text that a GET answers.
    pub(crate) async fn text(&self, path: &str) -> Result<String> {
        Ok(String::from_utf8(self.bytes(path).await?)?)
    }

    /// The bytes that a GET answers.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let request = self.client.get(format!("{}{path}", self.base));
        let answer = request.header(self.credentials.0, &self.credentials.1).send().await?;
        Ok(answer.error_for_status()?.bytes().await?.into())
    }

    /// The events of a build behind that of the id `last`, as they come.
    pub(crate) async fn events(&self, id: i64, last: Option<&str>) -> Result<Events> {
        // Longer than any one answer: a stream lasts as long as a build.
        let client = reqwest::Client::builder().timeout(Duration::from_mins(10)).build()?;
        let mut request = client.get(self.url(&format!("/api/v2/build/{id}/events/")));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.header(self.credentials.0, &self.credentials.1).send().await?;
        Ok(Events::new(answer.error_for_status()?))
    }

    /// The answer to a PUT without a body.
    pub(crate) async fn put(&self, path: &str) -> Result<(u16, Value)> {
        self.send(self.client.put(format!("{}{path}", self.base))).await
    }

    /// The answer to a PUT of JSON.
    pub(crate) async fn put_json(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.send(self.client.put(format!("{}{path}", self.base)).json(body)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(u16, Value)> {
        let answer = request.header(self.credentials.0, &self.credentials.1).send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).with_context(|| format!("{status}: {text}"))?;
        Ok((status, body))
    }

    /// Logs in with a form; from then on the cookie authenticates.
    pub(crate) async fn login(&mut self, username: &str, password: &str) -> Result<()> {
        let body = json!({ "username": username, "password": password });
        let answer = self.client.post(format!("{}/login/", self.base)).json(&body).send().await?.error_for_status()?;
        let cookie = answer.headers().get("set-cookie").context("no cookie")?.to_str()?;
        self.credentials = ("cookie", cookie.split(';').next().unwrap_or_default().to_owned());
        Ok(())
    }

    /// Posts a specification, and answers whatever the server does.
    pub(crate) async fn post(&self, namespace: &str, specification: &str) -> Result<(u16, Value)> {
        let body = json!({ "namespace": namespace, "specification": specification });
        self.send(self.client.post(format!("{}/api/v1/specification/", self.base)).json(&body)).await
    }

    /// Posts a specification that is right, and answers the id of its build.
    pub(crate) async fn submit(&self, namespace: &str, specification: &str) -> Result<i64> {
        let (status, body) = self.post(namespace, specification).await?;
        ensure!(status == 200, "{status}: {body}");
        body["data"]["build_id"].as_i64().context("no build id")
    }

    /// Posts a lockfile, and answers the id of its build.
    pub(crate) async fn submit_lockfile(&self, namespace: &str, name: &str, lockfile: &str) -> Result<i64> {
        let body = json!({ "namespace": namespace, "specification": lockfile, "is_lockfile": true, "environment_name": name, "environment_description": "" });
        let (status, body) =
            self.send(self.client.post(format!("{}/api/v1/specification/", self.base)).json(&body)).await?;
        ensure!(status == 200, "{status}: {body}");
        body["data"]["build_id"].as_i64().context("no build id")
    }

    /// The build as the API shows it.
    pub(crate) async fn build(&self, id: i64) -> Result<Value> {
        let (status, body) = self.get(&format!("/api/v1/build/{id}/")).await?;
        ensure!(status == 200, "{status}: {body}");
        Ok(body["data"].clone())
    }

    /// Waits until the build has one of `statuses`.
    pub(crate) async fn wait_for(&self, id: i64, statuses: &[&str], limit: Duration) -> Result<Value> {
        let begun = Instant::now();
        loop {
            let build = self.build(id).await?;
            let status = build["status"].as_str().unwrap_or_default();
            if statuses.contains(&status) {
                return Ok(build);
            }
            if begun.elapsed() > limit || matches!(status, "FAILED" | "CANCELED" | "COMPLETED") {
                let log = self.text(&format!("/api/v1/build/{id}/logs/")).await.unwrap_or_default();
                anyhow::bail!("build {id} is {status} after {:?}: {}\n{log}", begun.elapsed(), build["status_info"]);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the build is completed.
    pub(crate) async fn completed(&self, id: i64, limit: Duration) -> Result<Value> {
        self.wait_for(id, &["COMPLETED"], limit).await
    }
}

/// Where the channel of real packages is, if this machine has it.
pub(crate) fn channel() -> Option<PathBuf> {
    conda_store_core::testing::service("channel").map(PathBuf::from)
}

/// An `environment.yaml` of packages from one channel.
pub(crate) fn specification(name: &str, channel: &str, packages: &[&str]) -> String {
    format!("name: {name}\nchannels:\n  - {channel}\ndependencies:\n  - {}\n", packages.join("\n  - "))
}

/// The `file:` URL of a directory.
pub(crate) fn file_url(directory: &Path) -> String {
    format!("file://{}", directory.canonicalize().unwrap().display())
}
