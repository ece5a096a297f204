//! The main job on real packages: a specification posted to a running server becomes a working environment.

use std::{path::Path, time::Duration};

use crate::support::{Api, Site, broken_files, channel, file_url, python_programs, specification};

const LIMIT: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_of_real_packages_is_built_and_works() {
    let Some(channel) = channel() else { return };
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&["--standalone"]).await.unwrap();
    let packages = ["python=3.11", "numpy", "pandas", "flask"];
    let text = specification("web", &file_url(&channel), &packages) + "variables:\n  GREETING: hello\n";

    let id = api.submit("default", &text).await.unwrap();
    let build = api.completed(id, LIMIT).await.unwrap();

    assert!(build["size"].as_i64().unwrap() > 100_000_000, "{build}");
    let prefix = site.environment("web").await.unwrap();
    // Before anything runs: Python compiles its modules anew where it likes.
    assert_eq!(broken_files(&prefix), Vec::<String>::new());
    let imports = "import ssl, sqlite3, ctypes, numpy, pandas, flask; print(numpy.__version__)";
    let printed = python_programs(&prefix, &[&["bin/python", "-c", imports], &["bin/flask", "--version"]]);
    assert!(printed[0].starts_with("2.2.6") && printed[1].contains("Flask 3"), "{printed:?}");
    looks_as_conda_writes_it(&prefix);
    is_documented(&api, id).await;
}

fn looks_as_conda_writes_it(prefix: &Path) {
    let state: serde_json::Value =
        serde_json::from_slice(&std::fs::read(prefix.join("conda-meta/state")).unwrap()).unwrap();
    assert_eq!(state["env_vars"]["GREETING"], "hello");
    let history = std::fs::read_to_string(prefix.join("conda-meta/history")).unwrap();
    assert!(history.contains("# update specs") && history.contains("numpy"), "{history}");
    let record = std::fs::read(prefix.join("conda-meta/numpy-2.2.6-py311h5d4c32e_0.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    for field in [
        "build",
        "channel",
        "depends",
        "extracted_package_dir",
        "files",
        "fn",
        "link",
        "name",
        "paths_data",
        "requested_spec",
        "sha256",
        "subdir",
        "url",
    ] {
        assert!(!record[field].is_null(), "conda writes {field}");
    }
}

async fn is_documented(api: &Api, id: i64) {
    let log = api.text(&format!("/api/v1/build/{id}/logs/")).await.unwrap();
    for phase in ["solve took", "fetch took", "link took"] {
        assert!(log.contains(phase), "{log}");
    }
    let lockfile: serde_json::Value =
        serde_json::from_str(&api.text(&format!("/api/v1/build/{id}/lockfile/")).await.unwrap()).unwrap();
    assert!(lockfile["package"].as_array().unwrap().iter().any(|package| package["name"] == "numpy"));
    let (_, packages) = api.get(&format!("/api/v1/build/{id}/packages/?search=numpy&exact=true")).await.unwrap();
    assert_eq!((&packages["count"], &packages["data"][0]["version"]), (&1.into(), &"2.2.6".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockfile_is_built_as_it_is() {
    let Some(channel) = channel() else { return };
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&["--standalone"]).await.unwrap();
    let text = specification("first", &file_url(&channel), &["hello-py=1.0", "python=3.13"]);
    let first = api.submit("default", &text).await.unwrap();
    api.completed(first, LIMIT).await.unwrap();
    let lockfile = api.text(&format!("/api/v1/build/{first}/lockfile/")).await.unwrap();

    let second = api.submit_lockfile("default", "second", &lockfile).await.unwrap();
    api.completed(second, LIMIT).await.unwrap();

    let of = |build: i64| format!("/api/v1/build/{build}/packages/?size=100");
    let names = |body: serde_json::Value| -> Vec<String> {
        body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|package| format!("{} {}", package["name"], package["sha256"]))
            .collect()
    };
    let (first, second) = (api.get(&of(first)).await.unwrap().1, api.get(&of(second)).await.unwrap().1);
    assert_eq!(names(first), names(second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_build_is_canceled_within_a_second() {
    let Some(channel) = channel() else { return };
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&["--standalone"]).await.unwrap();
    let id = api
        .submit("default", &specification("many", &file_url(&channel), &["many-files", "large-file"]))
        .await
        .unwrap();
    api.wait_for(id, &["BUILDING"], LIMIT).await.unwrap();

    let (status, body) = api.put(&format!("/api/v1/build/{id}/cancel/")).await.unwrap();
    assert_eq!((status, &body["message"]), (200, &format!("build {id} canceled").into()));

    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(api.build(id).await.unwrap()["status"], "CANCELED");
    let left: Vec<_> = std::fs::read_dir(site.state().join("default"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    let left: Vec<_> = left.iter().filter(|path| !path.ends_with("envs") && !path.ends_with("!staging")).collect();
    assert!(left.is_empty(), "{left:?}");
    let staged = std::fs::read_dir(site.state().join("default/!staging")).map(Iterator::count).unwrap_or_default();
    assert_eq!(staged, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_goes_back_to_an_earlier_build() {
    let Some(channel) = channel() else { return };
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&["--standalone"]).await.unwrap();
    let mut builds = Vec::new();
    for package in ["prefix-text", "prefix-shebang"] {
        let id = api.submit("default", &specification("tool", &file_url(&channel), &[package])).await.unwrap();
        api.completed(id, LIMIT).await.unwrap();
        let build = std::fs::read_dir(site.state().join("default")).unwrap().find_map(|entry| {
            let path = entry.unwrap().path();
            path.to_string_lossy().ends_with(&format!("-{id}-tool")).then_some(path)
        });
        builds.push((id, build.unwrap()));
    }
    let link = site.environment("tool").await.unwrap();
    let (status, body) =
        api.put_json("/api/v1/environment/default/tool/", &serde_json::json!({"build_id": builds[0].0})).await.unwrap();
    assert_eq!(status, 200, "{body}");

    let begun = std::time::Instant::now();
    while std::fs::read_link(&link).unwrap() != builds[0].1 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the symlink stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_specification_is_solved_as_it_would_be_built() {
    let Some(channel) = channel() else { return };
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&[]).await.unwrap();
    let _worker = site.worker("worker").unwrap();
    let path = format!("/api/v1/specification?channels={}&conda=hello-py&conda=python%3D3.13/", file_url(&channel));
    let (status, solved) = api.get(&path).await.unwrap();
    assert_eq!(status, 200, "{solved}");
    let id =
        api.submit("default", &specification("web", &file_url(&channel), &["hello-py", "python=3.13"])).await.unwrap();
    api.completed(id, LIMIT).await.unwrap();
    let (_, built) = api.get(&format!("/api/v1/build/{id}/packages/?size=100")).await.unwrap();
    let names = |packages: &serde_json::Value| -> std::collections::BTreeSet<String> {
        packages
            .as_array()
            .unwrap()
            .iter()
            .map(|package| format!("{} {}", package["name"], package["sha256"]))
            .collect()
    };
    assert_eq!(names(&solved["solve"]), names(&built["data"]));
    let (_, again) = api.get(&path).await.unwrap();
    assert_eq!(again["solve"][0]["channel_id"], 1);

    let (status, refused) = api.get(&path.replace("hello-py", "no-such-package")).await.unwrap();
    assert_eq!(status, 400, "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("no-such-package"), "{refused}");
}
