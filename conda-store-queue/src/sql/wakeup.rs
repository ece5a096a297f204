//! How a waiting worker learns that the table changed: PostgreSQL carries messages between processes.

use std::sync::Arc;

use super::store::Pool;
use crate::news::News;

/// Tells of changes: within the process, and through PostgreSQL to other processes.
pub(super) struct Wakeup {
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only PostgreSQL carries messages"))]
    pool: Pool,
    pub(super) news: Arc<News>,
    #[cfg(feature = "postgres")]
    listener: std::sync::OnceLock<tokio_util::task::AbortOnDropHandle<()>>,
}

impl Wakeup {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            pool,
            news: Arc::default(),
            #[cfg(feature = "postgres")]
            listener: std::sync::OnceLock::new(),
        }
    }

    /// Tells of a change that was just committed.
    pub(super) async fn announce(&self) {
        self.news.tell();
        #[cfg(feature = "postgres")]
        if let Pool::Postgres(pool) = &self.pool {
            let told = sqlx::query("select pg_notify($1, '')").bind(postgres::CHANNEL).execute(pool).await;
            if let Err(error) = told {
                tracing::debug!(%error, "other workers were not told of a job; they find it themselves");
            }
        }
    }

    /// Sees to it that changes by other processes arrive, where the database can tell of them.
    pub(super) fn listen(&self) {
        #[cfg(feature = "postgres")]
        if let Pool::Postgres(pool) = &self.pool {
            let listen = || {
                let listen = postgres::listen(pool.connect_options(), Arc::clone(&self.news));
                tokio_util::task::AbortOnDropHandle::new(tokio::spawn(listen))
            };
            self.listener.get_or_init(listen);
        }
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
