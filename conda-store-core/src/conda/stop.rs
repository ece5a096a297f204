//! The end of a solve that takes too long or that nobody wants any more.

use std::{future::Future, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{Error, ErrorKind, Result, solver::SolveRequest};

const OPERATION: &str = "solve environment";

/// Waits for `work`, at most until `cancellation` or for the time limit of `request`; then drops it.
pub(super) async fn unless_stopped<T>(
    request: &SolveRequest,
    cancellation: &CancellationToken,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        biased;
        () = cancellation.cancelled() => Err(Error::new(ErrorKind::Cancelled, OPERATION, "the solve was canceled")),
        () = tokio::time::sleep(request.time_limit) => Err(timed_out(request.time_limit)),
        outcome = work => outcome,
    }
}

fn timed_out(limit: Duration) -> Error {
    let message = format!("the solve was not done within its time limit of {} s", limit.as_secs_f64());
    Error::new(ErrorKind::Timeout, OPERATION, message)
}
