//! Blobs as objects in a bucket of an S3 service.

mod backend;
mod client;
mod config;
mod credentials;
mod download;
mod endpoint;
mod error;
mod leftovers;
#[cfg(test)]
mod tests;
mod upload;

pub use self::{
    backend::S3Storage,
    config::S3StorageConfig,
    credentials::{S3Credentials, WebIdentity},
    endpoint::S3Endpoint,
};
