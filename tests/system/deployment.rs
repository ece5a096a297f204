//! The manifests of `examples/deploy`: what the validators of their schemas say of them, and whether they agree with one
//! another and with the programs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use conda_store_core::testing::service;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::example;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/deploy");
const IMAGE: &str = concat!("conda-store:", env!("CARGO_PKG_VERSION"));
const SECRETS: &str = "/run/secrets/";

/// The components that are programs of ours, and the section of each with its port.
const PROGRAMS: [(&str, &str); 2] = [("server", "CondaStoreServer"), ("worker", "CondaStoreWorker")];

/// Seconds that the programs take to stop, with those that a load balancer needs.
const STOPPING: i64 = 25;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(DEPLOY).join(name)).unwrap()
}

fn parsed(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn manifests() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(DEPLOY).join("kubernetes")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The templates of pods in the manifests, by the name of their component.
fn pods() -> Vec<(String, Value)> {
    let texts: Vec<_> = manifests().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let documents = texts.iter().flat_map(|text| text.split("\n---\n")).map(parsed);
    let workloads = documents.filter(|document| document["spec"]["template"].is_object());
    let pods: Vec<_> = workloads
        .map(|workload| {
            let template = &workload["spec"]["template"];
            let component = template["metadata"]["labels"]["app.kubernetes.io/component"].as_str().unwrap();
            (component.to_owned(), template["spec"].clone())
        })
        .collect();
    assert_eq!(pods.len(), 5);
    pods
}

/// The services of Compose by name.
fn services() -> Vec<(String, Value)> {
    let compose = parsed(&read("compose.yaml"));
    compose["services"].as_object().unwrap().clone().into_iter().collect()
}

/// A directory with new secrets, and their names.
fn secrets() -> (TempDir, BTreeSet<String>) {
    let directory = tempfile::tempdir().unwrap();
    let made = Command::new(Path::new(DEPLOY).join("make-secrets")).arg(directory.path()).status().unwrap();
    assert!(made.success());
    let entries = fs::read_dir(directory.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    (directory, names)
}

/// Holds that a validator takes `file`, and refuses it with `right` replaced by `wrong`.
fn tells_apart(command: impl Fn() -> Command, file: &Path, right: &str, wrong: &str) {
    let output = command().arg(file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(right), "{} has no {right}", file.display());
    let directory = tempfile::tempdir().unwrap();
    let spoiled = directory.path().join("wrong.yaml");
    fs::write(&spoiled, text.replacen(right, wrong, 1)).unwrap();
    let output = command().arg(spoiled).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn the_schema_of_kubernetes_takes_the_manifests() {
    let Some(validators) = service("validators").map(PathBuf::from) else { return };
    let command = || {
        let mut command = Command::new(validators.join("kubernetes-validate"));
        command.args(["--strict", "--quiet"]);
        command
    };
    for file in manifests() {
        tells_apart(command, &file, "readinessProbe:", "readynessProbe:");
        tells_apart(command, &file, "replicas: ", "replicas: some # ");
    }
}

#[test]
fn the_schema_of_compose_takes_the_file() {
    let Some(validators) = service("validators").map(PathBuf::from) else { return };
    let command = || {
        let mut command = Command::new(validators.join("check-jsonschema"));
        command.args(["--builtin-schema", "vendor.compose-spec"]);
        command
    };
    let file = Path::new(DEPLOY).join("compose.yaml");
    tells_apart(command, &file, "healthcheck:", "heathcheck:");
    tells_apart(command, &file, "secrets: [redis-password]", "secrets: redis-password");
}

#[test]
fn the_programs_take_the_configuration() {
    let (secrets, _) = secrets();
    let file = secrets.path().join("conda-store.yaml");
    fs::write(&file, read("conda-store.yaml").replace(SECRETS, &format!("{}/", secrets.path().display()))).unwrap();
    let check = |component: &str, variables: &[(String, String)]| {
        let mut command = Command::new(example(&format!("conda-store-{component}")).unwrap());
        command.arg("--config").arg(&file).arg("--check").envs(variables.iter().cloned());
        command.output().unwrap()
    };
    let pods = pods();
    for (component, _) in PROGRAMS {
        let (_, pod) = pods.iter().find(|(name, _)| name == component).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let variables = pod["containers"][0]["env"].as_array().unwrap().iter();
        let variables: Vec<_> = variables.map(|entry| (text(&entry["name"]), text(&entry["value"]))).collect();
        for variables in [&variables[..], &[]] {
            let output = check(component, variables);
            assert!(output.status.success(), "{output:?}");
        }
    }
    fs::remove_file(secrets.path().join("database-url")).unwrap();
    for (component, _) in PROGRAMS {
        let output = check(component, &[]);
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("CondaStore.database_url_file"), "{output:?}");
    }
}

/// The secrets that the configuration reads.
fn needed() -> BTreeSet<String> {
    let text = read("conda-store.yaml");
    let names: BTreeSet<_> =
        text.lines().filter_map(|line| line.split_once(SECRETS)).map(|(_, name)| name.to_owned()).collect();
    assert!(!names.is_empty());
    names
}

#[test]
fn the_manifests_agree_with_the_programs_and_their_configuration() {
    let configuration = parsed(&read("conda-store.yaml"));
    let (_directory, made) = secrets();
    let strings = |list: &Value| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    for (component, pod) in pods() {
        let volumes = pod["volumes"].as_array().unwrap();
        let secret = volumes.iter().find(|volume| volume["name"] == "secrets").unwrap();
        let items = secret["secret"]["items"].as_array().unwrap().iter();
        let mounted: BTreeSet<_> = items.map(|item| item["path"].as_str().unwrap().to_owned()).collect();
        assert!(mounted.is_subset(&made), "{component}: {mounted:?}");
        let Some((_, section)) = PROGRAMS.iter().find(|(program, _)| *program == component) else { continue };
        assert_eq!(mounted, needed(), "{component}");
        let container = &pod["containers"][0];
        assert_eq!(container["image"], IMAGE);
        assert_eq!(container["command"][0], format!("conda-store-{component}"));
        assert_eq!(container["ports"][0]["containerPort"], configuration[section]["port"]);
        assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/health/live");
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/health/ready");
        assert!(pod["terminationGracePeriodSeconds"].as_i64().unwrap() > STOPPING, "{component}");
    }
    for (name, service) in services() {
        assert!(strings(&service["secrets"]).is_subset(&made), "{name}");
        let Some((_, section)) = PROGRAMS.iter().find(|(program, _)| *program == name) else { continue };
        assert_eq!(strings(&service["secrets"]), needed(), "{name}");
        assert_eq!(service["image"], IMAGE);
        assert_eq!(service["command"][0], format!("conda-store-{name}"));
        let probe = format!("http://localhost:{}/health/ready", configuration[section]["port"]);
        assert!(strings(&service["healthcheck"]["test"]).contains(&probe), "{name}");
        let grace = service["stop_grace_period"].as_str().and_then(|period| period.strip_suffix('s'));
        assert!(grace.unwrap().parse::<i64>().unwrap() > STOPPING, "{name}");
    }
}

#[test]
fn every_container_is_probed_limited_and_confined() {
    for (component, pod) in pods() {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{component}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{component}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{component}");
        for container in pod["containers"].as_array().unwrap() {
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                assert!(container[probe].is_object(), "{component} has no {probe}");
            }
            for (kind, what) in [("requests", "cpu"), ("requests", "memory"), ("limits", "memory")] {
                assert!(container["resources"][kind][what].is_string(), "{component} has no {kind} of {what}");
            }
            let confined = &container["securityContext"];
            assert_eq!(confined["allowPrivilegeEscalation"], false, "{component}");
            assert_eq!(confined["readOnlyRootFilesystem"], true, "{component}");
            assert_eq!(confined["capabilities"]["drop"][0], "ALL", "{component}");
        }
    }
    for (name, service) in services() {
        assert!(service["healthcheck"]["test"].is_array(), "{name}");
        assert!(service["deploy"]["resources"]["limits"]["memory"].is_string(), "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
        assert!(service["stop_grace_period"].is_string(), "{name}");
    }
}
