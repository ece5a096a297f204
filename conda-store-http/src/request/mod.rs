//! What a request says, checked once and typed.

mod body;
mod conditions;
mod filters;
mod paging;
mod parameters;
mod path;
mod roles;

pub(crate) use self::{
    body::JsonBody,
    conditions::{Conditions, Part, modified, tag_of},
    filters::{BuildFilters, EnvironmentFilters, PackageFilters, PackageSearchFilters, PlatformParameter},
    paging::{CursorPage, NumberedPage, ordering},
    parameters::Parameters,
    path::{
        BuildArtifactPath, BuildPath, EnvironmentPath, NamespacePath, NewNamespacePath, StoragePath, TokenPath,
        TwoBuildsPath,
    },
    roles::{GivenRole, role_bindings, token_name},
};
