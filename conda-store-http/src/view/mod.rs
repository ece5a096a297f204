//! The shapes in which the API shows things.

mod build;
mod environment;
mod namespace;
mod package;
mod specification;
mod token;

pub(crate) use self::{
    build::{BuildDetails, BuildView},
    environment::EnvironmentView,
    namespace::{NamespaceRoleView, NamespaceView},
    package::{ChannelView, PackageView},
    specification::SpecificationView,
    token::TokenView,
};
