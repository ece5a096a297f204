//! Options that this version takes and cannot follow yet: the one list of them.

use conda_store_core::{artifact, model::ArtifactType};

use super::{
    Configuration, Section,
    check::Program,
    problem::{Origin, Problem},
    sections::{AuthenticationClass, CondaStoreSection, CondaStoreServerSection, ContainerRegistrySection},
};

/// What an option that cannot be followed leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// The service could not do what was asked: it does not start.
    Refused,
    /// The service is the same without the option: it warns.
    WithoutEffect,
}

use Severity::{Refused, WithoutEffect};

/// Artifacts that are made while the environment is built.
const MADE_BY_BUILDS: [ArtifactType; 2] = [ArtifactType::Lockfile, ArtifactType::Logs];

/// Options that are set and have no effect, with the reason.
const WITHOUT_EFFECT: &[(&str, &str, &str)] = &[
    (CondaStoreSection::NAME, "celery_results_backend", "results of jobs are kept in the catalogue"),
    (CondaStoreSection::NAME, "serialize_builds", "concurrent builds share the package cache safely"),
    (CondaStoreSection::NAME, "default_docker_base_image", "this version makes no container images"),
    (CondaStoreServerSection::NAME, "enable_ui", "this version has no web UI"),
    (CondaStoreServerSection::NAME, "enable_registry", "this version has no container registry"),
    (CondaStoreServerSection::NAME, "template", "this version has no web UI"),
    (CondaStoreServerSection::NAME, "template_vars", "this version has no web UI"),
    (CondaStoreServerSection::NAME, "secret_key", "tokens are signed with AuthenticationBackend.secret"),
];

/// What `configuration` asks for in vain.
pub(super) fn unsupported(configuration: &Configuration, program: Program) -> Vec<(Severity, Problem)> {
    let silent = |section, key| configuration.origin(section, key) == Origin::Default;
    let mut found: Vec<_> = WITHOUT_EFFECT
        .iter()
        .filter(|(section, key, _)| !silent(section, key))
        .map(|(section, key, reason)| {
            (WithoutEffect, configuration.problem(section, key, format!("has no effect: {reason}")))
        })
        .collect();
    found.extend(artifacts(configuration).map(|problem| (WithoutEffect, problem)));
    found.extend(refused(configuration).into_iter().map(|problem| (Refused, problem)));
    if program != Program::Worker {
        found.extend(refused_by_server(configuration).into_iter().map(|problem| (Refused, problem)));
    }
    found
}

fn artifacts(configuration: &Configuration) -> Option<Problem> {
    let asked = configuration.settings.build_artifacts.iter();
    let missing: Vec<_> = asked
        .filter(|artifact| ![&MADE_BY_BUILDS[..], &artifact::MADE].concat().contains(artifact))
        .map(|artifact| artifact.as_str())
        .collect();
    let message = format!("{} are not made by this version", missing.join(", "));
    (!missing.is_empty()).then(|| configuration.problem(CondaStoreSection::NAME, "build_artifacts", message))
}

fn refused(configuration: &Configuration) -> Vec<Problem> {
    let mut found = Vec::new();
    if !configuration.container_registry.container_registries.is_empty() {
        let message = "this version pushes no images; leave it out";
        found.push(configuration.problem(ContainerRegistrySection::NAME, "container_registries", message));
    }
    found
}

fn refused_by_server(configuration: &Configuration) -> Vec<Problem> {
    let server = &configuration.server;
    let mut found = Vec::new();
    let mut refuse =
        |key, message: String| found.push(configuration.problem(CondaStoreServerSection::NAME, key, message));
    if server.authentication_class != AuthenticationClass::DummyAuthentication {
        let class = server.authentication_class.section();
        refuse("authentication_class", format!("{class} is not in this version; it takes DummyAuthentication"));
    }
    found
}
