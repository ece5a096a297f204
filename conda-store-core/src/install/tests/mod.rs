//! Real packages, real files, and packages that nobody should have made.

mod channel;
mod fetching;
pub(crate) mod fixture;
mod layouts;
mod package;
mod permissions;
mod server;
mod special;
mod unsafe_packages;
