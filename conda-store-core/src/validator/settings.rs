//! Settings that no specification could be held against.

use rattler_conda_types::Subdir;

use super::packages::{conda_name, required_pip_name};
use crate::{Error, Result, channel::ChannelAlias, settings::Settings};

/// Refuses settings that would make every specification fail.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a channel or a package that is none, and where environments are not
/// locked for this machine's platform.
pub(crate) fn check_settings(settings: &Settings) -> Result<()> {
    let alias = ChannelAlias::new(&settings.conda_channel_alias)?;
    let Settings { conda_default_channels, conda_allowed_channels, conda_indexed_channels, .. } = settings;
    for channels in [conda_default_channels, conda_allowed_channels, conda_indexed_channels] {
        alias.resolve_all(channels.iter().map(String::as_str))?;
    }
    let Settings { conda_default_packages, conda_required_packages, conda_included_packages, .. } = settings;
    for package in conda_default_packages.iter().chain(conda_required_packages).chain(conda_included_packages) {
        conda_name(package)?;
    }
    let Settings { pypi_default_packages, pypi_required_packages, pypi_included_packages, .. } = settings;
    for package in pypi_default_packages.iter().chain(pypi_required_packages).chain(pypi_included_packages) {
        required_pip_name(package)?;
    }
    match Subdir::current() {
        Some(here) if !settings.conda_solve_platforms.contains(&here) => {
            let message = format!("the platforms do not have {here}; this machine's platform must be among them");
            Err(Error::invalid("check settings", message))
        }
        _ => Ok(()),
    }
}
