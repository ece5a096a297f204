//! What the sections mean to the parts of the service.

use std::path::Path;

use conda_store_core::{
    Result,
    conda::ChannelMirrors,
    paths::{Layout, LayoutOptions},
};

use super::Configuration;
use crate::data_directory::DataDirectory;

impl Configuration {
    /// Where channels are really fetched from.
    #[must_use]
    pub fn mirrors(&self) -> ChannelMirrors {
        let mirrors = self.conda_store.conda_channel_mirrors.iter();
        ChannelMirrors::new(
            mirrors.map(|(prefix, urls)| (prefix.0.clone(), urls.iter().map(|url| url.0.clone()).collect())),
        )
    }

    /// Where environments are built, by default in `data`; relative paths count from `working_directory`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](conda_store_core::ErrorKind::Invalid) for a template that cannot be followed.
    pub fn layout(&self, data: &DataDirectory, working_directory: &Path) -> Result<Layout> {
        let section = &self.conda_store;
        let options = LayoutOptions {
            store_directory: section.store_directory.clone().unwrap_or_else(|| data.state()),
            build_directory: section.build_directory.clone(),
            environment_directory: section.environment_directory.clone(),
            win_extended_length_prefix: section.win_extended_length_prefix,
        };
        Layout::new(&options, working_directory)
    }
}
