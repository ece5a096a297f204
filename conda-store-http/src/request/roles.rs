//! Roles that are to be given, and names of the tokens that bring them.

use std::collections::{BTreeMap, BTreeSet};

use conda_store_core::{
    Error,
    auth::{Role, RoleBindings},
    model::NamespaceName,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::Answer;

/// The roles of another namespace.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct GivenRole {
    /// Those whose own namespace this is get the role.
    other_namespace: String,
    /// `viewer`, `developer` (also called `editor`) or `admin`.
    role: String,
}

impl GivenRole {
    /// Who gets which role.
    pub(crate) fn read(&self) -> Answer<(NamespaceName, Role)> {
        Ok((self.other_namespace.parse()?, self.role.parse()?))
    }
}

/// Names of roles by patterns, as bodies have them.
pub(crate) fn role_bindings(written: &BTreeMap<String, BTreeSet<String>>) -> Answer<RoleBindings> {
    let mut bindings = RoleBindings::new();
    for (pattern, names) in written {
        let roles = bindings.entry(pattern.parse()?).or_default();
        for name in names {
            roles.insert(name.parse()?);
        }
    }
    Ok(bindings)
}

/// The characters of the longest name of a token.
const LONGEST: usize = 255;

/// What a token is to be called; an empty name is none.
pub(crate) fn token_name(name: Option<String>) -> Answer<Option<String>> {
    let name = name.filter(|name| !name.is_empty());
    if name.as_ref().is_some_and(|name| name.chars().count() > LONGEST || name.chars().any(char::is_control)) {
        let message = format!("the name of a token has at most {LONGEST} characters, and no control characters");
        return Err(Error::invalid("name token", message).into());
    }
    Ok(name)
}
