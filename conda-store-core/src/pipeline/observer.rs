//! Who watches builds from outside: progress bars, metrics.

use std::{fmt, sync::Arc};

use crate::{event::Reporter, model::Build};

/// Is shown every build that this process makes.
///
/// # Contract
/// [`watch`](Self::watch) is called once per attempt, before its first event; the reporter is dropped after its last.
pub trait BuildObserver: fmt::Debug + Send + Sync + 'static {
    /// Gives a reporter that takes the events of this attempt.
    fn watch(&self, build: &Build) -> Arc<dyn Reporter>;
}
