//! What the service keeps: namespaces, environments, specifications, builds, packages and artifacts, as validated types.

mod artifact;
mod build;
mod id;
mod name;
mod package;

pub use self::{
    artifact::{ArchiveFormat, Artifact, ArtifactType},
    build::{Build, BuildStatus},
    id::{
        ArtifactId, BuildId, ChannelId, EnvironmentId, NamespaceId, PackageBuildId, RoleMappingId, SolveId,
        SpecificationId, TokenId,
    },
    name::{EnvironmentName, NamespaceName},
    package::{CondaChannel, CondaPackage},
};
