//! The API as clients see it: the real router over `SQLite`, with storage and queue in memory.

#![expect(clippy::unwrap_used, reason = "tests and their fixtures fail by panicking")]

mod bad_input;
mod blobs;
mod builds;
mod compression;
mod cors;
mod deletions;
mod environments;
mod events;
mod history;
mod logins;
mod logs;
mod metrics;
mod namespaces;
mod openapi;
mod permissions;
mod places;
mod proxies;
mod settings;
mod site;
mod solves;
mod submissions;
mod tokens;
mod work;
