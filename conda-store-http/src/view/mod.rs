//! The shapes in which the API shows things.

mod build;
mod difference;
mod environment;
mod history;
mod job;
mod namespace;
mod package;
mod solved_package;
mod specification;
mod token;
mod worker;

pub(crate) use self::{
    build::{BuildDetails, BuildView},
    difference::DifferenceView,
    environment::EnvironmentView,
    history::HistoryView,
    job::JobView,
    namespace::{NamespaceRoleView, NamespaceView},
    package::{ChannelView, PackageView},
    solved_package::SolvedPackageView,
    specification::SpecificationView,
    token::TokenView,
    worker::{WORKER_STATES, WorkerView},
};
