//! The whole system: the real server and worker in processes of their own, driven through their API.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

mod bad_input;
mod cancel;
mod command_line;
mod deployment;
mod embedding;
mod fuzzing;
mod live_events;
mod main_job;
mod many_workers;
mod memory;
mod released_cli;
mod released_ui;
mod support;
