//! Images in outside registries: the trait [`ContainerRegistry`].

use std::fmt;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{Result, event::Reporter, model::Build, storage::Storage};

/// An image as a registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// The registry's URL.
    pub registry: String,
    /// The repository in it.
    pub name: String,
    /// The tag.
    pub tag: String,
}

/// Takes images of builds to outside registries.
///
/// # Contract
/// - [`push`](Self::push) of an image that is there already succeeds and sends no layer twice.
/// - [`delete`](Self::delete) of a missing image succeeds.
/// - [`reference`](Self::reference) is a pure function.
///
/// # Errors
/// Refused credentials are [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden); a registry that cannot be reached is
/// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable).
#[async_trait]
pub trait ContainerRegistry: fmt::Debug + Send + Sync + 'static {
    /// The registries that images are pushed to.
    fn registries(&self) -> Vec<String>;

    /// The name and tag of `build`'s image in `registry`.
    fn reference(&self, registry: &str, build: &Build) -> Result<ImageReference>;

    /// Pushes the image whose manifest and layers are in `storage`.
    async fn push(
        &self,
        image: &ImageReference,
        manifest: &crate::storage::StorageKey,
        storage: &dyn Storage,
        reporter: &dyn Reporter,
        cancellation: &CancellationToken,
    ) -> Result<()>;

    /// The manifest of an image as JSON, where there is one.
    async fn pull(&self, image: &ImageReference) -> Result<Option<serde_json::Value>>;

    /// Deletes the image.
    async fn delete(&self, image: &ImageReference) -> Result<()>;
}
