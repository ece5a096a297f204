//! `GET /api/v1/`: what serves this API.

use serde::Serialize;

use crate::answer::Data;

/// What the service says about itself.
#[derive(Serialize)]
pub(crate) struct Status {
    version: &'static str,
}

pub(crate) async fn handle() -> Data<Status> {
    Data(Status { version: env!("CARGO_PKG_VERSION") })
}
