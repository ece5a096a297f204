use std::path::Path;

use insta::assert_snapshot;
use rattler_conda_types::{RepoData, RepoDataRecord};

use super::*;
use crate::testing::service;

const SHA256: &str = "c7afdeffbe2bda7d16ca69beecc8bebeb29280a95d4f3ed92849e4047710923b";

const YAML: &str = "\
version: 1
metadata:
  content_hash:
    linux-64: c7afdeffbe2bda7d16ca69beecc8bebeb29280a95d4f3ed92849e4047710923b
  channels:
    - url: conda-forge
      used_env_vars: []
  platforms: [linux-64]
  sources: [environment.yml]
package:
  - name: flask
    version: 3.1.0
    manager: pip
    platform: linux-64
    dependencies: {werkzeug: '>=3.1'}
    url: https://files.example.org/flask-3.1.0-py3-none-any.whl
    hash: {sha256: c7afdeffbe2bda7d16ca69beecc8bebeb29280a95d4f3ed92849e4047710923b}
    category: main
    optional: false
  - name: python
    version: 3.11.2
    manager: conda
    platform: linux-64
    dependencies: {tzdata: '', __glibc: '>=2.17'}
    url: https://conda.anaconda.org/conda-forge/linux-64/python-3.11.2-hbe8d4be_1_cpython.conda
    hash: {md5: 0d9c715c88745798350e40f29e7ee6e3}
    category: main
    optional: false
  - name: tzdata
    version: 2026f
    manager: conda
    platform: linux-64
    dependencies: {}
    url: https://conda.anaconda.org/conda-forge/noarch/tzdata-2026f-h2a47a6a_0.conda
    hash: {}
    category: main
    optional: false
  - name: docs-only
    version: 1.0
    manager: conda
    platform: linux-64
    dependencies: {}
    url: https://conda.anaconda.org/conda-forge/noarch/docs-only-1.0-0.conda
    hash: {}
    category: docs
    optional: true
";

fn refusal(text: &str) -> String {
    let error = Lockfile::parse(text, &SpecificationLimits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[test]
fn reads_yaml_and_json_alike() {
    let lockfile = Lockfile::parse(YAML, &SpecificationLimits::default()).unwrap();
    assert_eq!(Lockfile::parse(&lockfile.to_text(), &SpecificationLimits::default()).unwrap(), lockfile);
    assert_eq!(Lockfile::from_json(&lockfile.to_json()).unwrap(), lockfile);
    let escaped = lockfile.to_text().replace("https://", "https:\\/\\/");
    assert_eq!(Lockfile::parse(&escaped, &SpecificationLimits::default()).unwrap(), lockfile);
    assert_eq!(lockfile.to_json()["version"], 1);
    assert_eq!(lockfile.platforms().unwrap(), [Subdir::Linux64]);
}

#[test]
fn becomes_records_in_an_order_to_link() {
    let lock = Lockfile::parse(YAML, &SpecificationLimits::default()).unwrap().to_lock().unwrap();
    let records = &lock.platforms[&Subdir::Linux64];
    let names: Vec<_> = records.iter().map(|record| record.package_record.name.as_normalized()).collect();
    assert_eq!(names, ["tzdata", "python"]);
    assert_eq!(records[0].package_record.subdir, "noarch");
    let python = &records[1];
    assert_eq!(python.package_record.subdir, "linux-64");
    assert_eq!(python.package_record.build.to_string(), "hbe8d4be_1_cpython");
    assert_eq!(python.package_record.version.to_string(), "3.11.2");
    assert_eq!(python.package_record.md5.map(hex::encode).as_deref(), Some("0d9c715c88745798350e40f29e7ee6e3"));
    assert_eq!(python.channel.as_deref(), Some("https://conda.anaconda.org/conda-forge/"));
}

#[test]
fn has_channels_by_name_and_by_url() {
    let alias = ChannelAlias::new("https://proxy.example.org").unwrap();
    let channels = |text: &str| Lockfile::parse(text, &SpecificationLimits::default()).unwrap().channels(&alias);
    let urls = |text: &str| channels(text).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(urls(YAML), ["https://proxy.example.org/conda-forge/"]);
    let url = "https://conda.example.org/x/";
    assert_eq!(urls(&YAML.replace("url: conda-forge", &format!("url: {url}"))), [url]);
    let message = channels(&YAML.replace("url: conda-forge", "url: ../x")).unwrap_err().to_string();
    assert!(message.contains("is no channel"), "{message}");
}

#[test]
fn has_pip_packages_of_a_platform() {
    let lockfile = Lockfile::parse(YAML, &SpecificationLimits::default()).unwrap();
    let packages = lockfile.pip_packages(Subdir::Linux64);
    assert_eq!(packages.len(), 1);
    assert_eq!((packages[0].name.as_str(), packages[0].version.as_str()), ("flask", "3.1.0"));
    assert_eq!(packages[0].sha256.as_deref(), Some(SHA256));
    assert!(lockfile.pip_packages(Subdir::Osx64).is_empty());
}

#[test]
fn says_what_is_wrong_and_where() {
    assert_snapshot!(refusal("- a"), @"cannot read the lockfile: expected a mapping");
    assert_snapshot!(refusal("{"), @"cannot read the lockfile: unclosed bracket '{' at line 1, column 1");
    assert_snapshot!(refusal("name: a"), @r#"cannot read the lockfile: metadata: missing required field "metadata""#);
    assert_snapshot!(refusal(&YAML.replace("version: 1\n", "version: 2\n")), @"cannot read the lockfile: version: unsupported lock-file version; expected integer 1");
    assert_snapshot!(refusal(&YAML.replace("platforms: [linux-64]", "platforms: []")), @"cannot read the lockfile: metadata.content_hash.linux-64: content hash refers to an undeclared target platform");
    assert_snapshot!(refusal(&YAML.replace("linux-64", "amiga-68000")), @r#"metadata.platforms[0] is "amiga-68000", no platform of conda"#);
    assert_snapshot!(refusal(&YAML.replace("manager: pip", "manager: npm")), @r#"cannot read the lockfile: package[0].manager: unknown package manager "npm"; expected "conda" or "pip""#);
    assert_snapshot!(refusal(&YAML.replace("0d9c715c", "0d9c715")), @"cannot read the lockfile: package[1].hash.md5: expected exactly 32 hexadecimal digits");
    assert_snapshot!(refusal(&YAML.replace("https://files.example.org/", "javascript:")), @r#"package[0].url has the scheme "javascript"; taken are http, https, file, git+http, git+https"#);
    assert_snapshot!(refusal(&YAML.replace("/noarch/tzdata-2026f-h2a47a6a_0.conda", "/noarch/tzdata")), @"cannot use the lockfile: package[1].url: expected a conda archive filename");
    assert_snapshot!(refusal(&YAML.replace("    manager: pip\n", "    manager: pip\n    surprise: x\n")), @r#"cannot read the lockfile: package[0].surprise: unknown field "surprise""#);
    assert_snapshot!(Lockfile::parse(YAML, &SpecificationLimits { lockfile_bytes: 10, ..SpecificationLimits::default() }).unwrap_err().to_string(), @"the lockfile has 1316 bytes, at most 10 are taken");
}

#[test]
fn hostile_text_is_given_up_at_once() {
    let deepest = format!("{}{}", "[".repeat(16), "]".repeat(16));
    for text in ["[".repeat(1 << 20), "{a: ".repeat(1 << 18), "- ".repeat(1 << 19), deepest] {
        Lockfile::parse(&text, &SpecificationLimits::default()).unwrap_err();
    }
}

#[test]
fn writes_no_secret() {
    let mut lock = Lockfile::parse(YAML, &SpecificationLimits::default()).unwrap().to_lock().unwrap();
    for record in lock.platforms.values_mut().flatten() {
        let secret = record.url.as_str().replace("https://", "https://user:secret@").replace("org/", "org/t/secret/");
        record.url = secret.parse().unwrap();
    }
    let pip = PipPackage {
        name: "flask".into(),
        version: "3.1.0".into(),
        url: "https://user:secret@files.example.org/flask-3.1.0-py3-none-any.whl".into(),
        sha256: None,
        dependencies: BTreeMap::new(),
    };
    let channel: Url = "https://user:secret@conda.anaconda.org/t/secret/conda-forge".parse().unwrap();
    let pip = BTreeMap::from([(Subdir::Linux64, vec![pip])]);
    let text = Lockfile::new(&lock, &pip, &[channel.into()], SHA256).unwrap().to_text();
    assert!(!text.contains("secret"), "{text}");
    assert!(text.contains("https://conda.anaconda.org/conda-forge/linux-64/python"), "{text}");
}

/// All packages of a channel, one of each name.
fn channel_records(channel: &Path) -> Lock {
    let mut records = BTreeMap::new();
    for subdir in ["noarch", "linux-64"] {
        let repodata = RepoData::from_path(channel.join(subdir).join("repodata.json")).unwrap();
        let packages = repodata.packages.into_iter().chain(repodata.conda_packages);
        for (identifier, package_record) in packages {
            let url = format!("https://example.org/channel/{subdir}/{identifier}").parse().unwrap();
            let channel = Some("https://example.org/channel/".to_owned());
            let record = RepoDataRecord { package_record, identifier, url, channel };
            records.insert(record.package_record.name.clone(), record);
        }
    }
    let records = PackageRecord::sort_topologically(records.into_values().collect());
    Lock { platforms: BTreeMap::from([(Subdir::Linux64, records)]) }
}

#[test]
fn a_lock_of_a_real_channel_survives() {
    let Some(channel) = service("channel") else { return };
    let mut lock = channel_records(Path::new(&channel));
    let channels: [ChannelUrl; 1] = [Url::parse("https://example.org/channel").unwrap().into()];
    let written = Lockfile::new(&lock, &BTreeMap::new(), &channels, SHA256).unwrap();
    let text = written.to_text();
    let read = Lockfile::parse(&text, &SpecificationLimits::default()).unwrap();
    assert_eq!(read, written);

    let essence = |lock: &Lock| -> BTreeMap<_, _> {
        let records = lock.platforms[&Subdir::Linux64].iter();
        records
            .map(|record| {
                let package = &record.package_record;
                let hashes = (package.md5, package.sha256);
                let identity = (package.version.to_string(), package.build.to_string(), package.subdir.clone());
                (package.name.clone(), (identity, hashes, record.url.clone(), record.identifier.clone()))
            })
            .collect()
    };
    let again = read.to_lock().unwrap();
    assert!(again.platforms[&Subdir::Linux64].len() > 100);
    assert_eq!(essence(&again), essence(&lock));

    lock.platforms.values_mut().for_each(|records| records.reverse());
    let reversed = Lockfile::new(&lock, &BTreeMap::new(), &channels, SHA256).unwrap();
    assert_eq!(reversed.to_text(), text, "the order of records makes no difference");
}
