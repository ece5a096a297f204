use std::sync::Mutex;

use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::{Error, ErrorKind, specification::SpecificationLimits};

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn read(text: &str) -> Specification {
    Specification::from_yaml(text, &SpecificationLimits::default()).unwrap()
}

/// What the rules make of `specification`, twice.
async fn validated(settings: &Settings, mut specification: Specification) -> Result<Specification> {
    let namespace = "default".parse().unwrap();
    let context = ValidationContext { namespace: &namespace, settings, free_space: None };
    Rules.validate(&context, &mut specification).await?;
    let once = specification.clone();
    Rules.validate(&context, &mut specification).await.unwrap();
    assert_eq!(specification, once, "the second time changes nothing");
    Ok(once)
}

async fn refusal(settings: &Settings, specification: Specification) -> String {
    let error = validated(settings, specification).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[tokio::test]
async fn default_channels_are_for_specifications_without_one() {
    let settings = settings(|settings| settings.conda_default_channels = texts(&["main", "conda-forge"]));
    let completed = validated(&settings, read("name: a")).await.unwrap();
    assert_eq!(completed.to_stored()["channels"], json!(["main", "conda-forge"]));
    let completed = validated(&settings, read("{name: a, channels: [nodefaults]}")).await.unwrap();
    assert_eq!(completed.to_stored()["channels"], json!(["nodefaults", "main", "conda-forge"]));
    let kept = validated(&settings, read("{name: a, channels: [bioconda]}")).await.unwrap();
    assert_eq!(kept.to_stored()["channels"], json!(["bioconda"]));
}

#[tokio::test]
async fn allowed_channels_are_compared_by_url() {
    let settings = settings(|settings| {
        settings.conda_allowed_channels = texts(&["main", "https://conda.anaconda.org/conda-forge"]);
    });
    for channels in
        ["conda-forge", "https://conda.anaconda.org/conda-forge/", "main/", "HTTPS://conda.anaconda.org:443/main"]
    {
        validated(&settings, read(&format!("{{name: a, channels: ['{channels}']}}"))).await.unwrap();
    }
    validated(&settings, read("{name: a, dependencies: ['main::numpy']}")).await.unwrap();
    assert_snapshot!(refusal(&settings, read("{name: a, channels: [main, bioconda]}")).await, @"channel https://conda.anaconda.org/bioconda is not allowed here; allowed are https://conda.anaconda.org/main, https://conda.anaconda.org/conda-forge");
    assert_snapshot!(refusal(&settings, read("{name: a, dependencies: ['bioconda::numpy']}")).await, @"channel https://conda.anaconda.org/bioconda is not allowed here; allowed are https://conda.anaconda.org/main, https://conda.anaconda.org/conda-forge");
    assert_snapshot!(refusal(&settings, read("{name: a, dependencies: ['numpy[channel=bioconda]']}")).await, @"channel https://conda.anaconda.org/bioconda is not allowed here; allowed are https://conda.anaconda.org/main, https://conda.anaconda.org/conda-forge");
    assert_snapshot!(refusal(&settings, read("{name: a, dependencies: ['https://evil.example.org/x/linux-64/numpy-1-0.conda']}")).await, @"channel https://evil.example.org/x is not allowed here; allowed are https://conda.anaconda.org/main, https://conda.anaconda.org/conda-forge");
    assert_snapshot!(refusal(&settings, read("{name: a, channels: ['../x']}")).await, @r#""../x" is no channel; a name, a URL or an absolute path is taken"#);
}

#[tokio::test]
async fn credentials_are_refused_wherever_they_stand() {
    let settings = Settings::default();
    for text in [
        "{name: a, channels: ['https://user:secret@example.org/x']}",
        "{name: a, dependencies: ['https://user:secret@example.org/x/linux-64/numpy-1-0.conda']}",
        "{name: a, dependencies: ['https://example.org/t/secret/x/linux-64/numpy-1-0.conda']}",
    ] {
        let message = refusal(&settings, read(text)).await;
        assert!(message.contains("carries a password, a token or a query"), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
}

#[tokio::test]
async fn a_name_in_a_match_spec_counts_from_the_configured_alias() {
    let settings = settings(|settings| {
        settings.conda_channel_alias = "https://proxy.example.org/conda".into();
        settings.conda_allowed_channels = texts(&["conda-forge"]);
    });
    validated(&settings, read("{name: a, dependencies: ['conda-forge::numpy']}")).await.unwrap();
    let direct = read("{name: a, channels: ['https://conda.anaconda.org/conda-forge']}");
    assert_snapshot!(refusal(&settings, direct).await, @"channel https://conda.anaconda.org/conda-forge is not allowed here; allowed are https://proxy.example.org/conda/conda-forge");
}

#[tokio::test]
async fn conda_packages_are_added_and_required_by_name() {
    let settings = settings(|settings| {
        settings.conda_default_packages = texts(&["python =3.11", "ipykernel"]);
        settings.conda_included_packages = texts(&["ipykernel >=6"]);
        settings.conda_required_packages = texts(&["python"]);
    });
    let completed = validated(&settings, read("name: a")).await.unwrap();
    assert_eq!(completed.to_stored()["dependencies"], json!(["python =3.11", "ipykernel"]));
    let completed = validated(&settings, read("{name: a, dependencies: ['conda-forge::Python>=3']}")).await.unwrap();
    assert_eq!(completed.to_stored()["dependencies"], json!(["conda-forge::Python>=3", "ipykernel >=6"]));
    assert_snapshot!(refusal(&settings, read("{name: a, dependencies: [python-dateutil]}")).await, @"required packages are missing in dependencies: python; add them");
}

#[tokio::test]
async fn pip_packages_are_added_and_required_by_normalised_name() {
    let settings = settings(|settings| {
        settings.pypi_default_packages = texts(&["requests"]);
        settings.pypi_included_packages = texts(&["My.Package==1"]);
        settings.pypi_required_packages = texts(&["Requests"]);
    });
    let completed = validated(&settings, read("{name: a, dependencies: [python]}")).await.unwrap();
    assert_eq!(completed.to_stored()["dependencies"], json!(["python", {"pip": ["requests", "My.Package==1"]}]));
    let own = read("{name: a, channels: [main], dependencies: [{pip: [--no-deps, 'REQUESTS>2', my_package]}]}");
    assert_eq!(validated(&settings, own.clone()).await.unwrap(), own);
    assert_snapshot!(refusal(&settings, read("{name: a, dependencies: [{pip: [flask]}]}")).await, @"required packages are missing in the pip list: Requests; add them");
}

#[tokio::test]
async fn wrong_settings_are_said_to_be_wrong() {
    let pip = settings(|settings| settings.pypi_required_packages = texts(&["--no-deps"]));
    assert_snapshot!(refusal(&pip, read("name: a")).await, @r#"the setting for pip packages has "--no-deps", which names no package; one looks like "flask >=3""#);
    let conda = settings(|settings| settings.conda_required_packages = texts(&["numpy >="]));
    assert_snapshot!(refusal(&conda, read("name: a")).await, @r#""numpy >=" is no match spec (unable to parse version spec: >=); one looks like "numpy >=1.26""#);
}

#[tokio::test]
async fn a_lockfile_is_checked_and_left_alone() {
    let sha256 = "a".repeat(64);
    let lockfile = json!({
        "version": 1,
        "metadata": {
            "content_hash": {"linux-64": sha256}, "channels": [], "platforms": ["linux-64"], "sources": [],
        },
        "package": [{
            "name": "numpy", "version": "1.0", "manager": "conda", "platform": "linux-64", "dependencies": {},
            "url": "https://conda.anaconda.org/bioconda/linux-64/numpy-1.0-0.conda", "hash": {"sha256": sha256},
            "category": "main", "optional": false,
        }],
    });
    let limits = SpecificationLimits::default();
    let specification =
        Specification::from_lockfile("a".parse().unwrap(), String::new(), &lockfile.to_string(), &limits).unwrap();
    let settings_of = |channel: &str, package: &str| {
        settings(|settings| {
            settings.conda_allowed_channels = texts(&[channel]);
            settings.conda_required_packages = texts(&[package]);
            settings.conda_included_packages = texts(&["ipykernel"]);
        })
    };
    let allowing = settings_of("bioconda", "numpy");
    assert_eq!(validated(&allowing, specification.clone()).await.unwrap(), specification);
    assert_snapshot!(refusal(&settings_of("main", "numpy"), specification.clone()).await, @"channel https://conda.anaconda.org/bioconda is not allowed here; allowed are https://conda.anaconda.org/main");
    assert_snapshot!(refusal(&settings_of("bioconda", "python"), specification).await, @"required packages are missing in the lockfile: python; add them");
}

#[tokio::test]
async fn a_full_disk_refuses_to_create_and_update() {
    let (namespace, settings) = ("default".parse().unwrap(), Settings::default());
    let allow = async |free_space, action| {
        Rules.allow(&ValidationContext { namespace: &namespace, settings: &settings, free_space }, action).await
    };
    for action in [Action::Create, Action::Update] {
        let error = allow(Some((5 << 30) - 1), action).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
        let sentence = "only 4.9 GiB are free where environments are built, 5.0 GiB are needed to create or update one";
        assert!(error.to_string().starts_with(sentence), "{error}");
        allow(Some(5 << 30), action).await.unwrap();
        allow(None, action).await.unwrap();
    }
    allow(Some(0), Action::Delete).await.unwrap();
}

#[derive(Debug)]
struct Noting(&'static str, Arc<Mutex<Vec<&'static str>>>);

#[async_trait]
impl Validator for Noting {
    async fn validate(&self, _: &ValidationContext<'_>, _: &mut Specification) -> Result<()> {
        self.1.lock().unwrap().push(self.0);
        if self.0 == "second" { Err(Error::invalid("validate", "second says no")) } else { Ok(()) }
    }

    async fn allow(&self, _: &ValidationContext<'_>, _: Action) -> Result<()> {
        self.1.lock().unwrap().push(self.0);
        Ok(())
    }
}

#[tokio::test]
async fn several_are_asked_in_order_until_one_refuses() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let names = ["first", "second", "third"];
    let validators =
        Validators::new(names.map(|name| Arc::new(Noting(name, Arc::clone(&asked))) as Arc<dyn Validator>));
    let (namespace, settings) = ("default".parse().unwrap(), Settings::default());
    let context = ValidationContext { namespace: &namespace, settings: &settings, free_space: None };
    let error = validators.validate(&context, &mut read("name: a")).await.unwrap_err();
    assert_eq!(error.to_string(), "second says no");
    validators.allow(&context, Action::Create).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), ["first", "second", "first", "second", "third"]);
}
