//! Who may do what.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use async_trait::async_trait;

use super::{ArnPattern, Entity, Permission, RoleBindings};
use crate::{
    Result,
    model::{EnvironmentName, NamespaceName},
};

/// What a list may show: the environments (and namespaces) that one of the patterns covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The patterns; none means nothing.
    pub patterns: BTreeSet<ArnPattern>,
}

impl Scope {
    /// Everything, for the service's own work.
    #[must_use]
    pub fn everything() -> Self {
        Self { patterns: BTreeSet::from([ArnPattern::everything()]) }
    }

    /// Whether it leaves nothing out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.parts() == ("*", "*"))
    }
}

/// Decides who may do what.
///
/// # Contract
/// - `None` for the entity is somebody who is not logged in, and may do what the unauthenticated bindings say.
/// - [`allows`](Self::allows) is true only if some binding that covers the resource grants each permission.
/// - [`scope`](Self::scope) covers a resource exactly where [`allows`](Self::allows) would be true for it.
/// - [`may_hand_on`](Self::may_hand_on) is true only if whoever gets the bindings may then do nothing that `entity` may not.
/// - An entity whose time is over is treated as nobody.
#[async_trait]
pub trait Authorizer: fmt::Debug + Send + Sync + 'static {
    /// All role bindings in effect for `entity`.
    async fn bindings(&self, entity: Option<&Entity>) -> Result<RoleBindings>;

    /// The permissions that each pattern of `bindings` grants.
    fn permissions(&self, bindings: &RoleBindings) -> BTreeMap<ArnPattern, BTreeSet<Permission>>;

    /// Whether `entity` has every one of `permissions` on the environment, or on the namespace where `name` is none.
    async fn allows(
        &self,
        entity: Option<&Entity>,
        namespace: &NamespaceName,
        name: Option<&EnvironmentName>,
        permissions: &[Permission],
    ) -> Result<bool> {
        let granted = self.permissions(&self.bindings(entity).await?);
        Ok(permissions.iter().all(|permission| {
            granted
                .iter()
                .any(|(pattern, permissions)| permissions.contains(permission) && pattern.covers(namespace, name))
        }))
    }

    /// Where `entity` has `permission`.
    async fn scope(&self, entity: Option<&Entity>, permission: Permission) -> Result<Scope> {
        let granted = self.permissions(&self.bindings(entity).await?);
        let patterns = granted
            .into_iter()
            .filter(|(_, permissions)| permissions.contains(&permission))
            .map(|(pattern, _)| pattern);
        Ok(Scope { patterns: patterns.collect() })
    }

    /// Whether `entity` may do itself, everywhere, what `bindings` permit, and so may give them to somebody else.
    async fn may_hand_on(&self, entity: Option<&Entity>, bindings: &RoleBindings) -> Result<bool> {
        let own = self.permissions(&self.bindings(entity).await?);
        let has = |pattern: &ArnPattern, permission| {
            own.iter().any(|(wider, permissions)| permissions.contains(permission) && wider.contains(pattern))
        };
        let given = self.permissions(bindings);
        Ok(given.iter().all(|(pattern, permissions)| permissions.iter().all(|permission| has(pattern, permission))))
    }
}
