//! The API as clients see it: the real router over `SQLite`, with storage and queue in memory.

#![expect(clippy::unwrap_used, reason = "tests and their fixtures fail by panicking")]

mod bad_input;
mod builds;
mod deletions;
mod environments;
mod logins;
mod openapi;
mod places;
mod site;
mod submissions;
