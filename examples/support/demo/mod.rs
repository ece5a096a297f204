//! A first look: a small channel of its own, and an environment from it.

pub mod channel;
mod packages;
mod register;

pub use self::{
    packages::packages,
    register::{guide, register},
};
