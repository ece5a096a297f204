//! `GET /api/v1/`: what serves this API.

use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Data, Envelope};

/// What the service says about itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct About {
    version: &'static str,
}

/// What serves this API.
#[utoipa::path(
    get,
    path = "/",
    tag = "service",
    responses((status = OK, body = Envelope<About>)),
)]
pub(crate) async fn handle() -> Data<About> {
    Data(About { version: env!("CARGO_PKG_VERSION") })
}
