//! The connection pool of either database, and the URLs that lead to it.

#[cfg(feature = "postgres")]
use std::str::FromStr;
use std::time::Duration;

#[cfg(feature = "postgres")]
use sqlx::{
    Connection as _, PgPool,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
};
#[cfg(feature = "sqlite")]
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::error;
#[cfg(any(not(feature = "sqlite"), not(feature = "postgres")))]
use crate::ErrorKind;
use crate::{Error, Result};

/// What is being done while a connection is made.
const CONNECT: &str = "connect to the database";

/// How long anybody waits for a connection: longer than a short outage, shorter than a client's patience.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a writer waits for the others of a `SQLite` file.
#[cfg(feature = "sqlite")]
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections to one `SQLite` file: readers do not wait for one another, writers do anyway.
#[cfg(feature = "sqlite")]
const SQLITE_CONNECTIONS: u32 = 8;

/// Connections to one PostgreSQL server, which has a hundred by default, for several processes such as this.
#[cfg(feature = "postgres")]
const POSTGRES_CONNECTIONS: u32 = 16;

/// A pool of connections to the one or the other kind of database. Cheap to clone; clones share the pool.
///
/// Public so that others can keep tables of their own beside the catalogue's; see [`Database::migrate`]. Which kinds
/// there are depends on the features `sqlite` and `postgres`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Database {
    /// A `SQLite` file, or a database in memory.
    #[cfg(feature = "sqlite")]
    Sqlite(SqlitePool),
    /// A database on a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Postgres(PgPool),
}

impl Database {
    /// Connects to the database at `url`.
    ///
    /// - `sqlite:PATH` and, as `SQLAlchemy` writes it, `sqlite:///PATH` (a relative one; `sqlite:////PATH` is absolute).
    ///   A missing file is made, a missing directory is not.
    /// - `sqlite::memory:`, `sqlite://`: gone when the last clone is.
    /// - `postgresql://`, `postgres://`, `postgresql+DRIVER://`, with the parameters of `libpq`.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for another URL, [`Unsupported`](crate::ErrorKind::Unsupported) where
    /// support for the kind of database was not compiled in, [`Unavailable`](crate::ErrorKind::Unavailable) where the
    /// database cannot be reached.
    pub async fn connect(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once(':') else { return Err(unknown(url)) };
        match scheme.split_once('+').map_or(scheme, |(scheme, _driver)| scheme) {
            "sqlite" => connect_sqlite(rest).await,
            "postgres" | "postgresql" => connect_postgres(rest).await,
            other => Err(unknown(other)),
        }
    }

    /// Which database this is, without its secrets.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pool) => format!("sqlite:{}", pool.connect_options().get_filename().display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => describe(&pool.connect_options()),
        }
    }

    /// What it means that `operation` (a verb phrase such as `"lease job"`) failed with `cause`, for those who keep tables of
    /// their own: [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where the database is away, too busy or locked.
    #[must_use]
    pub fn failure(&self, operation: &'static str, cause: sqlx::Error) -> Error {
        error::failed(operation, &self.description(), cause)
    }

    /// Closes all connections, once they are no longer used.
    pub async fn close(&self) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pool) => pool.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Says what URLs there are; `scheme` is all that may be shown of one that may hold a password.
fn unknown(scheme: &str) -> Error {
    let shown = if scheme.contains("//") || scheme.contains('@') { "" } else { scheme };
    let message = format!("{shown:?} is no kind of database: the URL begins with sqlite: or postgresql://");
    Error::invalid(CONNECT, message)
}

#[cfg(any(not(feature = "sqlite"), not(feature = "postgres")))]
fn compiled_out(kind: &str, feature: &str) -> Error {
    let message = format!("support for {kind} is not compiled in: enable the feature `{feature}` of conda-store-core");
    Error::new(ErrorKind::Unsupported, CONNECT, message)
}

#[cfg(not(feature = "sqlite"))]
#[expect(clippy::unused_async, reason = "it stands in for the one that connects")]
async fn connect_sqlite(_rest: &str) -> Result<Database> {
    Err(compiled_out("SQLite", "sqlite"))
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "it stands in for the one that connects")]
async fn connect_postgres(_rest: &str) -> Result<Database> {
    Err(compiled_out("PostgreSQL", "postgres"))
}

#[cfg(feature = "sqlite")]
async fn connect_sqlite(rest: &str) -> Result<Database> {
    let path = sqlite_path(rest)?;
    let options = SqliteConnectOptions::new()
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Normal);
    let pool = SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
    let connected = match path {
        // Every connection would have a database of its own, which ends with it.
        None => {
            pool.max_connections(1).idle_timeout(None).max_lifetime(None).connect_with(options.in_memory(true)).await
        }
        Some(path) => {
            let options = options.filename(path).journal_mode(SqliteJournalMode::Wal);
            pool.max_connections(SQLITE_CONNECTIONS).connect_with(options).await
        }
    };
    connected.map(Database::Sqlite).map_err(|cause| error::unreachable(CONNECT, &format!("sqlite:{rest}"), cause))
}

/// The file that the part after `sqlite:` names; `None` is memory.
#[cfg(feature = "sqlite")]
fn sqlite_path(rest: &str) -> Result<Option<&str>> {
    let path = rest.strip_prefix("///").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
    if path.contains('?') {
        return Err(Error::invalid(
            CONNECT,
            "the URL of a SQLite database takes no options: leave out the part from ? on",
        ));
    }
    Ok(if path.is_empty() || path == ":memory:" { None } else { Some(path) })
}

#[cfg(feature = "postgres")]
async fn connect_postgres(rest: &str) -> Result<Database> {
    let options = PgConnectOptions::from_str(&format!("postgresql:{rest}")).map_err(|cause| {
        let message = "the URL is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE";
        Error::invalid(CONNECT, message).with_source(cause)
    })?;
    let options = options.options([
        // A process that was suspended in the middle of a transaction must not hold up all others.
        ("idle_in_transaction_session_timeout", "15s"),
        // Lists are looked up in indexes that are in memory: the price of a disk's seek makes PostgreSQL read whole tables
        // instead, and compiling a statement takes longer than running it.
        ("random_page_cost", "1.1"),
        ("jit", "off"),
    ]);
    // The pool tries again until its time is over and then forgets why: ask once for a reason.
    let first = tokio::time::timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(&options));
    let first = first.await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    let closed = match first {
        Ok(connection) => connection.close().await,
        Err(cause) => Err(cause),
    };
    closed.map_err(|cause| error::unreachable(CONNECT, &describe(&options), cause))?;
    let pool = PgPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).max_connections(POSTGRES_CONNECTIONS);
    Ok(Database::Postgres(pool.connect_lazy_with(options)))
}

/// Host, port and database.
#[cfg(feature = "postgres")]
fn describe(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("postgresql:{}/{database}", socket.display()),
        None => format!("postgresql://{}:{}/{database}", options.get_host(), options.get_port()),
    }
}
