//! Packages of the `pip:` list, installed by the environment's own pip.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use regex::Regex;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::process;
use crate::{
    Error, ErrorKind, Result,
    event::{BuildEvent, Phase, Reporter},
};

const OPERATION: &str = "install pip packages";

/// What pip shall install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipRequest {
    /// The lines of a `pip:` list: requirements (PEP 508) and options, as in a requirements file
    /// (<https://pip.pypa.io/en/stable/reference/requirements-file-format/>).
    Requirements(Vec<String>),
    /// Exactly these files, without looking for what they depend on.
    Locked(Vec<LockedPipPackage>),
}

/// A file that a lockfile names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedPipPackage {
    /// The name of the project.
    pub name: String,
    /// Where the file is.
    pub url: Url,
    /// Its SHA-256 in hexadecimal, without which it is not verified.
    pub sha256: Option<String>,
}

/// How pip is run.
#[derive(Clone, Debug, Default)]
pub struct PipSettings {
    /// Where pip keeps what it has downloaded; nowhere where there is none.
    pub cache_directory: Option<PathBuf>,
    /// Environment variables for pip, such as `PIP_INDEX_URL` or `HTTPS_PROXY`.
    pub variables: BTreeMap<String, String>,
    /// When it is given up.
    pub time_limit: Option<Duration>,
}

/// A package that pip has installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledPipPackage {
    /// The name of the project.
    pub name: String,
    /// Its version (PEP 440).
    pub version: String,
    /// Where its file came from, without credentials; only pip 22.2 and later say so.
    pub url: Option<Url>,
    /// The SHA-256 of the file in hexadecimal, where pip knows it.
    pub sha256: Option<String>,
}

/// Installs `request` into the environment at `prefix` and says what was installed.
///
/// Reports the phase [`Phase::Pip`], and the lines that pip writes, without credentials, as messages.
///
/// # Errors
/// [`ErrorKind::Invalid`] where the environment has no pip, and where pip fails; [`ErrorKind::Cancelled`] and
/// [`ErrorKind::Timeout`], after everything it started was killed.
pub async fn install_pip(
    prefix: &Path,
    request: &PipRequest,
    settings: &PipSettings,
    reporter: &dyn Reporter,
    cancellation: &CancellationToken,
) -> Result<Vec<InstalledPipPackage>> {
    let lines = request.lines()?;
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let began = std::time::Instant::now();
    reporter.report(BuildEvent::PhaseStarted { phase: Phase::Pip, total: Some(lines.len() as u64), bytes: None });
    let pip = Pip::find(prefix, settings)?;
    let before = pip.list(cancellation).await?;
    let directory = TempDir::new().map_err(|error| Error::io(OPERATION, error))?;
    let (requirements, report) = (directory.path().join("requirements.txt"), directory.path().join("report.json"));
    std::fs::write(&requirements, lines.join("\n") + "\n").map_err(|error| Error::io(OPERATION, error))?;
    let reports = pip.knows_reports(cancellation).await?;
    let mut command = pip.command(&["install", "--no-warn-script-location", "-r"]);
    // What pip unpacks and builds goes when this directory does, also where pip is killed.
    command.arg(&requirements).args(request.flags()).env("TMPDIR", directory.path());
    if reports {
        command.arg("--report").arg(&report);
    }
    let status =
        process::run(OPERATION, command, settings.time_limit, |line| redact(&line), reporter, cancellation).await?;
    if !status.success() {
        let message = format!("pip failed with {status}; its messages say why");
        return Err(Error::new(ErrorKind::Invalid, OPERATION, message));
    }
    let installed = if reports {
        Report::read(&report)?
    } else {
        pip.list(cancellation).await?.into_iter().filter(|package| !before.contains(package)).collect()
    };
    reporter.report(BuildEvent::PhaseFinished { phase: Phase::Pip, elapsed: began.elapsed() });
    Ok(installed)
}

impl PipRequest {
    fn lines(&self) -> Result<Vec<String>> {
        match self {
            Self::Requirements(lines) => Ok(lines.clone()),
            Self::Locked(packages) => {
                packages.iter().map(|package| package.confirm().map(|()| package.line())).collect()
            }
        }
    }

    /// With hashes for all, pip is told to accept nothing else.
    fn flags(&self) -> &'static [&'static str] {
        match self {
            Self::Requirements(_) => &[],
            Self::Locked(packages) if packages.iter().all(|package| package.sha256.is_some()) => {
                &["--no-deps", "--require-hashes"]
            }
            Self::Locked(_) => &["--no-deps"],
        }
    }
}

impl LockedPipPackage {
    /// The hash goes into the fragment, where it is verified for this file alone; `--hash` would ask for one of all files.
    fn line(&self) -> String {
        let mut url = self.url.clone();
        if let Some(sha256) = &self.sha256 {
            let fragment = match url.fragment() {
                Some(fragment) if !fragment.is_empty() => format!("{fragment}&sha256={sha256}"),
                _ => format!("sha256={sha256}"),
            };
            url.set_fragment(Some(&fragment));
        }
        format!("{} @ {url}", self.name)
    }

    /// A name or hash of another form could smuggle options into the list.
    fn confirm(&self) -> Result<()> {
        let name = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        if self.name.is_empty() || !self.name.chars().all(name) {
            let message = format!("'{}' is no name of a Python project (letters, digits, '-', '_' and '.')", self.name);
            return Err(Error::invalid(OPERATION, message));
        }
        match &self.sha256 {
            Some(hash) if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                let message = format!("'{hash}' is no sha256 of {} (64 hexadecimal digits)", self.name);
                Err(Error::invalid(OPERATION, message))
            }
            _ => Ok(()),
        }
    }
}

/// The pip of an environment.
struct Pip<'a> {
    prefix: &'a Path,
    python: PathBuf,
    settings: &'a PipSettings,
}

impl<'a> Pip<'a> {
    fn find(prefix: &'a Path, settings: &'a PipSettings) -> Result<Self> {
        let python = prefix.join("bin/python");
        match python.try_exists() {
            Ok(true) => Ok(Self { prefix, python, settings }),
            Ok(false) => {
                let message =
                    "the specification has pip packages, but no python; add python and pip to its dependencies";
                Err(Error::invalid(OPERATION, message))
            }
            Err(error) => Err(Error::io(OPERATION, error).with("file", python.display())),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command
            .args(["-m", "pip", "--no-input", "--disable-pip-version-check", "--no-color"])
            .args(arguments)
            .current_dir(self.prefix)
            .env_clear()
            .envs(process::variables(self.prefix, &self.settings.variables))
            .env("PYTHONNOUSERSITE", "1")
            .env("PYTHONIOENCODING", "utf-8")
            .env("PIP_PROGRESS_BAR", "off")
            .env("PIP_ROOT_USER_ACTION", "ignore");
        match &self.settings.cache_directory {
            Some(directory) => command.env("PIP_CACHE_DIR", directory),
            None => command.env("PIP_NO_CACHE_DIR", "1"),
        };
        command
    }

    /// What a short question to pip answers.
    async fn ask(&self, arguments: &[&str], cancellation: &CancellationToken) -> Result<String> {
        let mut command = self.command(arguments);
        command.kill_on_drop(true);
        let answer = cancellation.run_until_cancelled(command.output()).await;
        let answer = answer.ok_or_else(|| super::cancelled(OPERATION))?.map_err(|error| Error::io(OPERATION, error))?;
        if answer.status.success() {
            return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
        }
        let complaint = redact(&String::from_utf8_lossy(&answer.stderr));
        if complaint.contains("No module named pip") {
            let message = "the specification has pip packages, but no pip; add pip to its dependencies";
            return Err(Error::invalid(OPERATION, message));
        }
        Err(Error::invalid(OPERATION, format!("pip cannot be run: {}", complaint.trim())))
    }

    /// `pip install --report` came with pip 22.2.
    async fn knows_reports(&self, cancellation: &CancellationToken) -> Result<bool> {
        let answer = self.ask(&["--version"], cancellation).await?;
        let version = answer.split_whitespace().nth(1).unwrap_or_default();
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
        Ok((numbers.next(), numbers.next()) >= (Some(22), Some(2)))
    }

    async fn list(&self, cancellation: &CancellationToken) -> Result<Vec<InstalledPipPackage>> {
        #[derive(Deserialize)]
        struct Listed {
            name: String,
            version: String,
        }
        let answer = self.ask(&["list", "--format", "json"], cancellation).await?;
        let listed: Vec<Listed> = serde_json::from_str(&answer).map_err(unexpected)?;
        let package = |Listed { name, version }| InstalledPipPackage { name, version, url: None, sha256: None };
        Ok(listed.into_iter().map(package).collect())
    }
}

/// An installation report (<https://pip.pypa.io/en/stable/reference/installation-report/>).
#[derive(Deserialize)]
struct Report {
    install: Vec<Installed>,
}

#[derive(Deserialize)]
struct Installed {
    metadata: Metadata,
    download_info: DownloadInfo,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct DownloadInfo {
    url: Url,
    #[serde(default)]
    archive_info: ArchiveInfo,
}

#[derive(Default, Deserialize)]
struct ArchiveInfo {
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl Report {
    fn read(path: &Path) -> Result<Vec<InstalledPipPackage>> {
        let text = std::fs::read(path).map_err(|error| Error::io(OPERATION, error))?;
        let report: Self = serde_json::from_slice(&text).map_err(unexpected)?;
        let package = |Installed { metadata, mut download_info }: Installed| InstalledPipPackage {
            name: metadata.name,
            version: metadata.version,
            url: Some(rattler_redaction::strip_url_for_serialization(&download_info.url)),
            sha256: download_info.archive_info.hashes.remove("sha256"),
        };
        Ok(report.install.into_iter().map(package).collect())
    }
}

fn unexpected(error: serde_json::Error) -> Error {
    Error::unexpected(OPERATION, "pip answered something that cannot be understood").with_source(error)
}

/// Takes user names, passwords and tokens out of the URLs in `line`.
fn redact(line: &str) -> String {
    static CREDENTIALS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"://[^/\s@]+@").ok());
    CREDENTIALS.as_ref().map_or_else(String::new, |pattern| pattern.replace_all(line, "://****@").into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_every_url() {
        let line = "Looking in indexes: https://user:secret@example.org/simple, https://token@example.com/a@b";
        assert_eq!(redact(line), "Looking in indexes: https://****@example.org/simple, https://****@example.com/a@b");
    }
}
