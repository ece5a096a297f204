//! What the sections mean to the parts of the service.

use std::{path::Path, time::Duration};

use conda_store_core::{
    Result,
    conda::ChannelMirrors,
    paths::{Layout, LayoutOptions},
    settings::Settings,
};

use super::{Configuration, value::Mode};
use crate::data_directory::DataDirectory;

impl Configuration {
    /// The settings of the installation.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let section = &self.conda_store;
        let defaults = Settings::default();
        let alias = section.conda_channel_alias.as_ref().map(|alias| alias.0.as_str().trim_end_matches('/').to_owned());
        Settings {
            conda_channel_alias: alias.unwrap_or(defaults.conda_channel_alias),
            conda_platforms: section.conda_platforms.clone(),
            conda_solve_platforms: section.conda_solve_platforms.clone(),
            conda_default_channels: section.conda_default_channels.clone(),
            conda_allowed_channels: section.conda_allowed_channels.clone(),
            conda_indexed_channels: section.conda_indexed_channels.clone(),
            conda_default_packages: section.conda_default_packages.clone(),
            conda_required_packages: section.conda_required_packages.clone(),
            conda_included_packages: section.conda_included_packages.clone(),
            pypi_default_packages: section.pypi_default_packages.clone(),
            pypi_required_packages: section.pypi_required_packages.clone(),
            pypi_included_packages: section.pypi_included_packages.clone(),
            conda_max_solve_time: Duration::from_secs(section.conda_max_solve_time),
            conda_flags: section.conda_flags.clone(),
            conda_command: section.conda_command.clone(),
            build_artifacts: section.build_artifacts.clone(),
            build_artifacts_kept_on_deletion: section.build_artifacts_kept_on_deletion.clone(),
            default_namespace: section.default_namespace.clone(),
            filesystem_namespace: section.filesystem_namespace.clone(),
            default_uid: section.default_uid,
            default_gid: section.default_gid,
            default_permissions: section.default_permissions.map(|Mode(bits)| bits),
            storage_threshold: section.storage_threshold,
            run_link_scripts: section.run_link_scripts,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_defaults_are_those_of_the_library() {
        assert_eq!(Configuration::default().settings(), Settings::default());
    }
}
