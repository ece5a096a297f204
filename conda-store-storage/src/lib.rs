#![doc = include_str!("../README.md")]

mod leftovers;
mod local;
mod memory;
mod observed;
#[cfg(feature = "opendal")]
mod opendal;
mod prefixed;
#[cfg(feature = "s3")]
mod s3;

#[cfg(feature = "opendal")]
pub use self::opendal::{OpendalStorage, OpendalStorageConfig};
#[cfg(feature = "s3")]
pub use self::s3::{S3Credentials, S3Endpoint, S3Storage, S3StorageConfig, WebIdentity};
pub use self::{
    local::{LocalStorage, LocalStorageConfig},
    memory::MemoryStorage,
    observed::ObservedStorage,
    prefixed::PrefixedStorage,
};
