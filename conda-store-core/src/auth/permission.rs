//! What can be permitted.

use crate::text::texts;

/// One permission, under the name that the original gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Create an environment.
    EnvironmentCreate,
    /// Read an environment, its builds and artifacts.
    EnvironmentRead,
    /// Change an environment.
    EnvironmentUpdate,
    /// Delete an environment.
    EnvironmentDelete,
    /// Solve a specification.
    EnvironmentSolve,
    /// Cancel a build.
    BuildCancel,
    /// Delete a build.
    BuildDelete,
    /// Create a namespace.
    NamespaceCreate,
    /// Read a namespace.
    NamespaceRead,
    /// Change a namespace.
    NamespaceUpdate,
    /// Delete a namespace.
    NamespaceDelete,
    /// Create a role mapping.
    RoleMappingCreate,
    /// Read role mappings.
    RoleMappingRead,
    /// Change a role mapping.
    RoleMappingUpdate,
    /// Delete role mappings.
    RoleMappingDelete,
    /// Read settings.
    SettingRead,
    /// Change settings.
    SettingUpdate,
}

texts!(Permission, "permission", {
    // One colon: the original's spelling, which clients compare with.
    EnvironmentCreate = "environment:create",
    EnvironmentRead = "environment::read",
    EnvironmentUpdate = "environment::update",
    EnvironmentDelete = "environment::delete",
    EnvironmentSolve = "environment::solve",
    BuildCancel = "build::cancel",
    BuildDelete = "build::delete",
    NamespaceCreate = "namespace::create",
    NamespaceRead = "namespace::read",
    NamespaceUpdate = "namespace::update",
    NamespaceDelete = "namespace::delete",
    RoleMappingCreate = "namespace-role-mapping::create",
    RoleMappingRead = "namespace-role-mapping::read",
    RoleMappingUpdate = "namespace-role-mapping::update",
    RoleMappingDelete = "namespace-role-mapping::delete",
    SettingRead = "setting::read",
    SettingUpdate = "setting::update",
});
