//! A namespace.

use conda_store_core::{
    catalogue::Namespace,
    model::{NamespaceId, NamespaceName},
};
use serde::Serialize;

/// A namespace as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct NamespaceView {
    id: NamespaceId,
    name: NamespaceName,
    metadata_: serde_json::Value,
    /// Empty: bindings come from the configuration and from tokens.
    role_mappings: [(); 0],
}

impl From<Namespace> for NamespaceView {
    fn from(namespace: Namespace) -> Self {
        Self { id: namespace.id, name: namespace.name, metadata_: namespace.metadata, role_mappings: [] }
    }
}
