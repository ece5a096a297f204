//! The heart of conda-store: the domain model, the traits that everything else implements, the catalogue and the build
//! pipeline.
//!
//! Start with the traits: [`storage::Storage`], [`queue::Queue`], [`auth::Authenticator`], [`auth::Authorizer`],
//! [`validator::Validator`], [`build_key::BuildKeyFormat`], [`registry::ContainerRegistry`], [`solver::Solver`] and
//! [`hooks::Hooks`].

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!(
    "the catalogue needs a database: enable the feature `sqlite` or `postgres` of conda-store-core, or both"
);

pub mod artifact;
pub mod auth;
pub mod build_key;
pub mod catalogue;
pub mod channel;
pub mod clock;
pub mod conda;
mod conda_store;
mod deletion;
pub mod disk;
pub mod error;
pub mod event;
mod file_lock;
mod handing_in;
pub mod hooks;
pub mod install;
pub mod job;
mod kept_error;
mod kept_lockfile;
pub mod lockfile;
mod memory;
pub mod model;
pub mod orphans;
pub mod paths;
pub mod pipeline;
pub mod queue;
pub mod registry;
mod run_time_settings;
pub mod settings;
mod shared_solves;
pub mod solver;
mod solving;
pub mod specification;
pub mod storage;
mod submission;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod turns;
pub mod validator;
mod watched_files;

pub use self::conda_store::{CondaStore, CondaStoreBuilder};
pub use self::error::{Error, ErrorKind, Result};
pub use self::solving::{Solution, SolvedPackage};
