//! Blobs in any service that opendal was compiled with.

mod backend;
mod config;
mod error;
mod names;
#[cfg(test)]
mod tests;

pub use self::{backend::OpendalStorage, config::OpendalStorageConfig};
