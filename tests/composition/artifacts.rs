//! What is made of a completed build.

use std::{path::Path, time::Duration};

use conda_store_core::{
    CondaStore, ErrorKind,
    artifact::MADE,
    catalogue::{ArtifactProgress, ArtifactState},
    job::{Job, JobHandler as _},
    model::{ArchiveFormat, ArtifactType, Build, BuildStatus},
    settings::{SettingPlace, Settings},
    storage::StorageExt,
};
use sha2::Digest;

use crate::{Service, attempt, settings, specification};

/// Waits until no artifact of the build is being made.
async fn artifacts(store: &CondaStore, build: &Build) -> Vec<ArtifactProgress> {
    loop {
        let states = store.catalogue().artifact_states(build.id).await.unwrap();
        if states.iter().all(|progress| progress.state != ArtifactState::Pending) {
            return states;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_follow_a_build_and_do_not_spoil_it() {
    let Some(channel) = conda_store_core::testing::service("channel") else { return };
    let channel = Path::new(&channel).canonicalize().unwrap();
    let service = Service::start(|parts| parts).await;
    let build = service.build(&specification(&channel, "prefix-text")).await;
    let (store, id) = (&service.store, build.id);

    let made = artifacts(store, &build).await;
    let types: Vec<_> = made.iter().map(|progress| progress.artifact_type).collect();
    for expected in [&MADE[..], &[ArtifactType::Lockfile, ArtifactType::Logs]].concat() {
        assert!(types.contains(&expected), "{types:?} lack {expected}");
    }
    let kept = store.catalogue().artifacts(id).await.unwrap();
    for progress in &made {
        assert_eq!(progress.state, ArtifactState::Done, "{progress:?}");
        let artifact = kept.iter().find(|artifact| artifact.artifact_type == progress.artifact_type).unwrap();
        let blob = store.storage().read(&artifact.key.parse().unwrap(), u64::MAX).await.unwrap();
        assert_eq!(progress.size, i64::try_from(blob.len()).ok());
        assert_eq!(progress.sha256, Some(hex::encode(sha2::Sha256::digest(&blob))));
        assert_eq!((&artifact.sha256, artifact.size), (&progress.sha256, progress.size));
    }

    let prefix = store.layout().build_path(&build).unwrap();
    std::fs::rename(prefix.join("conda-meta"), prefix.join("moved")).unwrap();
    store.make_artifact(id, ArtifactType::Yaml).await.unwrap();
    artifacts(store, &build).await;
    let now = store.catalogue().build(id).await.unwrap().unwrap();
    assert_eq!(now.status, BuildStatus::Completed);
    let info = now.status_info.unwrap();
    assert!(info.starts_with("YAML could not be made: "), "{info}");
    let log = format!("logs/{}.log", store.build_key(&build).unwrap()).parse().unwrap();
    let log = store.storage().read(&log, u64::MAX).await.unwrap();
    assert!(String::from_utf8_lossy(&log).trim_end().lines().last().unwrap().contains(&info));

    // The queue forgets; the sweeper does not.
    std::fs::rename(prefix.join("moved"), prefix.join("conda-meta")).unwrap();
    store.catalogue().set_artifact_state(id, &ArtifactProgress::pending(ArtifactType::Yaml)).await.unwrap();
    store.handle(&Job::Sweep, &attempt()).await.unwrap();
    assert!(artifacts(store, &build).await.iter().all(|progress| progress.state == ArtifactState::Done));
    assert_eq!(store.catalogue().build(id).await.unwrap().unwrap().status_info, None);

    // Each can be asked for again, and is what it was.
    for artifact_type in MADE {
        store.make_artifact(id, artifact_type).await.unwrap();
    }
    let again = artifacts(store, &build).await;
    let others = |progress: &&ArtifactProgress| progress.artifact_type != ArtifactType::Logs;
    assert!(again.iter().filter(others).eq(made.iter().filter(others)));

    let error = store.make_artifact(id, ArtifactType::Logs).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// Digests of what stays the same from build to build.
async fn digests(store: &CondaStore, build: &Build) -> Vec<(ArtifactType, Option<String>)> {
    let made = artifacts(store, build).await.into_iter();
    let lasting = made.filter(|progress| progress.artifact_type != ArtifactType::Logs);
    lasting.map(|progress| (progress.artifact_type, progress.sha256)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_builds_of_one_lock_have_the_same_artifacts() {
    let Some(channel) = conda_store_core::testing::service("channel") else { return };
    let channel = Path::new(&channel).canonicalize().unwrap();
    let service = Service::start(|parts| parts).await;
    let text = specification(&channel, "prefix-text, prefix-binary, softlinks, hello-py, python=3.11");
    let (first, second) = (service.build(&text).await, service.build(&text).await);
    let places = [&first, &second].map(|build| service.store.layout().build_path(build).unwrap());
    assert_ne!(places[0], places[1]);
    let made = digests(&service.store, &first).await;
    assert!(made.iter().all(|(_, digest)| digest.is_some()), "{made:?}");
    assert_eq!(made, digests(&service.store, &second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_another_format_takes_the_place_of_the_former() {
    let Some(channel) = conda_store_core::testing::service("channel") else { return };
    let channel = Path::new(&channel).canonicalize().unwrap();
    let format =
        |archive_format| Settings { archive_format, build_artifacts: vec![ArtifactType::CondaPack], ..settings() };
    let service = Service::start(|parts| parts.settings(format(ArchiveFormat::TarZst))).await;
    let build = service.build(&specification(&channel, "prefix-text")).await;
    artifacts(&service.store, &build).await;
    let keys = async || {
        let keys = service.store.storage().keys("archive/").await.unwrap();
        keys.iter().map(|key| key.as_str().split_once('.').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys().await, ["tar.zst"]);
    let changes = serde_json::json!({"archive_format": "squashfs"});
    let changes = changes.as_object().unwrap().clone();
    service.store.change_settings(SettingPlace::Global, &changes).await.unwrap();
    service.store.make_artifact(build.id, ArtifactType::CondaPack).await.unwrap();
    let made = artifacts(&service.store, &build).await;
    assert_eq!(keys().await, ["squashfs"]);
    let kept = service.store.catalogue().artifacts(build.id).await.unwrap();
    let kept: Vec<_> = kept.iter().filter(|artifact| artifact.artifact_type == ArtifactType::CondaPack).collect();
    assert_eq!(kept.len(), 1);
    let made = made.iter().find(|progress| progress.artifact_type == ArtifactType::CondaPack).unwrap();
    assert!(made.sha256.is_some() && made.sha256 == kept[0].sha256);
}
