//! What an environment consists of, as SPDX 2.3 writes it in JSON (<https://spdx.github.io/spdx-spec/v2.3/>): packages with
//! versions, licences, hashes, sources, and what needs what.
//!
//! The time in it is that of the newest package, and its name in the world is made of what it says, so that it is a function
//! of the environment's name and its packages.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rattler_conda_types::{PackageRecord, RepoDataRecord};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    distributions::{Distribution, distributions},
    license::Licenses,
    tree::Tree,
};
use crate::{Error, Result, channel::stripped, lockfile::PipPackage, model::EnvironmentName};

/// What is not known.
const NOT_KNOWN: &str = "NOASSERTION";

const ENVIRONMENT: &str = "SPDXRef-Environment";

/// What a package URL escapes (<https://github.com/package-url/purl-spec>).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The schemes of addresses that others can reach, too.
const PUBLIC: [&str; 6] = ["http", "https", "git+http", "git+https", "ssh", "git+ssh"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    #[serde(rename = "packageFileName", skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
    download_location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    files_analyzed: bool,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<Value>,
}

/// The document about an environment. `pip` is what its lockfile says of what pip installed.
pub(super) fn sbom(tree: &Tree, name: &EnvironmentName, pip: &[PipPackage]) -> Result<String> {
    let mut licenses = Licenses::default();
    let mut packages = vec![Package::new(ENVIRONMENT.into(), name.as_str().into())];
    let mut relationships = vec![related("SPDXRef-DOCUMENT", "DESCRIBES", ENVIRONMENT)];
    let mut ids = BTreeMap::new();
    for record in tree.records() {
        let package = Package::of_conda(packages.len(), &record.repodata_record, &mut licenses);
        ids.insert(record.name().as_normalized(), package.id.clone());
        packages.push(package);
    }
    for distribution in distributions(tree)? {
        packages.push(Package::of_pip(packages.len(), &distribution, pip, &mut licenses));
    }
    relationships.extend(packages.iter().skip(1).map(|package| related(ENVIRONMENT, "CONTAINS", &package.id)));
    for record in tree.records() {
        let needed = needed(&record.repodata_record.package_record);
        let needed = needed.filter_map(|name| ids.get(name.as_str()));
        let id = &ids[record.name().as_normalized()];
        relationships.extend(needed.map(|needed| related(id, "DEPENDS_ON", needed)));
    }
    let extracted = licenses.extracted.into_iter();
    let extracted: Vec<_> =
        extracted.map(|(id, text)| json!({"licenseId": id, "name": text, "extractedText": text})).collect();
    let content = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name.as_str(),
        "creationInfo": {
            "created": DateTime::from_timestamp(tree.time, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true),
            "creators": [concat!("Tool: conda-store-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": relationships,
        "hasExtractedLicensingInfos": extracted,
    });
    named(content)
}

/// The text of the document, with a name that no other one has.
fn named(mut content: Value) -> Result<String> {
    let failed = |error| Error::unexpected("list packages", "the document cannot be written").with_source(error);
    let hash = hex::encode(Sha256::digest(serde_json::to_vec(&content).map_err(failed)?));
    let name = content["name"].as_str().unwrap_or_default();
    let name = format!("https://spdx.org/spdxdocs/{}-{hash}", utf8_percent_encode(name, ESCAPED));
    content["documentNamespace"] = name.into();
    serde_json::to_string_pretty(&content).map_err(failed)
}

fn related(element: &str, relation: &str, other: &str) -> Value {
    json!({"spdxElementId": element, "relationshipType": relation, "relatedSpdxElement": other})
}

/// The names of the packages that `package` needs, each once.
fn needed(package: &PackageRecord) -> impl Iterator<Item = String> {
    let name = |spec: &String| spec.split([' ', '=', '<', '>', '!', '[']).next().map(str::to_lowercase);
    let names: std::collections::BTreeSet<_> = package.depends.iter().filter_map(name).collect();
    names.into_iter()
}

impl Package {
    fn new(id: String, name: String) -> Self {
        Self {
            id,
            name,
            version_info: None,
            file_name: None,
            download_location: NOT_KNOWN.into(),
            source_info: None,
            files_analyzed: false,
            license_concluded: NOT_KNOWN,
            license_declared: NOT_KNOWN.into(),
            copyright_text: NOT_KNOWN,
            checksums: Vec::new(),
            external_refs: Vec::new(),
        }
    }

    fn of_conda(number: usize, record: &RepoDataRecord, licenses: &mut Licenses) -> Self {
        let package = &record.package_record;
        let name = package.name.as_normalized();
        let version = package.version.to_string();
        let mut qualifiers = vec![("build", package.build.to_string())];
        if let Some(channel) = &record.channel {
            qualifiers.push(("channel", channel.trim_end_matches('/').to_owned()));
        }
        qualifiers.push(("subdir", package.subdir.clone()));
        let qualifiers = qualifiers.iter().map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, ESCAPED)));
        let qualifiers = qualifiers.collect::<Vec<_>>().join("&");
        let hashes = [("MD5", package.md5.map(hex::encode)), ("SHA256", package.sha256.map(hex::encode))];
        Self {
            version_info: Some(version.clone()),
            license_declared: declared(package.license.as_deref(), licenses),
            checksums: hashes.into_iter().filter_map(|(algorithm, hash)| Some(checksum(algorithm, &hash?))).collect(),
            external_refs: vec![purl(&format!("{}?{qualifiers}", named_purl("conda", name, &version)))],
            ..Self::new(spdx_id(number, name), name.to_owned()).at_url(&record.url)
        }
    }

    fn of_pip(number: usize, distribution: &Distribution, pip: &[PipPackage], licenses: &mut Licenses) -> Self {
        let Distribution { name, version, license } = distribution;
        let locked = pip.iter().find(|package| normalized(&package.name) == *name && package.version == *version);
        let package = Self::new(spdx_id(number, name), name.clone());
        let package = match locked.and_then(|locked| locked.url.parse().ok()) {
            Some(url) => package.at_url(&url),
            None => package,
        };
        Self {
            version_info: Some(version.clone()),
            license_declared: declared(license.as_deref(), licenses),
            checksums: locked
                .and_then(|locked| locked.sha256.as_deref())
                .filter(|hash| hash.len() == 64)
                .map(|hash| checksum("SHA256", hash))
                .into_iter()
                .collect(),
            external_refs: vec![purl(&named_purl("pypi", name, version))],
            ..package
        }
    }

    /// Where its file came from. An address on the machine of the build leads nobody else anywhere.
    fn at_url(self, url: &Url) -> Self {
        let url = stripped(url);
        let file = url.path_segments().and_then(|mut segments| segments.next_back().map(str::to_owned));
        let is_public = PUBLIC.contains(&url.scheme());
        Self {
            file_name: file.filter(|file| !file.is_empty()),
            source_info: (!is_public).then(|| format!("installed from {url}")),
            download_location: if is_public { url.to_string() } else { NOT_KNOWN.into() },
            ..self
        }
    }
}

fn declared(said: Option<&str>, licenses: &mut Licenses) -> String {
    match said.map(str::trim) {
        None | Some("" | "None" | "UNKNOWN") => NOT_KNOWN.into(),
        Some(said) => licenses.expression(said),
    }
}

/// The name of a Python distribution, as [`Distribution`] has it.
fn normalized(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

fn spdx_id(number: usize, name: &str) -> String {
    let name: String =
        name.chars().map(|one| if one.is_ascii_alphanumeric() || one == '.' { one } else { '-' }).collect();
    format!("SPDXRef-Package-{number}-{name}")
}

fn named_purl(kind: &str, name: &str, version: &str) -> String {
    format!("pkg:{kind}/{}@{}", utf8_percent_encode(name, ESCAPED), utf8_percent_encode(version, ESCAPED))
}

fn purl(locator: &str) -> Value {
    json!({"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": locator})
}

fn checksum(algorithm: &str, value: &str) -> Value {
    json!({"algorithm": algorithm, "checksumValue": value})
}
