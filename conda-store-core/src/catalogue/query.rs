//! One way to run a query on either database: text that both understand, values that both can bind, rows that both can
//! decode.
//!
//! Text is `&'static str` throughout, so that nothing from outside becomes SQL.

use sqlx::{Arguments as _, QueryBuilder};
#[cfg(feature = "postgres")]
use sqlx::{PgPool, Postgres, postgres::PgArguments};
#[cfg(feature = "sqlite")]
use sqlx::{Sqlite, SqlitePool, sqlite::SqliteArguments};

use super::{Database, error};
use crate::Result;

/// What `SQLite` can bind.
#[cfg(feature = "sqlite")]
pub(super) trait SqliteValue: for<'q> sqlx::Encode<'q, Sqlite> + sqlx::Type<Sqlite> {}
#[cfg(feature = "sqlite")]
impl<T: for<'q> sqlx::Encode<'q, Sqlite> + sqlx::Type<Sqlite>> SqliteValue for T {}
/// Anything: the backend is compiled out.
#[cfg(not(feature = "sqlite"))]
pub(super) trait SqliteValue {}
#[cfg(not(feature = "sqlite"))]
impl<T> SqliteValue for T {}

/// What PostgreSQL can bind.
#[cfg(feature = "postgres")]
pub(super) trait PostgresValue: for<'q> sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres> {}
#[cfg(feature = "postgres")]
impl<T: for<'q> sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>> PostgresValue for T {}
/// Anything: the backend is compiled out.
#[cfg(not(feature = "postgres"))]
pub(super) trait PostgresValue {}
#[cfg(not(feature = "postgres"))]
impl<T> PostgresValue for T {}

/// What a query can take.
pub(super) trait Value: SqliteValue + PostgresValue {}
impl<T: SqliteValue + PostgresValue> Value for T {}

/// What can be made of a row of `SQLite`.
#[cfg(feature = "sqlite")]
pub(super) trait SqliteRow: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> {}
#[cfg(feature = "sqlite")]
impl<T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>> SqliteRow for T {}
/// Anything: the backend is compiled out.
#[cfg(not(feature = "sqlite"))]
pub(super) trait SqliteRow {}
#[cfg(not(feature = "sqlite"))]
impl<T> SqliteRow for T {}

/// What can be made of a row of PostgreSQL.
#[cfg(feature = "postgres")]
pub(super) trait PostgresRow: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> {}
#[cfg(feature = "postgres")]
impl<T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>> PostgresRow for T {}
/// Anything: the backend is compiled out.
#[cfg(not(feature = "postgres"))]
pub(super) trait PostgresRow {}
#[cfg(not(feature = "postgres"))]
impl<T> PostgresRow for T {}

/// What a query can give.
pub(super) trait Row: SqliteRow + PostgresRow + Send + Unpin {}
impl<T: SqliteRow + PostgresRow + Send + Unpin> Row for T {}

/// Where a query runs, and what it takes.
enum Target<'t> {
    #[cfg(feature = "sqlite")]
    SqlitePool(&'t SqlitePool, SqliteArguments),
    #[cfg(feature = "sqlite")]
    Sqlite(&'t mut sqlx::SqliteConnection, SqliteArguments),
    #[cfg(feature = "postgres")]
    PostgresPool(&'t PgPool, PgArguments),
    #[cfg(feature = "postgres")]
    Postgres(&'t mut sqlx::PgConnection, PgArguments),
}

/// A query in the making.
pub(super) struct Query<'t> {
    operation: &'static str,
    text: String,
    target: Target<'t>,
    database: &'t Database,
    failure: Option<sqlx::error::BoxDynError>,
    prepared: bool,
}

/// Runs the query with `$method`, one arm per kind of target.
macro_rules! execute {
    ($query:expr, $build:ident $(::<$row:ty>)?, $method:ident) => {{
        let Query { operation, text, target, database, failure, prepared } = $query;
        if let Some(cause) = failure {
            return Err(error::failed(operation, &database.description(), sqlx::Error::Encode(cause)));
        }
        let failed = |cause| error::failed(operation, &database.description(), cause);
        match target {
            #[cfg(feature = "sqlite")]
            Target::SqlitePool(pool, values) => {
                let mut builder = QueryBuilder::<Sqlite>::with_arguments(text, values);
                builder.$build$(::<$row>)?().persistent(prepared).$method(pool).await.map(From::from).map_err(failed)
            }
            #[cfg(feature = "sqlite")]
            Target::Sqlite(connection, values) => {
                let mut builder = QueryBuilder::<Sqlite>::with_arguments(text, values);
                builder.$build$(::<$row>)?().persistent(prepared).$method(connection).await.map(From::from).map_err(failed)
            }
            #[cfg(feature = "postgres")]
            Target::PostgresPool(pool, values) => {
                let mut builder = QueryBuilder::<Postgres>::with_arguments(text, values);
                builder.$build$(::<$row>)?().persistent(prepared).$method(pool).await.map(From::from).map_err(failed)
            }
            #[cfg(feature = "postgres")]
            Target::Postgres(connection, values) => {
                let mut builder = QueryBuilder::<Postgres>::with_arguments(text, values);
                builder.$build$(::<$row>)?().persistent(prepared).$method(connection).await.map(From::from).map_err(failed)
            }
        }
    }};
}

/// How many rows a statement touched.
struct Touched(u64);

#[cfg(feature = "sqlite")]
impl From<sqlx::sqlite::SqliteQueryResult> for Touched {
    fn from(done: sqlx::sqlite::SqliteQueryResult) -> Self {
        Self(done.rows_affected())
    }
}

#[cfg(feature = "postgres")]
impl From<sqlx::postgres::PgQueryResult> for Touched {
    fn from(done: sqlx::postgres::PgQueryResult) -> Self {
        Self(done.rows_affected())
    }
}

impl<'t> Query<'t> {
    fn new(operation: &'static str, text: &'static str, target: Target<'t>, database: &'t Database) -> Self {
        Self { operation, text: text.to_owned(), target, database, failure: None, prepared: true }
    }

    /// More text.
    pub(super) fn push(mut self, text: &'static str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Text for `SQLite`, other text for PostgreSQL.
    pub(super) fn push_either(self, sqlite: &'static str, postgres: &'static str) -> Self {
        let text = if self.is_sqlite() { sqlite } else { postgres };
        self.push(text)
    }

    /// Whether it runs on `SQLite`.
    pub(super) fn is_sqlite(&self) -> bool {
        match &self.target {
            #[cfg(feature = "sqlite")]
            Target::SqlitePool(..) | Target::Sqlite(..) => true,
            #[cfg(feature = "postgres")]
            Target::PostgresPool(..) | Target::Postgres(..) => false,
        }
    }

    /// The value of the next placeholder that the text has already.
    pub(super) fn value(mut self, value: impl Value) -> Self {
        let added = match &mut self.target {
            #[cfg(feature = "sqlite")]
            Target::SqlitePool(_, values) | Target::Sqlite(_, values) => values.add(value),
            #[cfg(feature = "postgres")]
            Target::PostgresPool(_, values) | Target::Postgres(_, values) => values.add(value),
        };
        self.failure = self.failure.or(added.err());
        self
    }

    /// A placeholder, and its value.
    pub(super) fn bind(self, value: impl Value) -> Self {
        let mut query = self.value(value);
        let (sign, number) = match &query.target {
            // A name such as $1 would be looked up among all others.
            #[cfg(feature = "sqlite")]
            Target::SqlitePool(_, values) | Target::Sqlite(_, values) => ('?', values.len()),
            #[cfg(feature = "postgres")]
            Target::PostgresPool(_, values) | Target::Postgres(_, values) => ('$', values.len()),
        };
        query.text.push(sign);
        query.text.push_str(&number.to_string());
        query
    }

    /// Not kept for the next time: its text hardly ever comes again.
    pub(super) fn unprepared(mut self) -> Self {
        self.prepared = false;
        self
    }

    /// All rows.
    pub(super) async fn all<R: Row>(self) -> Result<Vec<R>> {
        execute!(self, build_query_as::<R>, fetch_all)
    }

    /// The first row.
    pub(super) async fn first<R: Row>(self) -> Result<Option<R>> {
        execute!(self, build_query_as::<R>, fetch_optional)
    }

    /// The only row, which there always is.
    pub(super) async fn one<R: Row>(self) -> Result<R> {
        execute!(self, build_query_as::<R>, fetch_one)
    }

    /// Runs it and says how many rows it touched.
    pub(super) async fn run(self) -> Result<u64> {
        let touched: Result<Touched> = execute!(self, build, execute);
        touched.map(|Touched(rows)| rows)
    }
}

/// A transaction; dropped without [`Transaction::commit`] it changes nothing.
pub(super) struct Transaction<'d> {
    database: &'d Database,
    inner: Inner,
}

enum Inner {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction<'_> {
    /// A query inside the transaction.
    pub(super) fn query(&mut self, operation: &'static str, text: &'static str) -> Query<'_> {
        let target = match &mut self.inner {
            #[cfg(feature = "sqlite")]
            Inner::Sqlite(connection) => Target::Sqlite(connection, SqliteArguments::default()),
            #[cfg(feature = "postgres")]
            Inner::Postgres(connection) => Target::Postgres(connection, PgArguments::default()),
        };
        Query::new(operation, text, target, self.database)
    }

    /// Makes it true.
    pub(super) async fn commit(self, operation: &'static str) -> Result<()> {
        let done = match self.inner {
            #[cfg(feature = "sqlite")]
            Inner::Sqlite(transaction) => transaction.commit().await,
            #[cfg(feature = "postgres")]
            Inner::Postgres(transaction) => transaction.commit().await,
        };
        done.map_err(|cause| error::failed(operation, &self.database.description(), cause))
    }
}

impl Database {
    /// A query on any connection of the pool.
    pub(super) fn query(&self, operation: &'static str, text: &'static str) -> Query<'_> {
        let target = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pool) => Target::SqlitePool(pool, SqliteArguments::default()),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => Target::PostgresPool(pool, PgArguments::default()),
        };
        Query::new(operation, text, target, self)
    }

    /// Begins a transaction that will write.
    pub(super) async fn begin(&self, operation: &'static str) -> Result<Transaction<'_>> {
        let inner = match self {
            // A transaction that reads first and writes then would fail where another wrote in between.
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pool) => pool.begin_with("BEGIN IMMEDIATE").await.map(Inner::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.begin().await.map(Inner::Postgres),
        };
        let inner = inner.map_err(|cause| error::failed(operation, &self.description(), cause))?;
        Ok(Transaction { database: self, inner })
    }
}
