//! Several packages in one environment, and what it says about itself.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};
use tar::EntryType;

use super::{fixture::Workshop, package::Draft};
use crate::{ErrorKind, install::remove_prefix};

#[tokio::test]
async fn the_later_package_wins_a_path_and_each_file_has_one_owner() {
    let workshop = Workshop::open().await;
    let directory = workshop.directory.path();
    // Later is who depends on the other, whatever the names and the order say.
    let mut a = Draft::new("a").file("share/both", "from a").file("share/a", "a");
    a.index["depends"] = json!(["b"]);
    let mut a = a.write(directory);
    a.package_record.depends = vec!["b".to_owned()];
    let b = Draft::new("b").file("share/both", "from b").write(directory);
    let environment = workshop.environment("environment", vec![a, b]);
    let records = workshop.install(&environment).await.unwrap();
    assert_eq!(fs::read_to_string(environment.prefix.join("share/both")).unwrap(), "from a");
    let owners: Vec<_> =
        records.iter().filter(|record| record.files.iter().any(|file| file.ends_with("both"))).collect();
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0].name().as_normalized(), "a");
    assert_eq!(workshop.events.messages(), ["a and b both bring 'share/both': that of a is used"]);
}

/// Nothing is ever written through a link that another package has brought.
#[tokio::test]
async fn a_link_of_one_package_does_not_lead_files_of_another_outside() {
    for (first, second) in [("aa", "bb"), ("bb", "aa")] {
        let workshop = Workshop::open().await;
        let directory = workshop.directory.path();
        let outside = directory.join("outside");
        fs::create_dir(&outside).unwrap();
        let link = Draft::new(first).entry(EntryType::Symlink, "share", outside.to_str().unwrap()).write(directory);
        let file = Draft::new(second).file("share/deep/file", "x").write(directory);
        let environment = workshop.environment("environment", vec![link, file]);
        workshop.install(&environment).await.unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        let messages = workshop.events.messages();
        assert_eq!(messages.len(), 1, "{messages:?}");
        let is_link = environment.prefix.join("share").symlink_metadata().unwrap().is_symlink();
        assert_eq!(is_link, messages[0].ends_with(&format!("that of {first} is used")), "{messages:?}");
    }
}

#[tokio::test]
async fn conda_meta_says_what_was_asked_for_and_holds_no_secret() {
    let workshop = Workshop::open().await;
    let record = Draft::new("good").file("share/good", "good").write(workshop.directory.path());
    let mut environment = workshop.environment("environment", vec![record]);
    environment.specs = vec!["good >=1".to_owned()];
    environment.variables = BTreeMap::from([("GREETING".to_owned(), "hello $USER".to_owned())]);
    workshop.install(&environment).await.unwrap();
    let read = |name| fs::read_to_string(environment.prefix.join("conda-meta").join(name)).unwrap();
    let state: Value = serde_json::from_str(&read("state")).unwrap();
    assert_eq!(state, json!({"env_vars": {"GREETING": "hello $USER"}}));
    let history = read("history");
    let lines: Vec<&str> = history.lines().collect();
    assert!(lines[0].starts_with("==> 20") && lines[0].ends_with(" <=="), "{history}");
    assert_eq!(lines[1..], ["+https://conda.example.org/forge/noarch::good-1.0-0", r#"# update specs: ["good >=1"]"#]);
    let record: Value = serde_json::from_str(&read("good-1.0-0.json")).unwrap();
    assert_eq!(record["channel"], "https://conda.example.org/forge");
    assert_eq!(record["files"], json!(["share/good"]));
    assert_eq!(record["requested_specs"], json!(["good >=1"]));
    assert_eq!(record["requested_spec"], "good >=1");
    assert_eq!(record["link"]["type"], 1);
    assert_eq!(record["paths_data"]["paths"][0]["sha256_in_prefix"], record["paths_data"]["paths"][0]["sha256"]);
}

#[tokio::test]
async fn a_prefix_that_holds_something_is_left_alone() {
    let workshop = Workshop::open().await;
    let environment = workshop.environment("environment", Vec::new());
    fs::create_dir(&environment.prefix).unwrap();
    fs::write(environment.prefix.join("mine"), "").unwrap();
    let error = workshop.install(&environment).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(fs::read_dir(&environment.prefix).unwrap().count(), 1);
}

#[tokio::test]
async fn a_prefix_is_removed_with_its_links_and_nothing_behind_them() {
    let workshop = Workshop::open().await;
    let directory = workshop.directory.path();
    let record = Draft::new("links").entry(EntryType::Symlink, "out", directory.to_str().unwrap()).write(directory);
    let environment = workshop.environment("environment", vec![record]);
    workshop.install(&environment).await.unwrap();
    let mut read_only = fs::metadata(&environment.prefix).unwrap().permissions();
    read_only.set_readonly(true);
    fs::set_permissions(&environment.prefix, read_only).unwrap();
    let link = directory.join("link-to-environment");
    std::os::unix::fs::symlink(&environment.prefix, &link).unwrap();
    assert_eq!(remove_prefix(&link).await.unwrap_err().kind(), ErrorKind::Invalid);
    remove_prefix(&environment.prefix).await.unwrap();
    assert!(!environment.prefix.try_exists().unwrap());
    assert!(directory.join("store").try_exists().unwrap());
    remove_prefix(&environment.prefix).await.unwrap();
}
