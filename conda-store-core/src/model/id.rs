//! Row ids, one type per table. The original's columns are 32 bits wide.

use std::{fmt, num::ParseIntError, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub i32);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// Id of a namespace.
    NamespaceId,
    /// Id of an environment.
    EnvironmentId,
    /// Id of a specification.
    SpecificationId,
    /// Id of a build.
    BuildId,
    /// Id of a build artifact.
    ArtifactId,
    /// Id of a conda channel.
    ChannelId,
    /// Id of one build of one version of a conda package.
    PackageBuildId,
    /// Id of a role that somebody was given in the database, in either version of the mappings.
    RoleMappingId,
    /// Id of an issued token.
    TokenId,
}

/// Id of a solve. The row is soon gone and its id must not come again, since a worker may still have the job of that name: so
/// it is chosen at random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct SolveId(pub String);

impl SolveId {
    /// One that no other solve has.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }
}

impl fmt::Display for SolveId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
