//! The implementation of [`Authorizer`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use conda_store_core::{
    Result,
    auth::{ArnPattern, Authorizer, Entity, Permission, Role, RoleBindings},
    clock::Clock,
};

use super::RolesConfig;

/// Grants what roles permit, where role bindings say so.
///
/// Whoever is logged in has the configured bindings, overlaid by those of their token: a pattern that both have keeps the
/// token's roles alone.
#[derive(Debug)]
pub struct RoleAuthorizer {
    config: RolesConfig,
    clock: Arc<dyn Clock>,
}

impl RoleAuthorizer {
    /// An authorizer that decides as `config` says.
    #[must_use]
    pub fn new(config: RolesConfig, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock }
    }
}

/// The bindings of all `layers`, where each replaces those of earlier ones that have the same pattern.
fn overlay<'a>(layers: impl IntoIterator<Item = &'a RoleBindings>) -> RoleBindings {
    let mut merged = RoleBindings::new();
    for layer in layers {
        merged.extend(layer.iter().map(|(pattern, roles)| (pattern.clone(), roles.clone())));
    }
    merged
}

#[async_trait]
impl Authorizer for RoleAuthorizer {
    async fn bindings(&self, entity: Option<&Entity>) -> Result<RoleBindings> {
        let now = self.clock.now();
        let present = entity.filter(|entity| entity.expires.is_none_or(|expires| now < expires));
        let Some(entity) = present else { return Ok(self.config.unauthenticated_role_bindings.clone()) };
        Ok(overlay([&self.config.authenticated_role_bindings, &entity.role_bindings]))
    }

    fn permissions(&self, bindings: &RoleBindings) -> BTreeMap<ArnPattern, BTreeSet<Permission>> {
        let of = |(pattern, roles): (&ArnPattern, &BTreeSet<Role>)| (pattern.clone(), self.config.granted(roles));
        bindings.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use conda_store_core::testing::ManualClock;
    use serde_json::json;

    use super::*;

    fn authorizer() -> (RoleAuthorizer, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new());
        (RoleAuthorizer::new(RolesConfig::default(), Arc::<ManualClock>::clone(&clock)), clock)
    }

    fn entity(bindings: serde_json::Value) -> Entity {
        let role_bindings = serde_json::from_value(bindings).unwrap();
        Entity { primary_namespace: "alice".into(), role_bindings, expires: None }
    }

    async fn allows(authorizer: &RoleAuthorizer, entity: Option<&Entity>, arn: &str, permission: Permission) -> bool {
        let (namespace, name) = arn.split_once('/').unwrap();
        let (namespace, name) = (namespace.parse().unwrap(), (name != "*").then(|| name.parse().unwrap()));
        let allowed = authorizer.allows(entity, &namespace, name.as_ref(), &[permission]).await.unwrap();
        let scope = authorizer.scope(entity, permission).await.unwrap();
        let covered = scope.patterns.iter().any(|pattern| pattern.covers(&namespace, name.as_ref()));
        assert_eq!(allowed, covered, "scope and allows differ for {arn}");
        allowed
    }

    #[tokio::test]
    async fn everybody_views_the_default_namespace_and_nothing_else() {
        let (authorizer, _clock) = authorizer();
        for (arn, permission, expected) in [
            ("default/web", Permission::EnvironmentRead, true),
            ("default/*", Permission::NamespaceRead, true),
            ("default/web", Permission::EnvironmentUpdate, false),
            ("filesystem/web", Permission::EnvironmentRead, false),
        ] {
            assert_eq!(allows(&authorizer, None, arn, permission).await, expected, "{arn} {permission}");
        }
    }

    #[tokio::test]
    async fn a_token_adds_to_what_is_configured_and_overrides_the_same_pattern() {
        let (authorizer, _clock) = authorizer();
        let alice = entity(json!({"alice/*": ["admin"], "default/*": [], "*/shared-*": ["editor"]}));
        for (arn, permission, expected) in [
            ("filesystem/web", Permission::EnvironmentRead, true),
            ("alice/web", Permission::EnvironmentDelete, true),
            ("alice/*", Permission::NamespaceDelete, true),
            ("default/web", Permission::EnvironmentRead, false),
            ("bob/shared-x", Permission::EnvironmentUpdate, true),
            ("bob/shared-x", Permission::EnvironmentDelete, false),
            ("bob/*", Permission::NamespaceRead, false),
        ] {
            assert_eq!(allows(&authorizer, Some(&alice), arn, permission).await, expected, "{arn} {permission}");
        }
    }

    #[tokio::test]
    async fn each_permission_may_come_from_another_binding_but_all_are_needed() {
        let (authorizer, _clock) = authorizer();
        let alice = entity(json!({"alice/*": ["viewer"], "*/web": ["developer"]}));
        let (namespace, name) = ("alice".parse().unwrap(), "web".parse().unwrap());
        let ask = async |permissions: &[Permission]| {
            authorizer.allows(Some(&alice), &namespace, Some(&name), permissions).await.unwrap()
        };
        assert!(ask(&[Permission::EnvironmentRead, Permission::EnvironmentUpdate]).await);
        assert!(!ask(&[Permission::EnvironmentRead, Permission::EnvironmentDelete]).await);
    }

    #[tokio::test]
    async fn whose_time_is_over_is_nobody() {
        let (authorizer, clock) = authorizer();
        let mut alice = entity(json!({"*/*": ["admin"]}));
        alice.expires = Some(clock.now().after(Duration::from_mins(1)));
        assert!(allows(&authorizer, Some(&alice), "alice/web", Permission::EnvironmentDelete).await);
        clock.advance(Duration::from_mins(1));
        assert!(!allows(&authorizer, Some(&alice), "alice/web", Permission::EnvironmentDelete).await);
        assert!(allows(&authorizer, Some(&alice), "default/web", Permission::EnvironmentRead).await);
    }
}
