//! The JSON that `conda create --dry-run --json`, and those of mamba and micromamba, print.
//!
//! conda lists under `actions.LINK` what is to be linked, in short, and under `actions.FETCH` what is to be downloaded,
//! with all that the package list says; mamba and micromamba give the long form in both. An error is an object with
//! `exception_name` and `message` (conda, mamba 1) or `solver_problems` (micromamba, mamba 2).

use rattler_conda_types::{PackageName, RepoDataRecord, package::DistArchiveIdentifier};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    OPERATION,
    process::{Finished, without_credentials},
};
use crate::{
    Error, ErrorKind, Result,
    event::{Reporter, ReporterExt as _},
};

/// Names of exceptions that say that no packages meet the request.
const UNSATISFIABLE: [&str; 6] = [
    "UnsatisfiableError",
    "LibMambaUnsatisfiableError",
    "PackagesNotFoundError",
    "PackagesNotFoundInChannelsError",
    "ResolvePackageNotFound",
    "SpecsConfigurationConflictError",
];

/// Names of exceptions that say that a channel does not exist.
const NO_CHANNEL: [&str; 2] = ["UnavailableInvalidChannel", "ChannelNotFoundError"];

/// Names of exceptions that may pass.
const TEMPORARY: [&str; 4] = ["CondaHTTPError", "CondaSSLError", "ProxyError", "ConnectionFailedError"];

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    success: bool,
    #[serde(default)]
    actions: Option<Actions>,
    exception_name: Option<String>,
    message: Option<String>,
    error: Option<String>,
    #[serde(default)]
    solver_problems: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Actions {
    #[serde(default)]
    fetch: Vec<Map<String, Value>>,
    #[serde(default)]
    link: Vec<Map<String, Value>>,
}

/// One package that the command chose, with whatever it said of it.
#[derive(Debug)]
pub(super) struct Choice(Map<String, Value>);

/// The packages that a finished command chose.
///
/// # Errors
/// What the command says went wrong, in its words.
pub(super) fn choices(finished: &Finished, reporter: &dyn Reporter) -> Result<Vec<Choice>> {
    let Some(answer) = parsed(&finished.answer) else {
        for line in finished.answer.lines() {
            reporter.message(without_credentials(line));
        }
        return Err(without_answer(finished));
    };
    match answer.actions {
        Some(actions) if finished.failure.is_none() => Ok(joined(actions)),
        None if answer.success && finished.failure.is_none() => Ok(Vec::new()),
        _ => Err(failed(answer, finished)),
    }
}

/// The JSON object of `text`; warnings may stand around it.
fn parsed(text: &str) -> Option<Answer> {
    let (start, end) = (text.find('{')?, text.rfind('}')?);
    serde_json::from_str(text.get(start..=end)?).ok()
}

fn without_answer(finished: &Finished) -> Error {
    let words = finished.messages.join("\n");
    if words.contains("Could not solve for environment") {
        return Error::new(ErrorKind::Unsatisfiable, OPERATION, words);
    }
    let how = finished.failure.as_deref().unwrap_or("exit status: 0");
    let message = format!("the command gave no answer in JSON ({how})\n{words}");
    Error::unexpected(OPERATION, message.trim_end())
}

fn failed(answer: Answer, finished: &Finished) -> Error {
    let name = answer.exception_name.unwrap_or_default();
    let unsatisfiable = !answer.solver_problems.is_empty() || UNSATISFIABLE.contains(&name.as_str());
    let words = if answer.solver_problems.is_empty() {
        let words = answer.message.or(answer.error).filter(|words| !words.trim().is_empty());
        words.unwrap_or_else(|| finished.messages.join("\n"))
    } else {
        answer.solver_problems.join("\n")
    };
    let words = without_credentials(words.trim_end());
    match name.as_str() {
        _ if unsatisfiable => Error::new(ErrorKind::Unsatisfiable, OPERATION, words),
        name if NO_CHANNEL.contains(&name) => Error::not_found(OPERATION, words),
        name if TEMPORARY.contains(&name) => Error::new(ErrorKind::Unavailable, OPERATION, words),
        _ => Error::unexpected(OPERATION, format!("the command failed: {words}")),
    }
}

/// What is linked, each with what is said of it where it is downloaded.
fn joined(actions: Actions) -> Vec<Choice> {
    let link = |short: Map<String, Value>| {
        let mut choice = Choice(short);
        if let Some(long) = actions.fetch.iter().find(|long| choice.is_same(long)) {
            choice.0.extend(long.clone());
        }
        choice
    };
    actions.link.into_iter().map(link).collect()
}

fn text<'a>(object: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| object.get(*key)).and_then(Value::as_str)
}

const BUILD: [&str; 2] = ["build", "build_string"];
const SUBDIR: [&str; 2] = ["subdir", "platform"];

impl Choice {
    fn is_same(&self, long: &Map<String, Value>) -> bool {
        let same = |keys: &[&str]| text(&self.0, keys) == text(long, keys);
        same(&["name"]) && same(&["version"]) && same(&BUILD) && same(&SUBDIR)
    }

    /// The package's name.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] where the command gave none.
    pub(super) fn name(&self) -> Result<PackageName> {
        let name = text(&self.0, &["name"]).unwrap_or_default();
        PackageName::try_from(name).map_err(|error| {
            let message = "the command chose a package without a proper name";
            Error::new(ErrorKind::Corrupt, OPERATION, message).with_source(error)
        })
    }

    /// Name, version and build as in a file name.
    pub(super) fn shown(&self) -> String {
        let part = |keys: &[&str]| text(&self.0, keys).unwrap_or("?").to_owned();
        [part(&["name"]), part(&["version"]), part(&BUILD)].join("-")
    }

    /// Whether `record` is this package.
    pub(super) fn is(&self, record: &RepoDataRecord) -> bool {
        let package = &record.package_record;
        text(&self.0, &["name"]) == Some(package.name.as_source())
            && text(&self.0, &["version"]) == Some(package.version.as_str().as_ref())
            && text(&self.0, &BUILD) == Some(package.build.as_str())
            && text(&self.0, &SUBDIR).is_none_or(|subdir| subdir == package.subdir)
    }

    /// The package's record, where the command gave all of it: address, dependencies and a checksum.
    pub(super) fn record(&self) -> Option<RepoDataRecord> {
        let mut object = self.0.clone();
        let url = text(&object, &["url"])?.to_owned();
        object.get("depends")?;
        text(&object, &["sha256", "md5"]).filter(|digest| !digest.is_empty())?;
        let file = url.rsplit('/').next()?.parse::<DistArchiveIdentifier>().ok()?;
        object.insert("fn".to_owned(), file.to_string().into());
        for (name, keys) in [("build", BUILD), ("subdir", SUBDIR)] {
            let value = text(&object, &keys)?.to_owned();
            object.insert(name.to_owned(), value.into());
        }
        // Commands write what there is not as an empty string, or with a type of their own.
        object.retain(|key, value| !value.is_null() && value.as_str() != Some("") && key != "package_type");
        serde_json::from_value(Value::Object(object)).ok()
    }
}
