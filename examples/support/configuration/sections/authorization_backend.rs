//! The section `AuthorizationBackend`: what roles permit, and who has them.

use std::collections::{BTreeMap, BTreeSet};

use conda_store_auth::{RoleMappingsVersion, RolesConfig};
use conda_store_core::auth::{Role, RoleBindings};
use serde::Deserialize;

use super::Section;
use crate::configuration::value::PermissionName;

/// The section `AuthorizationBackend`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthorizationBackend {
    /// What each role permits; a role that is missing permits nothing.
    pub role_mappings: BTreeMap<Role, BTreeSet<PermissionName>>,
    /// Roles of everybody who is not logged in.
    pub unauthenticated_role_bindings: RoleBindings,
    /// Roles of everybody who is logged in.
    pub authenticated_role_bindings: RoleBindings,
    /// Which of the role mappings in the database count.
    pub role_mappings_version: RoleMappingsVersion,
}

impl AuthorizationBackend {
    /// The section as the authorizer takes it.
    #[must_use]
    pub fn roles(&self) -> RolesConfig {
        let mappings = self.role_mappings.iter();
        RolesConfig {
            role_mappings: mappings.map(|(role, names)| (*role, names.iter().map(|name| name.0).collect())).collect(),
            unauthenticated_role_bindings: self.unauthenticated_role_bindings.clone(),
            authenticated_role_bindings: self.authenticated_role_bindings.clone(),
            role_mappings_version: self.role_mappings_version,
        }
    }
}

impl Default for AuthorizationBackend {
    fn default() -> Self {
        let roles = RolesConfig::default();
        let names = |permissions: BTreeSet<_>| permissions.into_iter().map(PermissionName).collect();
        let mappings = roles.role_mappings.into_iter();
        Self {
            role_mappings: mappings.map(|(role, permissions)| (role, names(permissions))).collect(),
            unauthenticated_role_bindings: roles.unauthenticated_role_bindings,
            authenticated_role_bindings: roles.authenticated_role_bindings,
            role_mappings_version: roles.role_mappings_version,
        }
    }
}

impl Section for AuthorizationBackend {
    const NAME: &'static str = "AuthorizationBackend";
}
