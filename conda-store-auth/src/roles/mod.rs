//! Who may do what by the roles that are bound to them.

mod authorizer;
mod config;

pub use self::{
    authorizer::RoleAuthorizer,
    config::{RoleMappingsVersion, RolesConfig},
};
