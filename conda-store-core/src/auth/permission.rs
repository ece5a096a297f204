//! What can be permitted.

use std::{fmt, str::FromStr};

use crate::{Error, Result};

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

impl Permission {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::EnvironmentCreate,
        Self::EnvironmentRead,
        Self::EnvironmentUpdate,
        Self::EnvironmentDelete,
        Self::EnvironmentSolve,
        Self::BuildCancel,
        Self::BuildDelete,
        Self::NamespaceCreate,
        Self::NamespaceRead,
        Self::NamespaceUpdate,
        Self::NamespaceDelete,
        Self::RoleMappingCreate,
        Self::RoleMappingRead,
        Self::RoleMappingUpdate,
        Self::RoleMappingDelete,
        Self::SettingRead,
        Self::SettingUpdate,
    ];

    /// The name on the wire and in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            // One colon: the original's spelling, which clients compare with.
            Self::EnvironmentCreate => "environment:create",
            Self::EnvironmentRead => "environment::read",
            Self::EnvironmentUpdate => "environment::update",
            Self::EnvironmentDelete => "environment::delete",
            Self::EnvironmentSolve => "environment::solve",
            Self::BuildCancel => "build::cancel",
            Self::BuildDelete => "build::delete",
            Self::NamespaceCreate => "namespace::create",
            Self::NamespaceRead => "namespace::read",
            Self::NamespaceUpdate => "namespace::update",
            Self::NamespaceDelete => "namespace::delete",
            Self::RoleMappingCreate => "namespace-role-mapping::create",
            Self::RoleMappingRead => "namespace-role-mapping::read",
            Self::RoleMappingUpdate => "namespace-role-mapping::update",
            Self::RoleMappingDelete => "namespace-role-mapping::delete",
            Self::SettingRead => "setting::read",
            Self::SettingUpdate => "setting::update",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid("read permission", format!("{text:?} is no permission; known are {known}"))
        })
    }
}
