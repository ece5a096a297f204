//! Namespaces, environments, specifications, artifacts and numbers.

use std::time::Duration;

use conda_store_core::{
    ErrorKind,
    artifact::MadeOf,
    auth::Scope,
    build_key::{BuildKeyFormat, BuildKeyParts, BuildKeyReference},
    catalogue::{
        ArtifactProgress, ArtifactState, BuildQuery, BuildResult, Claims, EndedBuild, NewBuild, NewSpecification,
        StorageMetrics,
    },
    clock::Clock,
    model::{ArtifactType, BuildId, BuildStatus, EnvironmentName, NamespaceName},
};
use serde_json::json;

use crate::support::{Fixture, LEASE, both, create, package};

fn names(namespace: &str, environment: &str) -> (NamespaceName, EnvironmentName) {
    (namespace.parse().unwrap(), environment.parse().unwrap())
}

async fn current(fixture: &Fixture, path: &str) -> Option<BuildId> {
    let (namespace, environment) = path.split_once('/').unwrap();
    let (namespace, environment) = names(namespace, environment);
    fixture.catalogue.environment(&namespace, &environment).await.unwrap().unwrap().current_build_id
}

#[tokio::test]
async fn a_namespace_is_made_once_and_revived() {
    both(async |fixture| {
        let name: NamespaceName = "default".parse().unwrap();
        assert_eq!(fixture.catalogue.namespace(&name).await.unwrap(), None);
        let made = fixture.catalogue.ensure_namespace(&name).await.unwrap();
        assert_eq!(made.metadata, json!({}));
        assert_eq!(fixture.catalogue.ensure_namespace(&name).await.unwrap(), made);
        fixture.execute("update namespace set deleted_on = '2024-01-01 00:00:00'").await;
        assert_eq!(fixture.catalogue.namespace(&name).await.unwrap(), None);
        assert_eq!(fixture.catalogue.ensure_namespace(&name).await.unwrap(), made);
        assert_eq!(fixture.catalogue.namespace(&name).await.unwrap(), Some(made));
    })
    .await;
}

#[tokio::test]
async fn a_build_is_created_with_all_it_needs() {
    both(async |fixture| {
        fixture.clock.advance(Duration::from_micros(123_456));
        let build = fixture.queue("team/web").await;
        assert_eq!((build.namespace.as_str(), build.environment.as_str()), ("team", "web"));
        assert_eq!((build.status, build.build_key_version, build.hash.as_deref()), (BuildStatus::Queued, 2, None));
        assert_eq!(build.scheduled_on, fixture.clock.now());
        assert_eq!(build.scheduled_on.to_string(), "2024-05-01T00:00:00.123456");
        assert_eq!(fixture.catalogue.build(build.id).await.unwrap().as_ref(), Some(&build));
        assert_eq!(fixture.catalogue.build(BuildId(99)).await.unwrap(), None);

        let specification = fixture.catalogue.specification_of(build.id).await.unwrap().unwrap();
        assert_eq!((specification.id, specification.sha256.as_str()), (build.specification_id, "one"));
        assert_eq!(specification.spec, json!({"name": "web", "dependencies": ["one"]}));
        assert_eq!(specification.created_on, Some(fixture.clock.now()));
        assert!(!specification.is_lockfile);
        assert_eq!(fixture.catalogue.specification_of(BuildId(99)).await.unwrap(), None);
        assert_eq!(current(fixture, "team/web").await, None);
    })
    .await;
}

#[tokio::test]
async fn equal_specifications_are_kept_once() {
    both(async |fixture| {
        let first = fixture.queue("a/web").await;
        fixture.clock.advance(Duration::from_secs(1));
        let second = fixture.queue("b/other").await;
        assert_eq!(first.specification_id, second.specification_id);
        let third = create(&fixture.catalogue, "a/web", "two").await.unwrap();
        assert_ne!(first.specification_id, third.specification_id);
        assert_eq!(first.environment_id, third.environment_id);
    })
    .await;
}

#[tokio::test]
async fn a_description_stays_until_another_is_given() {
    both(async |fixture| {
        let (namespace, environment) = names("team", "web");
        fixture.queue("team/web").await;
        fixture.catalogue.set_description(&namespace, &environment, "for the web").await.unwrap();
        fixture.queue("team/web").await;
        let found = fixture.catalogue.environment(&namespace, &environment).await.unwrap().unwrap();
        assert_eq!(found.description.as_deref(), Some("for the web"));
        let missing = fixture.catalogue.set_description(&namespace, &"none".parse().unwrap(), "x").await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_environment_comes_back_without_its_current_build() {
    both(async |fixture| {
        let (namespace, environment) = names("team", "web");
        fixture.complete("team/web", &[]).await;
        fixture.execute("update environment set deleted_on = '2024-01-01 00:00:00'").await;
        assert_eq!(fixture.catalogue.environment(&namespace, &environment).await.unwrap(), None);
        fixture.queue("team/web").await;
        assert_eq!(current(fixture, "team/web").await, None);
        assert_eq!(fixture.catalogue.count_environments().await.unwrap(), 1);
    })
    .await;
}

/// Keys that are a hash of nothing.
#[derive(Debug)]
struct Hashed;

impl BuildKeyFormat for Hashed {
    fn version(&self) -> i32 {
        3
    }

    fn key(&self, parts: &BuildKeyParts<'_>) -> conda_store_core::Result<String> {
        Ok(format!("hash-{}-{}", parts.build_id, parts.specification_sha256))
    }

    fn parse(&self, key: &str) -> Option<BuildKeyReference> {
        Some(BuildKeyReference::Hash(key.to_owned()))
    }
}

#[tokio::test]
async fn a_key_that_is_a_hash_leads_back_to_its_build() {
    both(async |fixture| {
        let (namespace, environment) = names("team", "web");
        let specification =
            NewSpecification { name: "web", spec: &json!({"metadata": {}}), sha256: "abc", is_lockfile: true };
        let new = NewBuild {
            namespace: &namespace,
            environment: &environment,
            description: Some("first"),
            specification,
            build_key: &Hashed,
        };
        let build = fixture.catalogue.create_build(&new).await.unwrap();
        assert_eq!(build.hash.as_deref(), Some("hash-1-abc"));
        assert_eq!(fixture.catalogue.build_by_hash("hash-1-abc").await.unwrap(), Some(build.clone()));
        assert_eq!(fixture.catalogue.build_by_hash("hash-2-abc").await.unwrap(), None);
        assert!(fixture.catalogue.specification_of(build.id).await.unwrap().unwrap().is_lockfile);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_asked_for_at_once_share_namespace_environment_and_specification() {
    both(async |fixture| {
        let all = (0..8).map(|_| {
            let catalogue = fixture.catalogue.clone();
            tokio::spawn(async move { create(&catalogue, "team/web", "one").await.unwrap() })
        });
        let builds: Vec<_> =
            futures::future::join_all(all).await.into_iter().map(Result::unwrap).collect();
        assert!(builds.iter().all(|build| build.environment_id == builds[0].environment_id));
        assert!(builds.iter().all(|build| build.specification_id == builds[0].specification_id));
        let rows = fixture
            .texts("select 'n' from namespace union all select 'e' from environment union all select 's' from specification")
            .await;
        assert_eq!(rows, ["n", "e", "s"]);
    })
    .await;
}

#[tokio::test]
async fn only_a_completed_build_of_the_environment_becomes_current() {
    both(async |fixture| {
        let (namespace, environment) = names("team", "web");
        let old = fixture.complete("team/web", &[]).await;
        let new = fixture.complete("team/web", &[]).await;
        let queued = fixture.queue("team/web").await.id;
        let other = fixture.complete("team/other", &[]).await;
        assert_eq!(current(fixture, "team/web").await, Some(new));
        fixture.catalogue.set_current_build(&namespace, &environment, old).await.unwrap();
        assert_eq!(current(fixture, "team/web").await, Some(old));

        for (build, kind) in
            [(queued, ErrorKind::Conflict), (other, ErrorKind::NotFound), (BuildId(99), ErrorKind::NotFound)]
        {
            let error = fixture.catalogue.set_current_build(&namespace, &environment, build).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
        fixture.execute(&format!("update build set deleted_on = '2024-01-01 00:00:00' where id = {new}")).await;
        let error = fixture.catalogue.set_current_build(&namespace, &environment, new).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let missing = "none".parse().unwrap();
        let error = fixture.catalogue.set_current_build(&namespace, &missing, old).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(current(fixture, "team/web").await, Some(old));
    })
    .await;
}

#[tokio::test]
async fn an_artifact_is_written_down_once_and_found_by_its_key() {
    both(async |fixture| {
        let build = fixture.complete("team/web", &[]).await;
        let add = async |artifact, key| fixture.catalogue.add_artifact(build, artifact, key).await.unwrap();
        let log = add(ArtifactType::Logs, "logs/1.log").await;
        assert_eq!(add(ArtifactType::Logs, "logs/1.log").await, log);
        let layer = add(ArtifactType::DockerBlob, "docker/blobs/1").await;
        assert_ne!(add(ArtifactType::DockerBlob, "docker/blobs/2").await, layer);
        let found = fixture.catalogue.artifacts(build).await.unwrap();
        let keys: Vec<&str> = found.iter().map(|artifact| artifact.key.as_str()).collect();
        assert_eq!(keys, ["logs/1.log", "docker/blobs/1", "docker/blobs/2"]);

        let second = fixture.complete("team/web", &[]).await;
        fixture.catalogue.add_artifact(second, ArtifactType::DockerBlob, "docker/blobs/1").await.unwrap();
        let found = fixture.catalogue.artifact_by_key("docker/blobs/1").await.unwrap().unwrap();
        assert_eq!((found.build_id, found.artifact_type), (second, ArtifactType::DockerBlob));
        assert_eq!(fixture.catalogue.artifact_by_key("docker/blobs/3").await.unwrap(), None);
        let error = fixture.catalogue.add_artifact(BuildId(99), ArtifactType::Logs, "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    })
    .await;
}

#[tokio::test]
async fn artifacts_that_the_original_does_not_know_are_kept_beside_its_own() {
    both(async |fixture| {
        let (build, second) = (fixture.complete("team/web", &[]).await, fixture.complete("team/web", &[]).await);
        let catalogue = &fixture.catalogue;
        let sbom = catalogue.add_artifact(build, ArtifactType::Sbom, "sbom/1.json").await.unwrap();
        let log = catalogue.add_artifact(build, ArtifactType::Logs, "logs/1.log").await.unwrap();
        assert_eq!(catalogue.add_artifact(build, ArtifactType::Sbom, "sbom/1.json").await.unwrap(), sbom);
        assert_ne!(catalogue.add_artifact(second, ArtifactType::Sbom, "sbom/2.json").await.unwrap(), sbom);
        catalogue.set_artifact_state(build, &ArtifactProgress::done(ArtifactType::Sbom, b"{}")).await.unwrap();
        let rows = fixture.texts("select artifact_type from build_artifact").await;
        assert_eq!(rows, ["LOGS"], "the original fails where it finds another");

        let found = catalogue.artifacts(build).await.unwrap();
        assert_eq!(found.iter().map(|artifact| artifact.id).collect::<Vec<_>>(), [log, sbom]);
        assert_eq!((found[0].sha256.as_deref(), found[0].size), (None, None));
        assert_eq!(found[1].sha256.as_ref().map(String::len), Some(64));
        assert_eq!(found[1].size, Some(2));
        let by_key = catalogue.artifact_by_key("sbom/1.json").await.unwrap();
        assert_eq!(by_key.as_ref(), Some(&found[1]));
        let known = catalogue.known_artifact_keys(&["sbom/1.json", "logs/1.log", "sbom/9.json"]).await.unwrap();
        assert_eq!(known.len(), 2);
        let mut stored = Vec::new();
        while let [artifact] = &catalogue.stored_artifacts(stored.last().copied(), 1).await.unwrap()[..] {
            stored.push(artifact.id);
        }
        assert_eq!(stored.len(), 3, "none is passed over, none comes twice");

        let scope = Scope::everything();
        let query = BuildQuery { artifact: Some(ArtifactType::Sbom), ..BuildQuery::new(&scope, 10) };
        let page = catalogue.builds(&query).await.unwrap();
        assert_eq!((page.total, page.items.len()), (2, 2));
        assert!(!catalogue.is_shared_artifact(&found[1]).await.unwrap());
        catalogue.remove_artifact(&found[1]).await.unwrap();
        assert_eq!(catalogue.artifacts(build).await.unwrap(), found[..1]);
        assert_eq!(catalogue.artifact_states(build).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn artifact_states_are_replaced_and_pending_ones_found() {
    both(async |fixture| {
        let build = fixture.complete("team/web", &[]).await;
        let running = fixture.start("team/web").await.0;
        let archive = ArtifactProgress::pending(ArtifactType::CondaPack);
        let image = ArtifactProgress::pending(ArtifactType::DockerManifest);
        for progress in [&archive, &image] {
            fixture.catalogue.set_artifact_state(build, progress).await.unwrap();
        }
        fixture.catalogue.set_artifact_state(running, &archive).await.unwrap();
        let pending = fixture.catalogue.pending_artifacts(None, 10).await.unwrap();
        assert_eq!(pending, [(build, ArtifactType::CondaPack), (build, ArtifactType::DockerManifest)]);
        let rest = fixture.catalogue.pending_artifacts(Some(pending[0]), 10).await.unwrap();
        assert_eq!(rest, pending[1..]);
        assert_eq!(fixture.catalogue.pending_artifacts(None, 1).await.unwrap(), pending[..1]);

        let done = ArtifactProgress {
            state: ArtifactState::Done,
            sha256: Some("ab".repeat(32)),
            size: Some(5_000_000_000),
            ..archive
        };
        let failed =
            ArtifactProgress { state: ArtifactState::Failed, message: Some("the disk is full".into()), ..image };
        for progress in [&done, &failed] {
            fixture.catalogue.set_artifact_state(build, progress).await.unwrap();
        }
        assert_eq!(fixture.catalogue.artifact_states(build).await.unwrap(), [done, failed.clone()]);
        let info = async || fixture.catalogue.build(build).await.unwrap().unwrap().status_info;
        assert_eq!(info().await.unwrap(), "DOCKER_MANIFEST could not be made: the disk is full");
        assert_eq!(fixture.catalogue.pending_artifacts(None, 10).await.unwrap(), []);

        let again = ArtifactProgress::pending(ArtifactType::DockerManifest);
        fixture.catalogue.set_artifact_state(build, &again).await.unwrap();
        assert_eq!(info().await, None, "what is tried again has not failed");
        let error = fixture.catalogue.set_artifact_state(BuildId(999), &again).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        // The sentence of a build that failed itself is its own.
        fixture.catalogue.set_artifact_state(running, &failed).await.unwrap();
        assert_eq!(fixture.catalogue.build(running).await.unwrap().unwrap().status_info, None);
    })
    .await;
}

#[tokio::test]
async fn artifacts_are_found_by_what_they_were_made_of() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        let archive = ArtifactType::CondaPack;
        let done = ArtifactProgress::done(archive, b"archive");
        let made_of = |content: &str| MadeOf { packages: "packages".into(), content: content.into() };
        let same = made_of("same");
        let mut builds = Vec::new();
        assert!(!catalogue.has_artifact_of_packages(archive, "packages").await.unwrap());
        for number in 1..=4 {
            let build = fixture.complete("team/web", &[]).await;
            catalogue.add_artifact(build, ArtifactType::Logs, &format!("logs/{number}")).await.unwrap();
            catalogue.add_artifact(build, archive, &format!("archive/{number}")).await.unwrap();
            catalogue.set_artifact_state(build, &done).await.unwrap();
            let made_of = if number == 4 { made_of("other") } else { same.clone() };
            catalogue.set_made_of(build, archive, Some(&made_of)).await.unwrap();
            builds.push(build);
        }
        let found = async |limit| {
            let found = catalogue.artifacts_made_of(archive, &same, limit).await.unwrap();
            assert!(found.iter().all(|artifact| artifact.sha256 == done.sha256), "{found:?}");
            let mut found: Vec<_> = found.into_iter().map(|artifact| (artifact.build_id, artifact.key)).collect();
            found.sort();
            found
        };
        let [first, second, third] = [1, 2, 3].map(|number| (builds[number - 1], format!("archive/{number}")));
        assert_eq!(found(9).await, [first.clone(), second.clone(), third.clone()]);
        assert_eq!(found(2).await, [second.clone(), third.clone()], "the newest ones");
        assert_eq!(catalogue.artifacts_made_of(ArtifactType::Sbom, &same, 9).await.unwrap(), []);

        let others = MadeOf { packages: "others".into(), ..same.clone() };
        assert_eq!(catalogue.artifacts_made_of(archive, &others, 9).await.unwrap(), []);
        for (kind, packages, has) in
            [(archive, "packages", true), (archive, "others", false), (ArtifactType::Sbom, "packages", false)]
        {
            assert_eq!(catalogue.has_artifact_of_packages(kind, packages).await.unwrap(), has, "{kind} {packages}");
        }

        // One that is made again may become something else.
        catalogue.set_artifact_state(third.0, &ArtifactProgress::pending(archive)).await.unwrap();
        catalogue.set_made_of(third.0, archive, Some(&same)).await.unwrap();
        assert_eq!(found(9).await, [first.clone(), second.clone()], "it is not there yet");
        catalogue.set_artifact_state(third.0, &done).await.unwrap();
        assert_eq!(found(9).await, [first.clone(), second.clone()]);
        catalogue.set_made_of(second.0, archive, None).await.unwrap();
        assert_eq!(found(9).await, [first]);
    })
    .await;
}

#[tokio::test]
async fn what_a_completed_build_shall_have_made_of_it_is_written_with_it() {
    both(async |fixture| {
        let (build, attempt) = fixture.start("team/web").await;
        let artifacts = [ArtifactType::CondaPack, ArtifactType::Yaml];
        let result = BuildResult { size: 1, packages: &[], make_current: true, artifacts: &artifacts };
        fixture.catalogue.complete_build(build, attempt, result).await.unwrap();
        let expected = artifacts.map(ArtifactProgress::pending);
        assert_eq!(fixture.catalogue.artifact_states(build).await.unwrap(), expected);
    })
    .await;
}

#[tokio::test]
async fn counts_and_measures_are_what_was_written() {
    both(async |fixture| {
        let catalogue = &fixture.catalogue;
        assert_eq!(catalogue.count_open_builds().await.unwrap(), [].into());
        fixture.complete("team/web", &[package("a", "1")]).await;
        let then = fixture.clock.now();
        fixture.start("team/other").await;
        fixture.queue("team/other").await;
        let canceled = fixture.queue("team/other").await;
        assert_eq!(catalogue.claims().await.unwrap(), Claims { workers: 1, abandoned: 0 });
        fixture.clock.advance(2 * LEASE);
        catalogue.cancel_build(canceled.id).await.unwrap();
        fixture.complete("team/web", &[package("a", "1")]).await;
        assert_eq!(catalogue.claims().await.unwrap(), Claims { workers: 0, abandoned: 1 });

        let open = [(BuildStatus::Queued, 1), (BuildStatus::Building, 1)].into();
        assert_eq!(catalogue.count_open_builds().await.unwrap(), open);
        assert_eq!(catalogue.count_ended_builds(then).await.unwrap(), [(BuildStatus::Completed, 1)].into());
        let ended_on = fixture.clock.now();
        let ended = |status, elapsed| EndedBuild { status, ended_on, elapsed };
        let both = [ended(BuildStatus::Canceled, None), ended(BuildStatus::Completed, Some(Duration::ZERO))];
        assert_eq!(catalogue.builds_ended_after(then).await.unwrap(), both);
        fixture.execute("update build set ended_on = null").await;
        let all = [(BuildStatus::Completed, 2), (BuildStatus::Canceled, 1)].into();
        assert_eq!(catalogue.count_ended_builds(then).await.unwrap(), all);
        assert_eq!(fixture.catalogue.count_environments().await.unwrap(), 2);

        assert_eq!(fixture.catalogue.storage_metrics().await.unwrap(), StorageMetrics::default());
        for bytes in [1, 9_000_000_000_000] {
            let metrics =
                StorageMetrics { disk_usage: Some(bytes), free_storage: Some(2), total_storage: Some(bytes + 2) };
            fixture.catalogue.set_storage_metrics(metrics).await.unwrap();
            assert_eq!(fixture.catalogue.storage_metrics().await.unwrap(), metrics);
        }
    })
    .await;
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_named() {
    both(async |fixture| {
        let build = fixture.queue("team/web").await.id;
        let error = async |statement: &str| {
            fixture.execute(statement).await;
            let error = fixture.catalogue.build(build).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            error.to_string()
        };
        let text = error("update build set status = 'DREAMING'").await;
        for part in ["table: build", "column: status", "id: 1", "DREAMING"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(error("update build set status = 'QUEUED', scheduled_on = null").await.contains("scheduled_on"));
        let text = error("update namespace set name = 'a/b'").await;
        assert!(text.contains("a/b"), "{text}");
    })
    .await;
}
