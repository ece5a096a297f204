//! The shapes in which the API shows things.

mod build;
mod environment;
mod namespace;
mod package;
mod specification;

pub(crate) use self::{
    build::{BuildDetails, BuildView},
    environment::EnvironmentView,
    namespace::NamespaceView,
    package::{ChannelView, PackageView},
    specification::SpecificationView,
};
