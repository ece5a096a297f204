//! What can be set.

use std::collections::{BTreeMap, BTreeSet};

use conda_store_core::{
    Error, Result,
    auth::{ArnPattern, Permission, Role, RoleBindings},
};
use serde::{Deserialize, Deserializer, de};

/// Settings of [`RoleAuthorizer`](super::RoleAuthorizer): the section `AuthorizationBackend`, also called
/// `RBACAuthorizationBackend`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolesConfig {
    /// What each role permits; a role that is missing permits nothing.
    #[serde(deserialize_with = "role_mappings")]
    pub role_mappings: BTreeMap<Role, BTreeSet<Permission>>,
    /// The roles of everybody who is not logged in.
    pub unauthenticated_role_bindings: RoleBindings,
    /// The roles of everybody who is logged in.
    pub authenticated_role_bindings: RoleBindings,
    /// Which of the role mappings in the database count.
    pub role_mappings_version: RoleMappingsVersion,
}

/// A form of the role mappings in the database: `1` or `2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoleMappingsVersion {
    /// A namespace says where those whose own it is have which roles.
    Patterns,
    /// A namespace says which roles those have in it whose own other namespaces are.
    #[default]
    Namespaces,
}

impl<'de> Deserialize<'de> for RoleMappingsVersion {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        match u64::deserialize(source)? {
            1 => Ok(Self::Patterns),
            2 => Ok(Self::Namespaces),
            other => Err(de::Error::invalid_value(de::Unexpected::Unsigned(other), &"a version from 1 to 2")),
        }
    }
}

impl Default for RolesConfig {
    /// The documented defaults: viewers read, developers build, administrators do everything; everybody views `default`,
    /// and whoever is logged in `filesystem` too.
    fn default() -> Self {
        let all = |namespaces: &[&str]| namespaces.iter().filter_map(|text| view(text)).collect();
        Self {
            role_mappings: BTreeMap::from([
                (Role::Viewer, viewer().collect()),
                (Role::Developer, viewer().chain(developer()).collect()),
                (Role::Admin, Permission::ALL.into()),
            ]),
            unauthenticated_role_bindings: all(&["default/*"]),
            authenticated_role_bindings: all(&["default/*", "filesystem/*"]),
            role_mappings_version: RoleMappingsVersion::default(),
        }
    }
}

impl RolesConfig {
    /// What any of `roles` permits.
    pub(super) fn granted(&self, roles: &BTreeSet<Role>) -> BTreeSet<Permission> {
        roles.iter().filter_map(|role| self.role_mappings.get(role)).flatten().copied().collect()
    }
}

fn view(pattern: &str) -> Option<(ArnPattern, BTreeSet<Role>)> {
    Some((pattern.parse().ok()?, [Role::Viewer].into()))
}

fn viewer() -> impl Iterator<Item = Permission> {
    [Permission::EnvironmentRead, Permission::NamespaceRead, Permission::RoleMappingRead].into_iter()
}

fn developer() -> impl Iterator<Item = Permission> {
    [
        Permission::BuildCancel,
        Permission::EnvironmentCreate,
        Permission::EnvironmentUpdate,
        Permission::EnvironmentSolve,
        Permission::SettingRead,
    ]
    .into_iter()
}

/// Reads roles and permissions by their names; `editor` and `developer` are one role, so only one of them may be there.
fn role_mappings<'de, D: Deserializer<'de>>(source: D) -> Result<BTreeMap<Role, BTreeSet<Permission>>, D::Error> {
    let written = BTreeMap::<String, BTreeSet<String>>::deserialize(source)?;
    let mut mappings = BTreeMap::new();
    for (name, permissions) in written {
        let role: Role = name.parse().map_err(de::Error::custom)?;
        let permissions: Result<_> = permissions.iter().map(|permission| permission.parse()).collect();
        if mappings.insert(role, permissions.map_err(de::Error::custom)?).is_some() {
            let message = format!("the role {} is mapped twice, editor is another name of it", role.as_str());
            return Err(de::Error::custom(Error::invalid("read configuration", message)));
        }
    }
    Ok(mappings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = RolesConfig::default();
        let names = |role| config.role_mappings[&role].iter().map(|permission| permission.as_str()).collect::<Vec<_>>();
        assert_eq!(names(Role::Viewer), ["environment::read", "namespace::read", "namespace-role-mapping::read"]);
        assert_eq!(
            names(Role::Developer),
            [
                "environment:create",
                "environment::read",
                "environment::update",
                "environment::solve",
                "build::cancel",
                "namespace::read",
                "namespace-role-mapping::read",
                "setting::read",
            ]
        );
        assert_eq!(names(Role::Admin).len(), 17);
        let bindings = serde_json::to_value(&config.authenticated_role_bindings).unwrap();
        assert_eq!(bindings, json!({"default/*": ["viewer"], "filesystem/*": ["viewer"]}));
        let bindings = serde_json::to_value(&config.unauthenticated_role_bindings).unwrap();
        assert_eq!(bindings, json!({"default/*": ["viewer"]}));
    }

    #[test]
    fn reads_names_and_refuses_contradictions() {
        let config: RolesConfig =
            serde_json::from_value(json!({"role_mappings": {"editor": ["environment:create"]}})).unwrap();
        let expected = BTreeMap::from([(Role::Developer, [Permission::EnvironmentCreate].into())]);
        assert_eq!(config.role_mappings, expected);
        for (wrong, reason) in [
            (json!({"role_mappings": {"editor": [], "developer": []}}), "mapped twice"),
            (json!({"role_mappings": {"owner": []}}), "\"owner\" is no role"),
            (json!({"role_mappings": {"viewer": ["environment::create"]}}), "is no permission"),
            (json!({"authenticated_role_bindings": {"default": ["viewer"]}}), "NAMESPACE/NAME"),
            (json!({"role_mapping": {}}), "unknown field"),
            (json!({"role_mappings_version": 3}), "from 1 to 2"),
        ] {
            let error = serde_json::from_value::<RolesConfig>(wrong).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
