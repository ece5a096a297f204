//! The implementation of [`Authorizer`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use conda_store_core::{
    Result,
    auth::{ArnPattern, Authorizer, Entity, Permission, Role, RoleBindings},
    catalogue::Catalogue,
    clock::Clock,
};

use super::{RoleMappingsVersion, RolesConfig};

/// Grants what roles permit, where role bindings say so.
///
/// Whoever is logged in has the configured bindings, overlaid by those of their token, overlaid by those that the database
/// has for the namespace that is theirs: a pattern that several have keeps the last one's roles alone.
#[derive(Debug)]
pub struct RoleAuthorizer {
    config: RolesConfig,
    catalogue: Catalogue,
    clock: Arc<dyn Clock>,
}

impl RoleAuthorizer {
    /// An authorizer that decides as `config` and the role mappings in `catalogue` say.
    #[must_use]
    pub fn new(config: RolesConfig, catalogue: Catalogue, clock: Arc<dyn Clock>) -> Self {
        Self { config, catalogue, clock }
    }

    async fn stored(&self, entity: &Entity) -> Result<RoleBindings> {
        match self.config.role_mappings_version {
            RoleMappingsVersion::Patterns => self.catalogue.role_bindings_v1(&entity.primary_namespace).await,
            RoleMappingsVersion::Namespaces => self.catalogue.role_bindings_v2(&entity.primary_namespace).await,
        }
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
        let stored = self.stored(entity).await?;
        Ok(overlay([&self.config.authenticated_role_bindings, &entity.role_bindings, &stored]))
    }

    fn permissions(&self, bindings: &RoleBindings) -> BTreeMap<ArnPattern, BTreeSet<Permission>> {
        let of = |(pattern, roles): (&ArnPattern, &BTreeSet<Role>)| (pattern.clone(), self.config.granted(roles));
        bindings.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use conda_store_core::{catalogue::Database, model::NamespaceName, testing::ManualClock};
    use serde_json::json;

    use super::*;

    async fn authorizer() -> (RoleAuthorizer, Arc<ManualClock>) {
        authorizer_of(RoleMappingsVersion::default()).await
    }

    async fn authorizer_of(version: RoleMappingsVersion) -> (RoleAuthorizer, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new());
        let shared = || Arc::<ManualClock>::clone(&clock);
        let catalogue = Catalogue::new(Database::connect("sqlite::memory:").await.unwrap(), shared());
        catalogue.migrate().await.unwrap();
        let config = RolesConfig { role_mappings_version: version, ..RolesConfig::default() };
        (RoleAuthorizer::new(config, catalogue, shared()), clock)
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
        let (authorizer, _clock) = authorizer().await;
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
        let (authorizer, _clock) = authorizer().await;
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
        let (authorizer, _clock) = authorizer().await;
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
        let (authorizer, clock) = authorizer().await;
        let mut alice = entity(json!({"*/*": ["admin"]}));
        alice.expires = Some(clock.now().after(Duration::from_mins(1)));
        assert!(allows(&authorizer, Some(&alice), "alice/web", Permission::EnvironmentDelete).await);
        clock.advance(Duration::from_mins(1));
        assert!(!allows(&authorizer, Some(&alice), "alice/web", Permission::EnvironmentDelete).await);
        assert!(allows(&authorizer, Some(&alice), "default/web", Permission::EnvironmentRead).await);
    }

    #[tokio::test]
    async fn version_1_gives_roles_wherever_a_pattern_says() {
        let (authorizer, _clock) = authorizer_of(RoleMappingsVersion::Patterns).await;
        let catalogue = &authorizer.catalogue;
        let own: NamespaceName = "alice".parse().unwrap();
        catalogue.create_namespace(&own).await.unwrap();
        let stored = json!({"a-*/*": ["viewer", "developer"], "team/*": ["viewer"]});
        let stored = serde_json::from_value(stored).unwrap();
        catalogue.update_namespace(&own, None, Some(&stored)).await.unwrap();
        let (alice, mut bob) = (entity(json!({"team/*": ["admin"]})), entity(json!({})));
        bob.primary_namespace = "bob".into();
        for (who, arn, permission, expected) in [
            (&alice, "a-x/web", Permission::EnvironmentUpdate, true),
            (&alice, "a-x/*", Permission::NamespaceRead, true),
            (&alice, "a-x/*", Permission::NamespaceDelete, false),
            (&alice, "b/web", Permission::EnvironmentRead, false),
            // What the database says of a pattern replaces what the token says.
            (&alice, "team/web", Permission::EnvironmentRead, true),
            (&alice, "team/web", Permission::EnvironmentDelete, false),
            (&bob, "a-x/web", Permission::EnvironmentRead, false),
        ] {
            assert_eq!(allows(&authorizer, Some(who), arn, permission).await, expected, "{arn} {permission}");
        }
    }

    #[tokio::test]
    async fn version_2_gives_roles_in_the_namespace_that_says_so() {
        let (authorizer, _clock) = authorizer().await;
        let catalogue = &authorizer.catalogue;
        let (alice, team): (NamespaceName, NamespaceName) = ("alice".parse().unwrap(), "team".parse().unwrap());
        for name in [&alice, &team] {
            catalogue.create_namespace(name).await.unwrap();
        }
        catalogue.create_namespace_role(&team, &alice, Role::Developer).await.unwrap();
        let caller = entity(json!({}));
        let may = async |permission| allows(&authorizer, Some(&caller), "team/web", permission).await;
        assert!(may(Permission::EnvironmentUpdate).await && !may(Permission::EnvironmentDelete).await);
        assert!(!allows(&authorizer, None, "team/web", Permission::EnvironmentRead).await);
        catalogue.update_namespace_role(&team, &alice, Role::Viewer).await.unwrap();
        assert!(may(Permission::EnvironmentRead).await && !may(Permission::EnvironmentUpdate).await);
        catalogue.delete_namespace(&team).await.unwrap();
        catalogue.create_namespace(&team).await.unwrap();
        assert!(!may(Permission::EnvironmentRead).await, "what was given in a deleted namespace is not given again");
    }

    #[tokio::test]
    async fn nobody_hands_on_more_than_they_have() {
        let (authorizer, _clock) = authorizer().await;
        let alice = entity(json!({"a-*/*": ["admin"], "team/web": ["developer"]}));
        for (given, expected) in [
            (json!({}), true),
            (json!({"a-x/*": ["admin"], "default/*": ["viewer"]}), true),
            (json!({"a-*/*": ["viewer"], "a-*/b-*": ["admin"]}), true),
            (json!({"team/web": ["viewer"]}), true),
            (json!({"team/web": ["admin"]}), false),
            (json!({"team/*": ["viewer"]}), false),
            (json!({"a*/*": ["viewer"]}), false),
            (json!({"*/*": ["viewer"]}), false),
            (json!({"default/*": ["developer"]}), false),
        ] {
            let bindings = serde_json::from_value(given.clone()).unwrap();
            assert_eq!(authorizer.may_hand_on(Some(&alice), &bindings).await.unwrap(), expected, "{given}");
        }
    }
}
