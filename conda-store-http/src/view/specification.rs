//! A specification.

use conda_store_core::{catalogue::StoredSpecification, clock::Timestamp, model::SpecificationId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::schema;

/// A specification as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SpecificationView {
    #[schema(value_type = i32)]
    id: SpecificationId,
    name: String,
    /// The specification as it is kept: an `environment.yaml`, or one with a lockfile in it.
    #[schema(value_type = Object)]
    spec: serde_json::Value,
    /// The hash that builds are named by.
    sha256: String,
    #[schema(value_type = Option<schema::Moment>)]
    created_on: Option<Timestamp>,
}

impl From<StoredSpecification> for SpecificationView {
    fn from(stored: StoredSpecification) -> Self {
        let StoredSpecification { id, name, spec, sha256, created_on, .. } = stored;
        Self { id, name, spec, sha256, created_on }
    }
}
