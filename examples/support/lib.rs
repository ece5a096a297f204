//! What the two binaries share: configuration and composition.

pub mod command_line;
pub mod compose;
pub mod configuration;
pub mod data_directory;
pub mod demo;
pub mod logging;
pub mod monitor;
pub mod progress;
pub mod serve;
pub mod shutdown;
mod storage;
pub mod watch;
pub mod work;
