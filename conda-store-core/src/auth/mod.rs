//! Who asks, and what they may do: the traits [`Authenticator`] and [`Authorizer`].

mod authenticator;
mod authorizer;
mod entity;
mod permission;

pub use self::{
    authenticator::{Authenticator, Credentials, IssuedToken, Login, LoginStep, TokenRequest},
    authorizer::{Authorizer, Scope},
    entity::{ArnPattern, Entity, Role, RoleBindings},
    permission::Permission,
};
