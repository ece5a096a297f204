//! Channels, package lists and the choice of packages.

mod answers;
mod channel_lists;
mod client;
mod command_solver;
mod explanation;
mod freshness;
mod in_order;
mod list_directory;
mod list_errors;
mod mirrored;
mod mirrors;
mod package_lists;
mod platforms;
mod rattler_solver;
mod specs;
mod stop;
mod url;
mod virtual_packages;

pub(crate) use self::{
    channel_lists::{Answer, ChannelLists, WholeList},
    url::public_url,
    virtual_packages::virtual_packages,
};
pub use self::{
    client::{Client, ClientOptions},
    command_solver::CommandSolver,
    mirrors::ChannelMirrors,
    package_lists::{PackageListOptions, PackageLists},
    rattler_solver::RattlerSolver,
};

#[cfg(test)]
mod tests;
