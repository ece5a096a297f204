//! Builds and what is made of them.

use conda_store_core::{
    catalogue::{ArtifactProgress, ArtifactState},
    model::{ArtifactType, BuildId},
};
use http::{Method, header};
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::site::{LOCKFILE, Site, Who, shown};

#[tokio::test]
async fn lists_the_builds_that_may_be_read() {
    let site = Site::new().await;
    assert_json_snapshot!(site.get_as_everybody("/api/v1/build/").await);
}

#[tokio::test]
async fn lists_builds_as_asked() {
    let site = Site::new().await;
    for (query, expected) in [
        ("", vec![1, 2, 3]),
        ("?status=QUEUED", vec![3]),
        ("?status=COMPLETED/", vec![1, 2]),
        ("?packages=numpy&packages=python/", vec![1, 2]),
        ("?packages=numpy&packages=absent", vec![]),
        ("?artifact=LOCKFILE", vec![1, 2]),
        ("?namespace=secret&name=lab", vec![2, 3]),
        ("?environment_id=1", vec![1]),
        ("?environment_id=99999999999", vec![]),
        ("?sort_by=scheduled_on&order=desc", vec![3, 2, 1]),
        ("?sort_by=nonsense&order=nonsense", vec![1, 2, 3]),
        ("?size=2", vec![1, 2]),
        ("?size=2&page=2/", vec![3]),
        ("?page=18446744073709551615", vec![]),
        ("?size=100000", vec![1, 2, 3]),
    ] {
        let answer = site.get(Who::Admin, &format!("/api/v1/build{query}")).await;
        let found: Vec<_> =
            answer["body"]["data"].as_array().unwrap().iter().map(|build| build["id"].clone()).collect();
        assert_eq!(json!(found), json!(expected), "{query}");
    }
}

#[tokio::test]
async fn shows_a_build() {
    let site = Site::new().await;
    assert_json_snapshot!(site.get_as_everybody("/api/v1/build/2/").await);
}

#[tokio::test]
async fn tells_only_who_reads_all_that_there_is_no_such_build() {
    let site = Site::new().await;
    assert_json_snapshot!(site.get_as_everybody("/api/v1/build/4/").await);
    for path in ["packages/", "logs/", "lockfile/"] {
        let missing = site.get_as_everybody(&format!("/api/v1/build/4/{path}")).await;
        assert_eq!(missing, site.get_as_everybody("/api/v1/build/4/").await, "{path}");
    }
}

#[tokio::test]
async fn lists_the_packages_of_a_build() {
    let site = Site::new().await;
    assert_json_snapshot!(site.get_as_everybody("/api/v1/build/2/packages/").await);
    for (query, expected) in [
        ("?search=NUM", vec!["numpy"]),
        ("?search=num&exact=true", vec![]),
        ("?search=numpy&exact=true/", vec!["numpy"]),
        ("?build=1", vec![]),
        ("?sort_by=name&order=desc", vec!["python", "numpy"]),
        ("?page=2&size=1", vec!["python"]),
    ] {
        let answer = site.get(Who::Admin, &format!("/api/v1/build/2/packages/{query}")).await;
        let names: Vec<_> =
            answer["body"]["data"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
        assert_eq!(json!(names), json!(expected), "{query}");
    }
}

#[tokio::test]
async fn gives_logs_and_lockfiles_to_readers() {
    let site = Site::new().await;
    assert_json_snapshot!("logs", site.get_as_everybody("/api/v1/build/2/logs/").await);
    assert_json_snapshot!("lockfile", site.get_as_everybody("/api/v1/build/2/lockfile/").await);
    for name in ["conda-lock.yml", "conda-lock.yaml", "lockfile"] {
        let answer = site.get(Who::Viewer, &format!("/api/v1/build/2/{name}")).await;
        let lockfile: Value = serde_json::from_str(LOCKFILE).unwrap();
        assert_eq!(answer, json!({"status": 200, "body": lockfile}), "{name}");
    }
}

#[tokio::test]
async fn a_log_is_text_to_every_browser() {
    let site = Site::new().await;
    let response = site.ask(Who::Nobody, Method::GET, "/api/v1/build/1/logs/", None).await;
    let headers = response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[header::CONTENT_LENGTH], "25");
    assert!(headers[header::ETAG].to_str().unwrap().starts_with('"'));
}

#[tokio::test]
async fn says_why_an_artifact_is_not_there() {
    let site = Site::new().await;
    let waiting = site.ask(Who::Admin, Method::GET, "/api/v1/build/3/lockfile/", None).await;
    assert_eq!(waiting.headers()[header::RETRY_AFTER], "5");
    assert_json_snapshot!("waiting", shown(waiting).await);
    assert_json_snapshot!("never", site.get(Who::Admin, "/api/v1/build/2/yaml/").await);
    for (state, message) in [(ArtifactState::Pending, None), (ArtifactState::Failed, Some("no room left".to_owned()))] {
        let progress = ArtifactProgress { state, message, ..ArtifactProgress::pending(ArtifactType::Yaml) };
        site.store.catalogue().set_artifact_state(BuildId(2), &progress).await.unwrap();
        let answer = site.get(Who::Admin, "/api/v1/build/2/yaml/").await;
        assert_json_snapshot!(format!("artifact-{state}"), answer);
    }
}

#[tokio::test]
async fn streams_blobs_to_readers_of_their_environment() {
    let site = Site::new().await;
    let artifacts = site.store.catalogue().artifacts(BuildId(2)).await.unwrap();
    let answers = site.get_as_everybody(&format!("/storage/{}", artifacts[0].key)).await;
    assert_json_snapshot!("blob", answers);
    assert_json_snapshot!("no-blob", site.get_as_everybody("/storage/logs/missing.log").await);
    let unrecorded = "logs/unrecorded.log".parse().unwrap();
    site.store.storage().put(&unrecorded, "secret".to_owned().into()).await.unwrap();
    assert_eq!(site.get(Who::Admin, "/storage/logs/unrecorded.log").await["status"], 404);
}

#[tokio::test]
async fn has_artifacts_made_again() {
    let site = Site::new().await;
    let path = "/api/v2/build/2/artifact/YAML/";
    assert_json_snapshot!("artifact-made-again", site.as_everybody(&Method::PUT, path, None).await);
    let states = site.store.catalogue().artifact_states(BuildId(2)).await.unwrap();
    assert_eq!(states, [ArtifactProgress::pending(ArtifactType::Yaml)]);
    let mut refused = Vec::new();
    for path in ["2/artifact/LOGS/", "2/artifact/nonsense/", "3/artifact/YAML/", "x/artifact/YAML/"] {
        let answer = site.ask(Who::Admin, Method::PUT, &format!("/api/v2/build/{path}"), None).await;
        refused.push(json!({ path: shown(answer).await }));
    }
    assert_json_snapshot!("artifact-refused", refused);
    assert_eq!(site.get(Who::Viewer, "/api/v1/build/2/archive/").await["status"], 404);
    let answer = site.get(Who::Viewer, "/api/v1/build/2/installer/").await;
    assert_eq!(answer["status"], 400);
    assert_eq!(answer["body"]["message"], "Build 2 doesn't have an installer");
}

#[tokio::test]
async fn cancels_a_build_once() {
    let site = Site::new().await;
    assert_json_snapshot!("cancel", site.as_everybody(&Method::PUT, "/api/v1/build/3/cancel/", None).await);
    assert_eq!(site.get(Who::Admin, "/api/v1/build/3/").await["body"]["data"]["status"], "CANCELED");
    assert_json_snapshot!("cancel-missing", site.as_everybody(&Method::PUT, "/api/v1/build/4/cancel/", None).await);
}

#[tokio::test]
async fn builds_the_same_specification_again() {
    let site = Site::new().await;
    let path = "/api/v1/environment/secret/lab/";
    let described = json!({"description": "of the lab"});
    assert_eq!(site.ask(Who::Admin, Method::PUT, path, Some(&described)).await.status(), 200);
    assert_json_snapshot!("rebuild", site.as_everybody(&Method::PUT, "/api/v1/build/2/", None).await);
    assert_json_snapshot!("rebuild-missing", site.as_everybody(&Method::PUT, "/api/v1/build/9/", None).await);
    let (first, again) =
        (site.get(Who::Admin, "/api/v1/build/2/").await, site.get(Who::Admin, "/api/v1/build/4/").await);
    let (first, again) = (&first["body"]["data"], &again["body"]["data"]);
    assert_eq!((&again["status"], &again["specification"]), (&json!("QUEUED"), &first["specification"]));
    assert_eq!(again["environment_id"], first["environment_id"]);
    assert_eq!(site.get(Who::Admin, path).await["body"]["data"]["description"], "of the lab");

    assert_eq!(site.ask(Who::Admin, Method::DELETE, path, None).await.status(), 200);
    let gone = shown(site.ask(Who::Admin, Method::PUT, "/api/v1/build/2/", None).await).await;
    assert_json_snapshot!("rebuild-of-a-deleted-environment", gone);
}

#[tokio::test]
async fn gives_archives_installers_and_images_where_they_are_made() {
    let site = Site::new().await;
    for path in ["archive", "installer", "docker"] {
        let answer = site.get_as_everybody(&format!("/api/v1/build/2/{path}/")).await;
        assert_json_snapshot!(format!("no-{path}"), answer);
        let waiting = site.ask(Who::Viewer, Method::GET, &format!("/api/v1/build/3/{path}/"), None).await;
        assert_eq!((waiting.status().as_u16(), &waiting.headers()[header::RETRY_AFTER]), (404, &"5".parse().unwrap()));
    }
    let build = site.store.catalogue().build(BuildId(2)).await.unwrap().unwrap();
    let key = site.store.build_key(&build).unwrap();
    for (path, artifact_type, place) in [
        ("archive", ArtifactType::CondaPack, format!("archive/{key}.tar.gz")),
        ("installer", ArtifactType::ConstructorInstaller, format!("installer/{key}.sh")),
    ] {
        site.keep(&build, artifact_type, &place, path).await;
        let answer = site.get(Who::Viewer, &format!("/api/v1/build/2/{path}/")).await;
        assert_eq!(answer, json!({"status": 200, "body": path}));
    }
    site.keep(&build, ArtifactType::DockerManifest, &format!("docker/manifest/{key}"), "{}").await;
    let image = site.get(Who::Viewer, "/api/v1/build/2/docker/").await;
    assert_eq!(image, json!({"status": 200, "body": format!("localhost:8080/secret/lab:{key}")}));
}

#[tokio::test]
async fn gives_a_lockfile_in_other_forms() {
    let site = Site::new().await;
    let explicit = site.get_as_everybody("/api/v2/build/2/explicit/").await;
    assert_json_snapshot!("explicit", explicit);
    assert_eq!(site.get(Who::Viewer, "/api/v2/build/2/explicit/?platform=linux-64").await, explicit[1]["answer"]);
    assert_json_snapshot!(
        "explicit-other-platform",
        site.get(Who::Viewer, "/api/v2/build/2/explicit?platform=win-64").await
    );
    let pixi = site.get(Who::Viewer, "/api/v2/build/2/pixi-lock/").await;
    let text = pixi["body"].as_str().unwrap();
    assert!(text.starts_with("version: ") && text.contains("tzdata-2026f-h2a47a6a_0.conda"), "{text}");
    for form in ["explicit", "pixi-lock", "sbom"] {
        let waiting = site.get(Who::Viewer, &format!("/api/v2/build/3/{form}/")).await;
        assert_eq!(waiting["status"], 404, "{form}: {waiting}");
        assert_eq!(site.get(Who::Nobody, &format!("/api/v2/build/2/{form}/")).await["status"], 403, "{form}");
    }
}

#[tokio::test]
async fn tells_size_and_hash_of_an_artifact() {
    let site = Site::new().await;
    let build = site.build(2).await;
    site.keep(&build, ArtifactType::Sbom, "sbom/2.spdx.json", "{}").await;
    let progress = ArtifactProgress::done(ArtifactType::Sbom, b"{}");
    site.store.catalogue().set_artifact_state(build.id, &progress).await.unwrap();
    let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let one = site.get(Who::Viewer, "/api/v1/build/2/").await["body"]["data"]["build_artifacts"].clone();
    let listed = site.get(Who::Viewer, "/api/v1/build/?artifact=SBOM").await["body"].clone();
    assert_eq!((&listed["count"], &listed["data"][0]["build_artifacts"]), (&json!(1), &one));
    let sbom = one.as_array().unwrap().last().unwrap();
    assert_eq!(sbom["artifact_type"], "SBOM");
    assert_eq!((&sbom["sha256"], &sbom["size"]), (&json!(hash), &json!(2)));
    assert_eq!(one[0]["sha256"], Value::Null, "nothing is known of what another program made");

    for path in ["/api/v2/build/2/sbom/", "/storage/sbom/2.spdx.json"] {
        let answer = site.ask(Who::Viewer, Method::GET, path, None).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/spdx+json");
        assert_eq!(answer.headers()["repr-digest"], "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:", "{path}");
        assert_eq!(shown(answer).await["body"], json!({}));
    }
}
