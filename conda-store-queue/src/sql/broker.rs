//! RabbitMQ as the messenger of new jobs.

use std::{fmt, sync::Arc, time::Duration};

use conda_store_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicPublishOptions,
        BasicQosOptions, QueueDeclareOptions,
    },
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    tcp::OwnedTLSConfig,
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::{news::News, tls::authorities};

/// What is being done while a connection is made.
const CONNECT: &str = "connect to RabbitMQ";

/// How long a connection may take, in milliseconds.
const CONNECTION_TIMEOUT: u64 = 5_000;

/// How long it may take until messages can flow.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many seconds the service may give no sign of life.
const HEARTBEAT: u16 = 10;

/// How long to wait before connecting again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a message waits for a worker that is idle, in milliseconds: a worker that gets free later looks for jobs anyway.
const MESSAGE_LIFE: i32 = 2_000;

/// How many messages wait at most, in the queue as in this process while the service is away.
const MESSAGES: i32 = 1_000;

/// A RabbitMQ service that carries messages of new jobs; [`SqlQueue::announced_by`](crate::SqlQueue::announced_by) uses it.
///
/// A message says that there is a job, not which one, and goes to one idle worker through a quorum queue. Workers that
/// have their hands full take none, and one that nobody takes soon is thrown away. What a message says may get lost without
/// harm: jobs are in the database, where every worker looks once a second, or more often while this service is away.
#[derive(Clone)]
pub struct RabbitMq {
    uri: AMQPUri,
    /// Certificates of authorities, where not those that browsers trust.
    authorities: Option<String>,
    queue: String,
}

impl RabbitMq {
    /// The service at `url`: `amqp://USER:PASSWORD@HOST:PORT/VHOST`, with TLS `amqps://` (certificates are as with
    /// `RedisQueue::connect`). Messages go through the queue named `queue`, which is made where it is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for another URL, refused credentials or a queue of that name of another kind,
    /// [`ErrorKind::Unavailable`] where the service cannot be reached.
    pub async fn connect(url: &str, queue: impl Into<String>) -> Result<Self> {
        // The cause may quote the URL with its password.
        let mut uri: AMQPUri = url.parse().map_err(|_cause| {
            let message = "the URL is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST (amqps:// with TLS)";
            Error::invalid(CONNECT, message)
        })?;
        if let Some(Host::Ipv6(address)) = Url::parse(url).as_ref().ok().and_then(Url::host) {
            // The library takes names alone, and another host where it finds none.
            uri.authority.host = address.to_string();
        }
        if uri.vhost.is_empty() {
            // As the original reads it.
            uri.vhost.push('/');
        }
        uri.query.connection_timeout.get_or_insert(CONNECTION_TIMEOUT);
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let service = Self { uri, authorities: authorities(CONNECT, url).await?, queue: queue.into() };
        let opened = service.open().await;
        let (connection, _channel) = opened.map_err(|cause| failure(cause).with("rabbitmq", service.address()))?;
        let _closed = connection.close(200, "OK".into()).await;
        Ok(service)
    }

    /// Host, port and virtual host.
    pub(super) fn address(&self) -> String {
        let (host, port) = (self.uri.authority.host.as_str(), self.uri.authority.port);
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!("{host}:{port}/{}", self.uri.vhost)
    }

    async fn open(&self) -> lapin::Result<(Connection, Channel)> {
        // The library waits without end for one that answers nothing, such as a port that expects no TLS.
        let opened = tokio::time::timeout(PATIENCE, self.handshake()).await;
        opened.unwrap_or_else(|elapsed| Err(std::io::Error::from(elapsed).into()))
    }

    async fn handshake(&self) -> lapin::Result<(Connection, Channel)> {
        let properties = ConnectionProperties::default().with_connection_name("conda-store".into());
        let trust = OwnedTLSConfig { identity: None, cert_chain: self.authorities.clone() };
        let runtime = lapin::runtime::default_runtime()?;
        let connection = Connection::connect_uri_with_config(self.uri.clone(), properties, trust, runtime).await?;
        let channel = connection.create_channel().await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(MESSAGE_LIFE));
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(MESSAGES));
        channel.queue_declare(self.queue.as_str().into(), QueueDeclareOptions::durable(), arguments).await?;
        // A message more than this worker is just woken by belongs to another one.
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        Ok((connection, channel))
    }

    /// Carries messages for as long as it is polled: each permit of `outbox` to the service, and from there to `news`.
    pub(super) async fn carry(self, outbox: Arc<Semaphore>, news: Arc<News>) {
        loop {
            if let Err(error) = self.carry_once(&outbox, &news).await {
                tracing::debug!(%error, "no messages of new jobs; looking for them instead");
            }
            news.set_told(false);
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Carries messages until the connection is lost.
    async fn carry_once(&self, outbox: &Semaphore, news: &News) -> lapin::Result<()> {
        let (_connection, channel) = self.open().await?;
        news.set_told(true);
        tokio::select! {
            sent = self.send(&channel, outbox) => sent,
            received = self.receive(&channel, news) => received,
        }
    }

    async fn send(&self, channel: &Channel, outbox: &Semaphore) -> lapin::Result<()> {
        while let Ok(message) = outbox.acquire().await {
            let (queue, options) = (self.queue.as_str().into(), BasicPublishOptions::default());
            channel.basic_publish("".into(), queue, options, &[], BasicProperties::default()).await?;
            message.forget();
        }
        Ok(())
    }

    /// Takes messages, but only while a worker waits for one.
    async fn receive(&self, channel: &Channel, news: &News) -> lapin::Result<()> {
        let mut waiting = news.waiting();
        while waiting.wait_for(|workers| *workers > 0).await.is_ok() {
            let (queue, options) = (self.queue.as_str().into(), BasicConsumeOptions::default());
            let mut messages = channel.basic_consume(queue, "".into(), options, FieldTable::default()).await?;
            let message = tokio::select! {
                message = messages.next() => Some(message),
                _nobody = waiting.wait_for(|workers| *workers == 0) => None,
            };
            channel.basic_cancel(messages.tag(), BasicCancelOptions::default()).await?;
            match message {
                Some(Some(message)) => {
                    message?.ack(BasicAckOptions::default()).await?;
                    waiting.mark_unchanged();
                    news.tell();
                    // The worker looks now, or stopped waiting anyway.
                    let _changed = waiting.changed().await;
                }
                // The service ended the consumer, for example since somebody removed the queue.
                Some(None) => return Ok(()),
                None => {
                    while let Some(message) = messages.next().await {
                        message?.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn failure(cause: lapin::Error) -> Error {
    let refused = match cause.kind() {
        lapin::ErrorKind::ProtocolError(error) => Some(error.kind().clone()),
        _ => None,
    };
    let (kind, message) = match refused {
        Some(
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED | AMQPHardError::INVALIDPATH),
        ) => (ErrorKind::Invalid, "the service does not accept user, password or virtual host of the URL"),
        Some(AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED)) => {
            (ErrorKind::Invalid, "the service has a queue of this name already, of another kind: remove it")
        }
        Some(_) => (ErrorKind::Unexpected, "the service refuses the connection"),
        None => (ErrorKind::Unavailable, "the service cannot be reached"),
    };
    Error::new(kind, CONNECT, message).with_source(cause)
}

impl fmt::Debug for RabbitMq {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RabbitMq")
            .field("service", &self.address())
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// Notes that there is a message to send, unless too many wait already.
pub(super) fn post(outbox: &Semaphore) {
    if outbox.available_permits() < usize::try_from(MESSAGES).unwrap_or_default() {
        outbox.add_permits(1);
    }
}
