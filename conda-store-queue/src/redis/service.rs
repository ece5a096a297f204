//! The connections to a Redis service, and what its failures mean.

use std::{sync::Arc, time::Duration};

use conda_store_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use redis::{
    Client, FromRedisValue, RedisError, ScriptInvocation, ServerErrorKind, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use crate::{news::News, tls::authorities};

/// What is being done while a connection is made.
const CONNECT: &str = "connect to Redis";

/// How long a connection and an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before listening again.
const AGAIN: Duration = Duration::from_secs(1);

/// A service that jobs are kept in.
#[derive(Clone)]
pub(super) struct Service {
    client: Client,
    connection: ConnectionManager,
}

impl Service {
    /// Connects to the service at `url`.
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let client = match authorities(CONNECT, url).await? {
            Some(trusted) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(trusted.into_bytes()) };
                Client::build_with_tls(url, certificates)
            }
            None => Client::open(url),
        };
        let client = client.map_err(|cause| {
            let message = "the URL is not of the form redis://USER:PASSWORD@HOST:PORT/DATABASE (rediss:// with TLS)";
            Error::invalid(CONNECT, message).with_source(cause)
        })?;
        // Whoever asks tries again in their own time.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let connection = ConnectionManager::new_with_config(client.clone(), config).await;
        let address = client.get_connection_info().addr().to_string();
        let connection = connection.map_err(|cause| failure(CONNECT, cause).with("redis", address))?;
        Ok(Self { client, connection })
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Runs a script; once more where the connection turns out to be gone, as one that was long idle may be, or where
    /// the service forgot the script that it was just given.
    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        operation: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T> {
        let mut connection = self.connection.clone();
        let answer = match script.invoke_async(&mut connection).await {
            Err(cause) if cause.is_connection_dropped() || cause.code() == Some("NOSCRIPT") => {
                script.invoke_async(&mut connection).await
            }
            answer => answer,
        };
        answer.map_err(|cause| failure(operation, cause).with("redis", self.address()))
    }

    /// Tells of the messages on `channel` for as long as it is polled.
    pub(super) async fn listen(self, channel: String, news: Arc<News>) {
        loop {
            if let Err(error) = self.listen_once(&channel, &news).await {
                tracing::debug!(%error, "no messages of new jobs; looking for them instead");
            }
            news.set_told(false);
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Listens until the connection is lost.
    async fn listen_once(&self, channel: &str, news: &News) -> redis::RedisResult<()> {
        // A connection of its own: one that listens answers nothing else.
        let mut listener = self.client.get_async_pubsub().await?;
        listener.subscribe(channel).await?;
        news.set_told(true);
        let mut messages = listener.into_on_message();
        while messages.next().await.is_some() {
            news.tell();
        }
        Ok(())
    }
}

fn failure(operation: &'static str, cause: RedisError) -> Error {
    let (kind, message) = match (cause.kind(), cause.code()) {
        (_, Some("OOM")) => (ErrorKind::Full, "the service has no memory left: raise its maxmemory"),
        (redis::ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => (
            ErrorKind::Invalid,
            "the service does not accept user and password of the URL, or the user may not do this",
        ),
        (redis::ErrorKind::Io, _) | (_, Some("LOADING" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY")) => {
            (ErrorKind::Unavailable, "the service cannot be reached")
        }
        (redis::ErrorKind::Server(ServerErrorKind::ResponseError), _) => {
            (ErrorKind::Unexpected, "the service refuses the command")
        }
        _ => (ErrorKind::Unexpected, "the service fails"),
    };
    Error::new(kind, operation, message).with_source(cause)
}
