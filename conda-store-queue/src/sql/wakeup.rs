//! How a waiting worker learns that the table changed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, futures::Notified};

use super::store::Pool;

/// How often the table is looked at where nobody tells of changes: a job starts soon enough, and a look costs next to
/// nothing.
const UNTOLD: Duration = Duration::from_millis(50);

/// How often it is looked at where changes are told, in case a message was lost.
const TOLD: Duration = Duration::from_secs(1);

/// Tells of changes: within the process, and through PostgreSQL to other processes.
pub(super) struct Wakeup {
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only PostgreSQL carries messages"))]
    pool: Pool,
    news: Arc<News>,
    #[cfg(feature = "postgres")]
    listener: std::sync::OnceLock<tokio_util::task::AbortOnDropHandle<()>>,
}

#[derive(Default)]
struct News {
    changed: Notify,
    /// Whether changes that other processes make arrive as well.
    told: AtomicBool,
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
        self.news.changed.notify_waiters();
        #[cfg(feature = "postgres")]
        if let Pool::Postgres(pool) = &self.pool {
            let told = sqlx::query("select pg_notify($1, '')").bind(postgres::CHANNEL).execute(pool).await;
            if let Err(error) = told {
                tracing::debug!(%error, "other workers were not told of a job; they find it themselves");
            }
        }
    }

    /// Fires with the next change from now on.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.news.changed.notified()
    }

    /// How long to wait for a message before looking.
    pub(super) fn patience(&self) -> Duration {
        if self.news.told.load(Ordering::Relaxed) { TOLD } else { UNTOLD }
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
    use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

    use super::{Arc, Duration, News, Ordering};

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
            news.told.store(false, Ordering::Relaxed);
            news.changed.notify_waiters();
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
        news.told.store(true, Ordering::Relaxed);
        // Whatever was enqueued before the listening began.
        news.changed.notify_waiters();
        while listener.try_recv().await?.is_some() {
            news.changed.notify_waiters();
        }
        Ok(())
    }
}
