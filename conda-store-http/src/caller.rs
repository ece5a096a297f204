//! Who sends a request, and what they may do with what it names.

use axum::extract::FromRequestParts;
use conda_store_core::{
    Error, ErrorKind,
    auth::{ArnPattern, Entity, Permission, Role, RoleBindings, Scope},
    catalogue::{Environment, Namespace, Token},
    model::{Build, BuildId, EnvironmentName, NamespaceName, TokenId},
    settings::SettingPlace,
};
use http::{Request, header, request::Parts};

use crate::{
    error::{Answer, Failure},
    face::Face,
};

/// The field of a request's log lines that says who sent it: their namespace, which is what entities are told apart by.
pub(crate) const ENTITY: &str = "entity";

/// Whoever sends the request, logged in or not.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) face: Face,
    pub(crate) entity: Option<Entity>,
}

impl FromRequestParts<Face> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Answer<Self> {
        let entity = face.authenticator().authenticate(parts).await?;
        if let Some(entity) = &entity {
            tracing::Span::current().record(ENTITY, entity.primary_namespace.as_str());
        }
        Ok(Self { face: face.clone(), entity })
    }
}

impl Caller {
    /// Whether they have all `permissions` on the environment, or on the namespace where `name` is none.
    pub(crate) async fn may(
        &self,
        namespace: &NamespaceName,
        name: Option<&EnvironmentName>,
        permissions: &[Permission],
    ) -> Answer<bool> {
        Ok(self.face.authorizer().allows(self.entity.as_ref(), namespace, name, permissions).await?)
    }

    /// Refuses whoever lacks one of `permissions`.
    pub(crate) async fn require(
        &self,
        namespace: &NamespaceName,
        name: Option<&EnvironmentName>,
        permissions: &[Permission],
    ) -> Answer<()> {
        if self.may(namespace, name, permissions).await? { Ok(()) } else { Err(Failure::forbidden()) }
    }

    /// What lists show them.
    pub(crate) async fn scope(&self, permission: Permission) -> Answer<Scope> {
        Ok(self.face.authorizer().scope(self.entity.as_ref(), permission).await?)
    }

    /// What lists show to the bearer of `token`, where there is one: to nobody in particular, where it is not good.
    pub(crate) async fn scope_of(&self, permission: Permission, token: Option<&str>) -> Answer<Option<Scope>> {
        let Some(token) = token else { return Ok(None) };
        let bearer = Request::builder().header(header::AUTHORIZATION, format!("Bearer {token}")).body(());
        let bearer = match bearer {
            Ok(request) => self.face.authenticator().authenticate(&request.into_parts().0).await?,
            // Text that fits no header is no token.
            Err(_) => None,
        };
        Ok(Some(self.face.authorizer().scope(bearer.as_ref(), permission).await?))
    }

    /// Whoever is logged in.
    pub(crate) fn logged_in(&self) -> Answer<&Entity> {
        self.entity.as_ref().ok_or_else(Failure::unauthenticated)
    }

    /// The namespace that is theirs; the installation's default for whoever has none.
    pub(crate) async fn primary_namespace(&self) -> Answer<NamespaceName> {
        match self.entity.as_ref().map(|entity| entity.primary_namespace.as_str()) {
            None | Some("") => Ok(self.face.default_namespace().await?),
            Some(own) => Ok(own.parse()?),
        }
    }

    /// What answers a request for something that does not exist: that it is missing, to somebody who may read everything;
    /// nobody else learns whether it exists.
    pub(crate) async fn missing(&self, message: &str) -> Answer<Failure> {
        let reads_all = self.may_everywhere(Permission::EnvironmentRead).await?;
        Ok(if reads_all { Failure::missing(message) } else { Failure::forbidden() })
    }

    /// The namespace, if they have all `permissions` on it.
    pub(crate) async fn namespace(&self, name: &NamespaceName, permissions: &[Permission]) -> Answer<Namespace> {
        self.require(name, None, permissions).await?;
        let found = self.face.store().catalogue().namespace(name).await?;
        found.ok_or_else(|| Failure::missing("namespace does not exist"))
    }

    /// Refuses whoever would give roles that permit more than they may do themselves.
    pub(crate) async fn require_to_hand_on(&self, bindings: &RoleBindings) -> Answer<()> {
        if self.face.authorizer().may_hand_on(self.entity.as_ref(), bindings).await? {
            return Ok(());
        }
        let message = "nobody can give roles that permit more than they may do themselves";
        Err(Error::new(ErrorKind::Forbidden, "authorize request", message).into())
    }

    /// Whether they may do everything everywhere.
    pub(crate) async fn may_everything(&self) -> Answer<bool> {
        let everything = [(ArnPattern::everything(), [Role::Admin].into())].into();
        Ok(self.face.authorizer().may_hand_on(self.entity.as_ref(), &everything).await?)
    }

    /// Refuses whoever may not do everything everywhere.
    pub(crate) async fn require_everything(&self) -> Answer<()> {
        if self.may_everything().await? { Ok(()) } else { Err(Failure::forbidden()) }
    }

    /// The token, if they asked for it or may do everything; nobody else learns whether it exists.
    pub(crate) async fn token(&self, id: Option<TokenId>) -> Answer<Token> {
        let own = &self.logged_in()?.primary_namespace;
        let found = match id {
            Some(id) => self.face.store().catalogue().token(id).await?,
            None => None,
        };
        match found {
            Some(token) if token.owner == *own => Ok(token),
            found if self.may_everything().await? => found.ok_or_else(|| Failure::missing(NO_SUCH_TOKEN)),
            _ => Err(Failure::forbidden()),
        }
    }

    /// Whether they have `permission` on everything.
    async fn may_everywhere(&self, permission: Permission) -> Answer<bool> {
        let scope = self.scope(permission).await?;
        Ok(Scope::everything().patterns.is_subset(&scope.patterns))
    }

    /// Refuses whoever lacks `permission` at the place that settings are for.
    pub(crate) async fn require_at(&self, place: SettingPlace<'_>, permission: Permission) -> Answer<()> {
        match place {
            SettingPlace::Global if self.may_everywhere(permission).await? => Ok(()),
            SettingPlace::Global => Err(Failure::forbidden()),
            SettingPlace::Namespace(namespace) => self.require(namespace, None, &[permission]).await,
            SettingPlace::Environment(namespace, name) => self.require(namespace, Some(name), &[permission]).await,
        }
    }

    /// The environment, if they have `permission` on it.
    pub(crate) async fn environment(
        &self,
        namespace: &NamespaceName,
        name: &EnvironmentName,
        permission: Permission,
    ) -> Answer<Environment> {
        self.require(namespace, Some(name), &[permission]).await?;
        let found = self.face.store().catalogue().environment(namespace, name).await?;
        found.ok_or_else(|| Failure::missing("environment does not exist"))
    }

    /// The build, if they have `permission` on its environment; `None` is an id that no build can have.
    pub(crate) async fn build(&self, id: Option<BuildId>, permission: Permission) -> Answer<Build> {
        let found = match id {
            Some(id) => self.face.store().catalogue().build(id).await?,
            None => None,
        };
        let Some(build) = found else { return Err(self.missing(NO_SUCH_BUILD).await?) };
        self.require(&build.namespace, Some(&build.environment), &[permission]).await?;
        Ok(build)
    }
}

/// What answers for an id that no build has.
pub(crate) const NO_SUCH_BUILD: &str = "build id does not exist";

/// What answers for an id that no token has.
pub(crate) const NO_SUCH_TOKEN: &str = "token does not exist";
