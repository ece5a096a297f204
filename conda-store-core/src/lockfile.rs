//! conda-lock files, version 1 ([CEP 37](https://github.com/conda/ceps/blob/main/cep-0037.md)): read from people, written
//! as artifacts, and turned into what is linked.

mod forms;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use rattler_conda_lock::{Channel, Document, Hashes, LockFile, Manager, Metadata, Package};
use rattler_conda_types::{ChannelUrl, MatchSpec, PackageRecord, ParseStrictness, RepoDataRecord, Subdir};
use rattler_lock::conda_lock::ImportOptions;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::{
    Error, ErrorKind, Result,
    channel::{self, ChannelAlias},
    solver::Lock,
    specification::{SpecificationLimits, document},
};

/// The version of the format.
const VERSION: u8 = 1;

/// The categories that are installed, as `conda-lock install` does without further options.
const CATEGORIES: [&str; 2] = ["main", "dev"];

/// The schemes from which pip can install, with those of version control in front.
const PIP_SCHEMES: [&str; 5] = ["http", "https", "file", "git+http", "git+https"];

/// A Python distribution of a lockfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipPackage {
    /// Its name as written.
    pub name: String,
    /// Its version ([PEP 440](https://peps.python.org/pep-0440/)).
    pub version: String,
    /// Where it is: a wheel, a source archive, or a repository.
    pub url: String,
    /// SHA-256 of the file in hexadecimal, or the revision of a repository.
    pub sha256: Option<String>,
    /// Names of the distributions it needs, and the versions of them.
    pub dependencies: BTreeMap<String, String>,
}

/// A checked lockfile. Its serialised form is that of [`to_json`](Self::to_json).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub struct Lockfile(LockFile);

impl Lockfile {
    /// Reads YAML or JSON within `limits`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the place where it is larger, of another version or form, or has packages that nothing
    /// could install: without a file's URL, with a malformed hash, for a platform that is not declared.
    pub fn parse(text: &str, limits: &SpecificationLimits) -> Result<Self> {
        // JSON escapes some characters in ways that YAML does not know, so it is written anew.
        let json = text.trim_start().starts_with('{').then(|| serde_json::from_str::<Value>(text).ok()).flatten();
        let text = json.map_or(Cow::Borrowed(text), |value| Cow::Owned(value.to_string()));
        // The reader below has looser limits, beyond which it runs out of stack.
        let limits = SpecificationLimits { bytes: limits.lockfile_bytes, nodes: limits.lockfile_nodes, ..*limits };
        document::parse("lockfile", &text, &limits)?;
        Self::read(&text)
    }

    /// Reads what [`to_json`](Self::to_json) gave.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_json(value: &Value) -> Result<Self> {
        // It is in memory already and has no aliases, so only its depth could do harm.
        let limits = SpecificationLimits {
            lockfile_bytes: usize::MAX,
            lockfile_nodes: usize::MAX,
            ..SpecificationLimits::default()
        };
        Self::parse(&value.to_string(), &limits)
    }

    fn read(text: &str) -> Result<Self> {
        let document = Document::parse(text)
            .map_err(|error| invalid(format!("cannot read the lockfile: {error}")).with_source(error))?;
        let lockfile = Self(document.into_lock_file());
        lockfile.platforms()?;
        lockfile.check_pip()?;
        lockfile.to_lock()?;
        Ok(lockfile)
    }

    /// The lockfile of what a solver chose and pip installed. The same input has the same lockfile; URLs lose what could be
    /// a credential.
    ///
    /// `content_hash` is the SHA-256 of the specification in hexadecimal.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where a record has what the format forbids.
    pub fn new(
        lock: &Lock,
        pip: &BTreeMap<Subdir, Vec<PipPackage>>,
        channels: &[ChannelUrl],
        content_hash: &str,
    ) -> Result<Self> {
        let platforms: BTreeSet<_> = lock.platforms.keys().chain(pip.keys()).map(ToString::to_string).collect();
        let mut package = Vec::new();
        for (platform, records) in &lock.platforms {
            for record in records {
                package.push(conda_package(*platform, record)?);
            }
        }
        for (platform, packages) in pip {
            package.extend(packages.iter().map(|package| pip_package(*platform, package)));
        }
        package.sort_by(|left, right| left.identity().cmp(&right.identity()));
        let channel = |url: &ChannelUrl| Channel { url: public(url.as_ref()), used_env_vars: Vec::new() };
        let metadata = Metadata {
            content_hash: platforms.iter().map(|platform| (platform.clone(), content_hash.to_owned())).collect(),
            channels: channels.iter().map(channel).collect(),
            platforms: platforms.into_iter().collect(),
            ..Metadata::default()
        };
        let lockfile = LockFile { metadata, package };
        lockfile
            .validate()
            .map_err(|error| invalid(format!("cannot write the lockfile: {error}")).with_source(error))?;
        Ok(Self(lockfile))
    }

    /// The lockfile as JSON data.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"version": VERSION, "metadata": self.0.metadata, "package": self.0.package})
    }

    /// The text of the artifact: JSON, which YAML includes.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.to_json().to_string()
    }

    /// The platforms that it is for.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for one that conda does not know.
    pub fn platforms(&self) -> Result<Vec<Subdir>> {
        let names = self.0.metadata.platforms.iter().enumerate();
        names
            .map(|(index, name)| {
                let place = format!("metadata.platforms[{index}]");
                name.parse()
                    .map_err(|error| invalid(format!("{place} is {name:?}, no platform of conda")).with_source(error))
            })
            .collect()
    }

    /// The channels that its packages were chosen from. Lockfiles may name them as specifications do, so a name counts
    /// from `alias`.
    ///
    /// # Errors
    /// As [`ChannelAlias::resolve`].
    pub fn channels(&self, alias: &ChannelAlias) -> Result<Vec<ChannelUrl>> {
        alias.resolve_all(self.0.metadata.channels.iter().map(|channel| channel.url.as_str()))
    }

    /// The URLs of conda's packages in all categories.
    pub fn conda_urls(&self) -> impl Iterator<Item = &str> {
        self.of(Manager::Conda).map(|package| package.url.as_str())
    }

    /// The names of conda's packages in all categories.
    pub fn conda_names(&self) -> impl Iterator<Item = &str> {
        self.of(Manager::Conda).map(|package| package.name.as_str())
    }

    /// The names of pip's packages in all categories, as written.
    pub fn pip_names(&self) -> impl Iterator<Item = &str> {
        self.of(Manager::Pip).map(|package| package.name.as_str())
    }

    fn of(&self, manager: Manager) -> impl Iterator<Item = &Package> {
        self.0.package.iter().filter(move |package| package.manager == manager)
    }

    /// The conda packages of the categories `main` and `dev`, in an order in which they can be linked.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the place where a package cannot be installed.
    pub fn to_lock(&self) -> Result<Lock> {
        let imported = self.imported(|package| package.manager == Manager::Conda)?;
        let mut lock = Lock::default();
        let Some(environment) = imported.default_environment() else { return Ok(lock) };
        for platform in environment.platforms() {
            let records = environment
                .conda_repodata_records(platform)
                .map_err(|error| invalid(format!("cannot use the lockfile: {error}")).with_source(error))?;
            let records = PackageRecord::sort_topologically(records.unwrap_or_default());
            lock.platforms.insert(platform.subdir(), records);
        }
        Ok(lock)
    }

    /// The packages of the categories `main` and `dev` that are `wanted`, as rattler has them.
    fn imported(&self, wanted: impl Fn(&Package) -> bool) -> Result<rattler_lock::LockFile> {
        let mut lockfile = self.0.clone();
        lockfile.package.retain(|package| is_installed(package) && wanted(package));
        let present: BTreeSet<_> = lockfile.package.iter().map(|package| package.category.clone()).collect();
        let categories = present.into_iter().chain(["main".to_owned()]).collect();
        let options = ImportOptions { environments: BTreeMap::from([("default".to_owned(), categories)]) };
        rattler_lock::LockFile::from_conda_lock(&lockfile, &options)
            .map_err(|error| invalid(format!("cannot use the lockfile: {error}")).with_source(error))
    }

    /// The pip packages of `platform` in the categories `main` and `dev`.
    #[must_use]
    pub fn pip_packages(&self, platform: Subdir) -> Vec<PipPackage> {
        let chosen = |package: &&Package| {
            package.manager == Manager::Pip && package.platform == platform.as_str() && is_installed(package)
        };
        let packages = self.0.package.iter().filter(chosen);
        packages
            .map(|package| PipPackage {
                name: package.name.clone(),
                version: package.version.clone(),
                url: package.url.clone(),
                sha256: package.hash.sha256.clone(),
                dependencies: package.dependencies.clone(),
            })
            .collect()
    }

    fn check_pip(&self) -> Result<()> {
        let pip = self.0.package.iter().enumerate().filter(|(_, package)| package.manager == Manager::Pip);
        for (index, package) in pip {
            let scheme = package.url.split_once(':').map_or("", |(scheme, _)| scheme);
            if !PIP_SCHEMES.contains(&scheme) {
                let known = PIP_SCHEMES.join(", ");
                return Err(invalid(format!("package[{index}].url has the scheme {scheme:?}; taken are {known}")));
            }
        }
        Ok(())
    }
}

impl From<Lockfile> for Value {
    fn from(lockfile: Lockfile) -> Self {
        lockfile.to_json()
    }
}

impl TryFrom<Value> for Lockfile {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        Self::from_json(&value)
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, "read lockfile", message)
}

fn is_installed(package: &Package) -> bool {
    CATEGORIES.contains(&package.category.as_str())
}

fn public(url: &Url) -> String {
    channel::stripped(url).into()
}

fn conda_package(platform: Subdir, record: &RepoDataRecord) -> Result<Package> {
    let package = &record.package_record;
    Ok(Package {
        name: package.name.as_source().to_owned(),
        version: package.version.as_str().into_owned(),
        manager: Manager::Conda,
        platform: platform.to_string(),
        dependencies: dependencies(package)?,
        url: public(&record.url),
        hash: Hashes { md5: package.md5.map(hex::encode), sha256: package.sha256.map(hex::encode) },
        source: None,
        build: Some(package.build.to_string()),
        category: "main".into(),
        optional: false,
    })
}

/// Names and constraints. The format has room for one constraint per name; of several the first that is one is kept, since
/// what is locked meets all of them.
fn dependencies(package: &PackageRecord) -> Result<BTreeMap<String, String>> {
    let mut dependencies = BTreeMap::<String, String>::new();
    for text in &package.depends {
        let spec = MatchSpec::from_str(text, ParseStrictness::Lenient).map_err(|error| {
            invalid(format!("dependency {text:?} of {} is no match spec", package.name.as_normalized()))
                .with_source(error)
        })?;
        let version = spec.version.map(|version| version.to_string()).unwrap_or_default();
        let constraint = match spec.build {
            Some(build) => format!("{} {build}", if version.is_empty() { "*" } else { &version }),
            None => version,
        };
        let kept = dependencies.entry(spec.name.to_string()).or_default();
        if kept.is_empty() {
            *kept = constraint;
        }
    }
    Ok(dependencies)
}

fn pip_package(platform: Subdir, package: &PipPackage) -> Package {
    Package {
        name: package.name.clone(),
        version: package.version.clone(),
        manager: Manager::Pip,
        platform: platform.to_string(),
        dependencies: package.dependencies.clone(),
        url: package.url.parse().map_or_else(|_| package.url.clone(), |url| public(&url)),
        hash: Hashes { md5: None, sha256: package.sha256.clone() },
        source: None,
        build: None,
        category: "main".into(),
        optional: false,
    }
}

#[cfg(test)]
mod tests;
