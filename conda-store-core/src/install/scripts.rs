//! Post-link scripts, run as conda runs them
//! (<https://docs.conda.io/projects/conda-build/en/stable/resources/link-scripts.html>).

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rattler_conda_types::{PackageRecord, PrefixRecord};
use tempfile::TempDir;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::process;
use crate::{
    Error, ErrorKind, Result,
    event::{Reporter, ReporterExt},
};

const OPERATION: &str = "run post-link script";

/// How post-link scripts are run.
#[derive(Clone, Debug)]
pub struct ScriptSettings {
    /// Whether they are; where not, a message says whose were left out.
    pub run: bool,
    /// Environment variables they find besides `PREFIX`, `PKG_NAME`, `PKG_VERSION`, `PKG_BUILDNUM` and `PATH`.
    pub variables: BTreeMap<String, String>,
    /// When one is given up.
    pub time_limit: Option<Duration>,
}

/// Runs the post-link scripts of the linked packages, each after those of what it depends on.
///
/// What they write, and what they leave in `.messages.txt`, is reported as messages.
///
/// # Errors
/// [`ErrorKind::Invalid`] for a script that fails, with the package and the exit code;
/// [`ErrorKind::Cancelled`] and [`ErrorKind::Timeout`], after everything it started was killed.
pub async fn run_link_scripts(
    prefix: &Path,
    records: &[PrefixRecord],
    settings: &ScriptSettings,
    reporter: &dyn Reporter,
    cancellation: &CancellationToken,
) -> Result<()> {
    let sorted = PackageRecord::sort_topologically(records.iter().collect::<Vec<_>>());
    for record in sorted {
        let package = &record.repodata_record.package_record;
        if !has_link_script(record) {
            continue;
        }
        if !settings.run {
            let name = package.name.as_normalized();
            reporter.message(format!("the post-link script of {name} is not run: link scripts are turned off"));
            continue;
        }
        run(prefix, package, &prefix.join(name(record)), settings, reporter, cancellation)
            .await
            .map_err(|error| error.with("package", package.name.as_normalized()))?;
    }
    Ok(())
}

/// Whether the package of `record` has brought a script.
pub(crate) fn has_link_script(record: &PrefixRecord) -> bool {
    record.files.contains(&name(record))
}

fn name(record: &PrefixRecord) -> PathBuf {
    format!("bin/.{}-post-link.sh", record.name().as_normalized()).into()
}

async fn run(
    prefix: &Path,
    package: &PackageRecord,
    script: &Path,
    settings: &ScriptSettings,
    reporter: &dyn Reporter,
    cancellation: &CancellationToken,
) -> Result<()> {
    let name = package.name.as_normalized();
    reporter.message(format!("running the post-link script of {name}"));
    // It goes with whatever the script leaves there, also where that is killed.
    let temporary = TempDir::new().map_err(|error| Error::io(OPERATION, error))?;
    let mut command = Command::new("/bin/bash");
    command
        .arg(script)
        .current_dir(prefix.join("bin"))
        .env_clear()
        .envs(process::variables(prefix, &settings.variables))
        .env("PREFIX", prefix)
        .env("TMPDIR", temporary.path())
        .env("PKG_NAME", name)
        .env("PKG_VERSION", package.version.to_string())
        .env("PKG_BUILDNUM", package.build_number.to_string());
    let line = |text| format!("{name}: {text}");
    let status = process::run(OPERATION, command, settings.time_limit, line, reporter, cancellation).await?;
    show_messages(prefix, name, reporter)?;
    if status.success() {
        return Ok(());
    }
    let message = format!("the post-link script of {name} failed with {status}");
    Err(Error::new(ErrorKind::Invalid, OPERATION, message))
}

/// Reports what the script wants a person to read, and removes it.
fn show_messages(prefix: &Path, name: &str, reporter: &dyn Reporter) -> Result<()> {
    let path = prefix.join(".messages.txt");
    let fail = |error: io::Error| Error::io(OPERATION, error).with("file", path.display());
    match fs::read(&path) {
        Ok(text) => {
            for line in String::from_utf8_lossy(&text).lines() {
                reporter.message(format!("{name}: {line}"));
            }
            fs::remove_file(&path).map_err(fail)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fail(error)),
    }
}
