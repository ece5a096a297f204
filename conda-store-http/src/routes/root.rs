//! `GET /`: that there is something, for probes that ask for nothing in particular. It answers outside of the prefix too.

use crate::answer::{Acknowledged, Acknowledgement};

/// That the service is there.
#[utoipa::path(get, path = "/", tag = "service", responses((status = OK, body = Acknowledged)))]
pub(crate) async fn handle() -> Acknowledgement {
    Acknowledgement(None)
}
