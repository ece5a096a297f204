//! From a queued build to an environment on disk: what a worker does with each job.
//!
//! ```text
//! claim → solve (or read the lockfile) → fetch → link into a staging directory → move into place
//!       → link scripts → pip packages → permissions → record and complete → symlink → artifacts, each a job of its own
//! ```
//!
//! Attempts never share a directory until their packages are linked: each links into a staging directory of its own, for
//! the final prefix, and moves it into place after its claim was confirmed once more. So a worker that was taken for lost
//! and comes back cannot write into what another one builds.

mod artifact;
mod attempt;
mod deletion;
mod events;
mod finish;
mod handler;
mod index;
mod journal;
mod log;
mod lost_workers;
mod observer;
mod prefix;
mod request;
mod retention;
mod running;
mod same_artifacts;
mod solve;
mod steps;

pub use self::observer::BuildObserver;
pub(crate) use self::{
    request::{platform, solve_request},
    running::Running,
};

use crate::{Error, model::BuildId};

/// The answer where a build's row is gone.
fn gone(build_id: BuildId) -> Error {
    Error::not_found("find build", "build id does not exist").with("build", build_id)
}
