#![doc = include_str!("../README.md")]

mod configuration;
mod digest;
mod dummy;
mod presented;
mod roles;
mod signature;
mod tokens;

pub use self::{
    configuration::{DummyConfig, JwtAlgorithm, LoginConfig, PredefinedToken, TokensConfig},
    dummy::DummyAuthenticator,
    roles::{RoleAuthorizer, RoleMappingsVersion, RolesConfig},
    tokens::Tokens,
};
