//! Databases for benches to work in.

use std::path::Path;

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// A database of the bench's own.
pub(crate) struct Database {
    pub(crate) url: String,
    server: Option<(String, String)>,
}

impl Database {
    /// A file in `directory`, or a database on the PostgreSQL `server`.
    pub(crate) async fn make(directory: &Path, server: Option<&str>) -> Result<Self> {
        let Some(server) = server else {
            return Ok(Self { url: format!("sqlite:{}", directory.join("bench.sqlite").display()), server: None });
        };
        let name = format!("conda_store_bench_{}", std::process::id());
        let (base, _database) = server.rsplit_once('/').context("the URL of the server has no database")?;
        run(server, format!("drop database if exists {name} with (force)")).await?;
        run(server, format!("create database {name}")).await?;
        Ok(Self { url: format!("{base}/{name}"), server: Some((server.to_owned(), name)) })
    }

    pub(crate) async fn drop(self) -> Result<()> {
        match self.server {
            Some((server, name)) => run(&server, format!("drop database if exists {name} with (force)")).await,
            None => Ok(()),
        }
    }
}

/// Runs statements.
pub(crate) async fn run(server: &str, statement: String) -> Result<()> {
    PgConnection::connect(server).await?.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}
