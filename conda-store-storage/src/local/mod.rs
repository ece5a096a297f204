//! Blobs as files below one directory.

mod backend;
mod config;
mod directory;
#[cfg(test)]
mod tests;
mod upload;
mod writeback;

pub use self::{backend::LocalStorage, config::LocalStorageConfig};
