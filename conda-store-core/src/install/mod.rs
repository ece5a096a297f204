//! From a list of packages to an environment: [`fetch`] them into the [`PackageStore`], [`link`] them into a prefix, run
//! their [post-link scripts](run_link_scripts), [install what pip brings](install_pip), set [`Permissions`].
//!
//! Nothing that comes from a channel is trusted: archives are verified as a whole, unpacked by code that refuses to
//! leave its directory, and checked file by file, all of it once per package. Whatever fails or is canceled leaves the
//! store as it was; the half-built prefix is for the caller to [remove](remove_prefix).

mod archive;
mod check;
mod download;
mod environment;
mod layout;
mod link;
mod manifest;
mod orphans;
mod permissions;
mod pip;
mod process;
mod record;
mod remove;
mod scripts;
mod store;
#[cfg(test)]
pub(crate) mod tests;

use crate::{Error, ErrorKind, Result};

pub use self::{
    download::Retry,
    environment::{Environment, fetch, link},
    link::LinkMethod,
    manifest::Manifest,
    orphans::end_programs,
    permissions::{Permissions, disk_usage},
    pip::{InstalledPipPackage, LockedPipPackage, PipRequest, PipSettings, install_pip},
    remove::remove_prefix,
    scripts::{ScriptSettings, run_link_scripts},
    store::{CacheLookups, PackageStore, PackageStoreSettings, StoredPackage},
};
pub(crate) use self::{scripts::has_link_script, store::parallelism};

fn cancelled(operation: &'static str) -> Error {
    Error::new(ErrorKind::Cancelled, operation, "canceled on request")
}

/// Runs `work` on a thread that may block. A panic in it is contained: it fails this work and nothing else.
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::unexpected(operation, "work was aborted by a defect").with_source(error)),
    }
}
