//! The catalogue on both databases: each case has one body, which runs on `SQLite` and, where there is one, PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a case fails where one of its steps does, also in a helper")]

mod connection;
mod content;
mod deletions;
mod events;
mod execution;
mod lists;
mod namespaces;
mod retention;
mod schema;
mod search;
mod sets;
mod settings;
mod solves;
mod specifications;
mod support;
mod work;
