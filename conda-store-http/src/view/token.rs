//! An issued token, without the token itself.

use conda_store_core::{auth::RoleBindings, catalogue::Token, clock::Timestamp, model::TokenId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::schema;

/// A token as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    #[schema(value_type = i32)]
    id: TokenId,
    name: Option<String>,
    /// The own namespace of whoever asked for it.
    owner: String,
    /// The namespace that its bearer has as their own.
    primary_namespace: String,
    /// The roles that it brings, by `NAMESPACE/NAME` patterns.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    role_bindings: RoleBindings,
    #[schema(value_type = schema::Moment)]
    created_on: Timestamp,
    #[schema(value_type = schema::Moment)]
    expires_on: Timestamp,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            name: token.name,
            owner: token.owner,
            primary_namespace: token.primary_namespace,
            role_bindings: token.role_bindings,
            created_on: token.created_on,
            expires_on: token.expires_on,
        }
    }
}
