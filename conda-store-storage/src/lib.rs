#![doc = include_str!("../README.md")]

mod local;
mod memory;
#[cfg(feature = "s3")]
mod s3;
mod sweeps;

#[cfg(feature = "s3")]
pub use self::s3::{S3Credentials, S3Endpoint, S3Storage, S3StorageConfig, WebIdentity};
pub use self::{
    local::{LocalStorage, LocalStorageConfig},
    memory::MemoryStorage,
};
