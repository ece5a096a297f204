//! The account that an environment keeps of itself in `conda-meta`, as conda writes it
//! (<https://docs.conda.io/projects/conda/en/stable/dev-guide/deep-dives/install.html>).

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use rattler_conda_types::{
    MatchSpec, ParseStrictness, PrefixRecord, RepoDataRecord,
    prefix_record::{Link, LinkType, PathsEntry},
};
use rattler_redaction::strip_url_for_serialization;
use url::Url;

use super::store::StoredPackage;
use crate::{Error, Result, clock::Timestamp};

const OPERATION: &str = "write conda-meta";

/// The record of a linked package.
#[expect(deprecated, reason = "conda before 24.7 reads requested_spec alone")]
pub(super) fn prefix_record(
    record: &RepoDataRecord,
    package: &StoredPackage,
    paths: Vec<PathsEntry>,
    link_type: LinkType,
    specs: &[String],
) -> PrefixRecord {
    let mut record = record.clone();
    // A channel may have been named with a token or password in its URL: neither belongs into an environment.
    record.url = strip_url_for_serialization(&record.url);
    record.channel = record.channel.map(|channel| match channel.parse::<Url>() {
        Ok(url) => strip_url_for_serialization(&url).to_string(),
        Err(_) => channel,
    });
    let requested: Vec<String> = specs.iter().filter(|spec| names(spec, &record)).cloned().collect();
    let mut written = PrefixRecord::from_repodata_record(record, paths);
    written.extracted_package_dir = Some(package.directory.clone());
    written.link = Some(Link { source: package.directory.clone(), link_type: Some(link_type) });
    written.requested_spec = requested.first().cloned();
    written.requested_specs = requested;
    written
}

/// Whether the match spec `spec` asks for the package of `record`.
fn names(spec: &str, record: &RepoDataRecord) -> bool {
    let parsed = MatchSpec::from_str(spec, ParseStrictness::Lenient);
    parsed.is_ok_and(|spec| spec.name.matches(&record.package_record.name))
}

/// Writes `conda-meta/NAME-VERSION-BUILD.json`.
pub(super) fn write_record(prefix: &Path, record: &PrefixRecord) -> Result<()> {
    let path = prefix.join("conda-meta").join(record.file_name());
    create(&path, |writer| record.write_to(writer, true))
}

/// Writes `conda-meta/history`, with one revision: all packages.
pub(super) fn write_history(prefix: &Path, records: &[PrefixRecord], specs: &[String], now: Timestamp) -> Result<()> {
    let mut text = format!("==> {} <==\n", now.naive().format("%Y-%m-%d %H:%M:%S"));
    for record in records {
        let (channel, package) = (&record.repodata_record.channel, &record.repodata_record.package_record);
        let channel = channel.as_deref().unwrap_or_default().trim_end_matches('/');
        let name = package.name.as_normalized();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "+{channel}/{}::{name}-{}-{}", package.subdir, package.version, package.build);
    }
    if !specs.is_empty() {
        let _ = writeln!(text, "# update specs: {}", serde_json::json!(specs));
    }
    let path = prefix.join("conda-meta/history");
    std::fs::write(&path, text).map_err(|error| Error::io(OPERATION, error).with("file", path.display()))
}

/// Writes `conda-meta/state`, from which `conda activate` sets environment variables; nothing where there are none.
pub(super) fn write_state(prefix: &Path, variables: &BTreeMap<String, String>) -> Result<()> {
    if variables.is_empty() {
        return Ok(());
    }
    let state = serde_json::json!({ "env_vars": variables });
    create(&prefix.join("conda-meta/state"), |writer| Ok(serde_json::to_writer_pretty(writer, &state)?))
}

/// Fills the new file `path`: it must not be a name of something in the package store.
fn create(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<()> {
    let result = File::create_new(path).and_then(|file| {
        let mut writer = BufWriter::new(file);
        write(&mut writer)?;
        writer.flush()
    });
    result.map_err(|error| Error::io(OPERATION, error).with("file", path.display()))
}
