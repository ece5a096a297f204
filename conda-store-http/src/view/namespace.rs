//! A namespace, and the roles that it gives.

use std::collections::BTreeMap;

use conda_store_core::{
    auth::{ArnPattern, Role},
    catalogue::{Namespace, NamespaceRole, RoleMapping},
    model::{NamespaceId, NamespaceName, RoleMappingId},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::schema;

/// A role that those have somewhere whose own the namespace is.
#[derive(Debug, Serialize, ToSchema)]
struct RoleMappingView {
    #[schema(value_type = i32)]
    id: RoleMappingId,
    /// Where: a pattern `NAMESPACE/NAME`.
    #[schema(value_type = String)]
    entity: ArnPattern,
    #[schema(value_type = String)]
    role: Role,
}

impl From<RoleMapping> for RoleMappingView {
    fn from(mapping: RoleMapping) -> Self {
        Self { id: mapping.id, entity: mapping.entity, role: mapping.role }
    }
}

/// A namespace as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamespaceView {
    #[schema(value_type = i32)]
    id: NamespaceId,
    #[schema(value_type = schema::Name)]
    name: NamespaceName,
    metadata_: serde_json::Value,
    /// Empty where the namespace is shown as that of an environment.
    role_mappings: Vec<RoleMappingView>,
}

impl NamespaceView {
    /// The namespace with its share of `mappings`.
    pub(crate) fn new(namespace: Namespace, mappings: &mut BTreeMap<NamespaceId, Vec<RoleMapping>>) -> Self {
        let own = mappings.remove(&namespace.id).unwrap_or_default();
        Self { role_mappings: own.into_iter().map(RoleMappingView::from).collect(), ..namespace.into() }
    }
}

impl From<Namespace> for NamespaceView {
    fn from(namespace: Namespace) -> Self {
        Self { id: namespace.id, name: namespace.name, metadata_: namespace.metadata, role_mappings: Vec::new() }
    }
}

/// A role that those have in the namespace whose own another one is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamespaceRoleView {
    #[schema(value_type = i32)]
    id: RoleMappingId,
    #[schema(value_type = schema::Name)]
    namespace: NamespaceName,
    #[schema(value_type = schema::Name)]
    other_namespace: NamespaceName,
    #[schema(value_type = String)]
    role: Role,
}

impl From<NamespaceRole> for NamespaceRoleView {
    fn from(role: NamespaceRole) -> Self {
        Self { id: role.id, namespace: role.namespace, other_namespace: role.other_namespace, role: role.role }
    }
}
