//! Where artifacts are kept, by `storage_class`.

#[cfg(feature = "opendal")]
mod opendal;
#[cfg(feature = "s3")]
mod s3;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use conda_store_core::{clock::Clock, storage::Storage};
#[cfg(feature = "opendal")]
use conda_store_storage::OpendalStorage;
#[cfg(feature = "s3")]
use conda_store_storage::S3Storage;
use conda_store_storage::{LocalStorage, LocalStorageConfig};

use crate::{
    configuration::{Configuration, Problem, StorageClass},
    data_directory::DataDirectory,
};

/// Opens the storage that `configuration` describes; a directory that it does not name is in `data`.
pub(crate) async fn open(
    configuration: &Configuration,
    data: &DataDirectory,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Storage>> {
    match configuration.conda_store.storage_class {
        StorageClass::LocalStorage => Ok(Arc::new(LocalStorage::open(local(configuration, data), clock).await?)),
        #[cfg(feature = "s3")]
        StorageClass::S3Storage => {
            let config = s3::config(configuration).map_err(anyhow::Error::msg)?;
            Ok(Arc::new(S3Storage::open(config, clock).await?))
        }
        #[cfg(feature = "opendal")]
        StorageClass::OpendalStorage => {
            let config = opendal::config(configuration).map_err(anyhow::Error::msg)?;
            Ok(Arc::new(OpendalStorage::open(config, clock).await?))
        }
        #[cfg(not(all(feature = "s3", feature = "opendal")))]
        class => Err(anyhow::Error::msg(left_out(configuration, class))),
    }
}

/// Why the storage cannot be what is asked for, as far as can be told without trying it.
pub(crate) fn problem(configuration: &Configuration) -> Option<Problem> {
    match configuration.conda_store.storage_class {
        StorageClass::LocalStorage => None,
        #[cfg(feature = "s3")]
        StorageClass::S3Storage => s3::config(configuration).err(),
        #[cfg(feature = "opendal")]
        StorageClass::OpendalStorage => opendal::config(configuration).err(),
        #[cfg(not(all(feature = "s3", feature = "opendal")))]
        class => Some(left_out(configuration, class)),
    }
}

#[cfg(not(all(feature = "s3", feature = "opendal")))]
fn left_out(configuration: &Configuration, class: StorageClass) -> Problem {
    use crate::configuration::{CondaStoreSection, Section};
    let message =
        format!("this program was built without {class:?}; cargo's features s3 and opendal bring the storages");
    configuration.problem(CondaStoreSection::NAME, "storage_class", message)
}

fn local(configuration: &Configuration, data: &DataDirectory) -> LocalStorageConfig {
    let section = &configuration.local_storage;
    LocalStorageConfig {
        storage_path: section.storage_path.clone().unwrap_or_else(|| data.storage()),
        storage_url: section.storage_url.as_ref().map(|url| url.0.clone()),
    }
}
