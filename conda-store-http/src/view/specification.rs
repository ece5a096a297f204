//! A specification.

use conda_store_core::{catalogue::StoredSpecification, clock::Timestamp, model::SpecificationId};
use serde::Serialize;

/// A specification as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct SpecificationView {
    id: SpecificationId,
    name: String,
    spec: serde_json::Value,
    sha256: String,
    created_on: Option<Timestamp>,
}

impl From<StoredSpecification> for SpecificationView {
    fn from(stored: StoredSpecification) -> Self {
        let StoredSpecification { id, name, spec, sha256, created_on, .. } = stored;
        Self { id, name, spec, sha256, created_on }
    }
}
