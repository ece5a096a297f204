//! Databases on the PostgreSQL server.

use sqlx::{Connection, Executor, PgConnection};

/// A database of this test's own; that of a test that fails stays for a look.
pub(crate) async fn database(name: &str) -> Option<String> {
    let server = conda_store_core::testing::service("postgres")?;
    let mut connection = PgConnection::connect(&server).await.unwrap();
    let name = format!("conda_store_{name}_{}", std::process::id());
    connection.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (base, _database) = server.rsplit_once('/').unwrap();
    Some(format!("{base}/{name}"))
}

/// Removes such a database.
pub(crate) async fn drop_database(url: &str) {
    let server = conda_store_core::testing::service("postgres").unwrap();
    let mut connection = PgConnection::connect(&server).await.unwrap();
    let name = url.rsplit('/').next().unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await.unwrap();
}
