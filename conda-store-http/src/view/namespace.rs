//! A namespace.

use conda_store_core::{
    catalogue::Namespace,
    model::{NamespaceId, NamespaceName},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::schema;

/// A namespace as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamespaceView {
    #[schema(value_type = i32)]
    id: NamespaceId,
    #[schema(value_type = schema::Name)]
    name: NamespaceName,
    metadata_: serde_json::Value,
    /// Empty: bindings come from the configuration and from tokens.
    #[schema(value_type = Vec<Object>)]
    role_mappings: [(); 0],
}

impl From<Namespace> for NamespaceView {
    fn from(namespace: Namespace) -> Self {
        Self { id: namespace.id, name: namespace.name, metadata_: namespace.metadata, role_mappings: [] }
    }
}
