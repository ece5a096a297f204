//! What is told when something was built: the trait [`Hooks`].

use std::fmt;

use async_trait::async_trait;

use crate::{Result, model::Build};

/// Is told of changes, after they happened.
///
/// # Contract
/// An error is logged and changes nothing else; a call may come twice for one change when a worker was lost.
#[async_trait]
pub trait Hooks: fmt::Debug + Send + Sync + 'static {
    /// `build` became the current build of its environment (`post_update_environment_build_hook`).
    async fn current_build_changed(&self, build: &Build) -> Result<()>;

    /// `build` came to its end, whichever.
    async fn build_ended(&self, build: &Build) -> Result<()>;
}

/// Does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

#[async_trait]
impl Hooks for NoHooks {
    async fn current_build_changed(&self, _build: &Build) -> Result<()> {
        Ok(())
    }

    async fn build_ended(&self, _build: &Build) -> Result<()> {
        Ok(())
    }
}
