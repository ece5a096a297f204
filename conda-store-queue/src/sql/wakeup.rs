//! How a waiting worker learns that the table changed: PostgreSQL or RabbitMQ carries messages between processes.

use std::sync::{Arc, OnceLock};

#[cfg(feature = "amqp")]
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

#[cfg(feature = "amqp")]
use super::broker::{self, RabbitMq};
use super::store::Pool;
use crate::news::News;

/// Tells of changes: within the process, and to other processes where somebody carries messages.
pub(super) struct Wakeup {
    carrier: Carrier,
    pub(super) news: Arc<News>,
    messages: OnceLock<AbortOnDropHandle<()>>,
}

/// What carries messages between processes.
enum Carrier {
    #[cfg(feature = "sqlite")]
    Nobody,
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
    #[cfg(feature = "amqp")]
    RabbitMq {
        service: RabbitMq,
        /// A permit for each message that is to be sent.
        outbox: Arc<Semaphore>,
    },
}

impl Wakeup {
    /// Messages go through the database, where it carries any.
    pub(super) fn new(pool: &Pool) -> Self {
        Self::by(match pool {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(_) => Carrier::Nobody,
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => Carrier::Postgres(pool.clone()),
        })
    }

    /// Messages go through a broker.
    #[cfg(feature = "amqp")]
    pub(super) fn through(service: RabbitMq) -> Self {
        Self::by(Carrier::RabbitMq { service, outbox: Arc::new(Semaphore::new(0)) })
    }

    fn by(carrier: Carrier) -> Self {
        Self { carrier, news: Arc::default(), messages: OnceLock::new() }
    }

    /// Tells of a change that was just committed.
    #[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "only PostgreSQL is waited for"))]
    pub(super) async fn announce(&self) {
        self.news.tell();
        match &self.carrier {
            #[cfg(feature = "sqlite")]
            Carrier::Nobody => {}
            #[cfg(feature = "postgres")]
            Carrier::Postgres(pool) => {
                let told = sqlx::query("select pg_notify($1, '')").bind(postgres::CHANNEL).execute(pool).await;
                if let Err(error) = told {
                    tracing::debug!(%error, "other workers were not told of a job; they find it themselves");
                }
            }
            #[cfg(feature = "amqp")]
            Carrier::RabbitMq { outbox, .. } => {
                self.listen();
                broker::post(outbox);
            }
        }
    }

    /// Sees to it that changes by other processes arrive, where somebody carries messages.
    pub(super) fn listen(&self) {
        match &self.carrier {
            #[cfg(feature = "sqlite")]
            Carrier::Nobody => {}
            #[cfg(feature = "postgres")]
            Carrier::Postgres(pool) => self.keep(|news| postgres::listen(pool.connect_options(), news)),
            #[cfg(feature = "amqp")]
            Carrier::RabbitMq { service, outbox } => {
                self.keep(|news| service.clone().carry(Arc::clone(outbox), news));
            }
        }
    }

    #[cfg(any(feature = "amqp", feature = "postgres"))]
    fn keep<F: Future<Output = ()> + Send + 'static>(&self, carry: impl FnOnce(Arc<News>) -> F) {
        let start = || AbortOnDropHandle::new(tokio::spawn(carry(Arc::clone(&self.news))));
        self.messages.get_or_init(start);
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::time::Duration;

    use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

    use super::{Arc, News};

    /// The channel of `LISTEN` and `NOTIFY`. One for all schemas of a database: being woken for nothing does no harm.
    pub(super) const CHANNEL: &str = "cs_queue";

    /// How long to wait before listening again.
    const AGAIN: Duration = Duration::from_secs(1);

    /// Listens for as long as it is polled.
    pub(super) async fn listen(options: Arc<PgConnectOptions>, news: Arc<News>) {
        loop {
            if let Err(error) = listen_once(&options, &news).await {
                tracing::debug!(%error, "no messages of new jobs; looking for them instead");
            }
            news.set_told(false);
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Listens until the connection is lost.
    async fn listen_once(options: &PgConnectOptions, news: &News) -> sqlx::Result<()> {
        // A connection of its own: one that listens for ever must not be missing in the pool.
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let mut listener = PgListener::connect_with(&pool.connect_with(options.clone()).await?).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        news.set_told(true);
        while listener.try_recv().await?.is_some() {
            news.tell();
        }
        Ok(())
    }
}
