//! The list of what an environment consists of.

use serde_json::{Value, json};

use super::{super::sbom::sbom, *};
use crate::lockfile::PipPackage;

#[tokio::test]
async fn an_sbom_says_what_is_in_it_and_is_valid() {
    let Some(channel) = channel() else { return };
    let workshop = Workshop::open().await;
    let specs: Vec<_> = SCIENCE.into_iter().chain(["prefix-text", "libgcc-ng"]).collect();
    let environment = installed(&workshop, "env", solve(&channel, &specs)).await;
    let metadata = environment.prefix.join("lib/python3.11/site-packages/Some_Tool-1.2.dist-info/METADATA");
    fs::create_dir_all(metadata.parent().unwrap()).unwrap();
    fs::write(metadata, "Metadata-Version: 2.1\nName: Some_Tool\nVersion: 1.2\nLicense: ask the author\n\nx").unwrap();
    let mut tree = Tree::read(&environment.prefix).unwrap();
    // One package from where others can get it, too.
    let flask = tree.records.iter_mut().find(|record| record.name().as_normalized() == "flask").unwrap();
    flask.repodata_record.url = "https://conda.example.org/t/secret/main/noarch/flask-2.2.2-0.conda".parse().unwrap();
    let hash = "c7afdeffbe2bda7d16ca69beecc8bebeb29280a95d4f3ed92849e4047710923b";
    let pip = [PipPackage {
        name: "some-tool".into(),
        version: "1.2".into(),
        url: "https://files.example.org/Some_Tool-1.2-py3-none-any.whl".into(),
        sha256: Some(hash.into()),
        dependencies: BTreeMap::new(),
    }];
    let text = sbom(&tree, &"lab".parse().unwrap(), &pip).unwrap();
    let read: Value = serde_json::from_str(&text).unwrap();

    let packages = read["packages"].as_array().unwrap();
    assert_eq!(packages.len(), environment.records.len() + 2, "the environment and what pip installed are in it");
    let package = |name: &str| packages.iter().find(|package| package["name"] == name).unwrap();
    assert_eq!(package("flask")["downloadLocation"], "https://conda.example.org/main/noarch/flask-2.2.2-0.conda");
    assert_eq!(package("numpy")["downloadLocation"], "NOASSERTION");
    assert!(package("numpy")["sourceInfo"].as_str().unwrap().starts_with("installed from file:///"));
    assert_eq!(package("numpy")["checksums"].as_array().unwrap().len(), 2);
    let tool = package("some-tool");
    assert_eq!(tool["licenseDeclared"], "LicenseRef-ask-the-author");
    assert_eq!(tool["checksums"], json!([{"algorithm": "SHA256", "checksumValue": hash}]));
    assert_eq!(tool["externalRefs"][0]["referenceLocator"], "pkg:pypi/some-tool@1.2");
    let needs = |one: &str, other: &str| {
        let ids = (&package(one)["SPDXID"], &package(other)["SPDXID"]);
        let mut relations = read["relationships"].as_array().unwrap().iter();
        relations.any(|relation| {
            (&relation["spdxElementId"], &relation["relatedSpdxElement"]) == ids
                && relation["relationshipType"] == "DEPENDS_ON"
        })
    };
    assert!(needs("pandas", "numpy") && !needs("numpy", "pandas"));

    let Some(validator) = testing::service("pyspdxtools") else { return };
    let file = workshop.directory.path().join("lab.spdx.json");
    fs::write(&file, &text).unwrap();
    run(Command::new(&validator).arg("--infile").arg(&file));
    fs::write(&file, text.replace("SHA256", "SHA257")).unwrap();
    assert!(!Command::new(&validator).arg("--infile").arg(&file).output().unwrap().status.success());
}
