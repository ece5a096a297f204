//! `POST /api/v1/token/`: a token for whoever asks, or for somebody who may do no more.

use std::collections::{BTreeMap, BTreeSet};

use conda_store_core::{
    Error,
    auth::{ArnPattern, Entity, Role, TokenRequest},
    clock::Timestamp,
    model::TokenId,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::{Answer, Failure},
    openapi::{BadInput, Unauthenticated},
    request::{JsonBody, role_bindings, token_name},
};

/// What the token is to say. What is left out is as with the caller.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Wish {
    /// The namespace that its bearer has as their own.
    primary_namespace: Option<String>,
    /// When it stops being valid: ISO 8601, in UTC where it names no zone. The same as `exp`.
    #[serde(alias = "exp")]
    #[schema(value_type = Option<String>)]
    expiration: Option<Timestamp>,
    /// The roles that it brings, by `NAMESPACE/NAME` patterns.
    #[schema(value_type = Option<BTreeMap<String, Vec<String>>>)]
    role_bindings: Option<BTreeMap<String, BTreeSet<String>>>,
    /// What it is called in lists.
    name: Option<String>,
}

/// The token, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct Issued {
    token: String,
    #[schema(value_type = i32)]
    id: TokenId,
}

/// Issues a token that permits no more than its owner may do.
#[utoipa::path(
    post,
    path = "/token",
    tag = "token",
    request_body = Wish,
    responses((status = OK, body = Envelope<Issued>), BadInput, Unauthenticated),
)]
pub(crate) async fn handle(caller: Caller, JsonBody(wish): JsonBody<Wish>) -> Answer<Data<Issued>> {
    let own = caller.logged_in()?;
    let role_bindings = match &wish.role_bindings {
        Some(written) => role_bindings(written)?,
        None => own.role_bindings.clone(),
    };
    let bearer = Entity {
        primary_namespace: wish.primary_namespace.unwrap_or_else(|| own.primary_namespace.clone()),
        role_bindings,
        expires: expiration(&caller, own, wish.expiration)?,
    };
    require_subset(&caller, own, &bearer).await?;
    let name = token_name(wish.name)?;
    let request = TokenRequest { entity: &bearer, owner: &own.primary_namespace, name: name.as_deref() };
    let issued = caller.face.authenticator().issue(&request).await?;
    Ok(Data(Issued { token: issued.token.expose_secret().to_owned(), id: issued.id }))
}

/// When the token ends: when the caller's own time does, or earlier.
fn expiration(caller: &Caller, own: &Entity, asked: Option<Timestamp>) -> Answer<Option<Timestamp>> {
    let Some(asked) = asked else { return Ok(own.expires) };
    if own.expires.is_some_and(|expires| expires < asked) {
        return Err(wrong("Requested expiration of token is greater than current permissions"));
    }
    if asked <= caller.face.store().clock().now() {
        return Err(wrong("the requested expiration is over already"));
    }
    Ok(Some(asked))
}

/// Refuses a bearer who might do more than the caller: by the roles that apply to them now, or by those that will be given to
/// another namespace as its own, unless the caller has that one wholly.
async fn require_subset(caller: &Caller, own: &Entity, bearer: &Entity) -> Answer<()> {
    let authorizer = caller.face.authorizer();
    let roles = authorizer.bindings(Some(bearer)).await?;
    let mut granted = authorizer.may_hand_on(Some(own), &roles).await?;
    if bearer.primary_namespace != own.primary_namespace {
        let whole = ArnPattern::namespace(&bearer.primary_namespace.parse()?);
        granted &= authorizer.may_hand_on(Some(own), &[(whole, [Role::Admin].into())].into()).await?;
    }
    let message = "Requested role_bindings are not a subset of current permissions";
    if granted { Ok(()) } else { Err(wrong(message)) }
}

fn wrong(message: &str) -> Failure {
    Error::invalid("issue token", message).into()
}
