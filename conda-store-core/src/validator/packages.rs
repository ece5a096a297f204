//! Packages that a specification gets, and those it must have.

use std::{collections::BTreeSet, str::FromStr};

use pep508_rs::{Requirement, VerbatimUrl};

use super::rules::parse;
use crate::{
    Error, Result,
    lockfile::Lockfile,
    settings::Settings,
    specification::{CondaSpecification, Dependency},
};

/// Adds default and included packages, and refuses the specification where required ones are missing.
pub(super) fn complete(settings: &Settings, conda: &mut CondaSpecification) -> Result<()> {
    if conda.dependencies.is_empty() {
        let defaults = settings.conda_default_packages.iter().cloned();
        conda.dependencies.extend(defaults.map(Dependency::Conda));
    }
    complete_conda(settings, conda)?;
    complete_pip(settings, conda)
}

fn complete_conda(settings: &Settings, conda: &mut CondaSpecification) -> Result<()> {
    let names = conda.match_specs().map(conda_name).collect::<Result<BTreeSet<_>>>()?;
    for included in missing(&settings.conda_included_packages, &names, conda_name)? {
        conda.dependencies.push(Dependency::Conda(included));
    }
    let names = conda.match_specs().map(conda_name).collect::<Result<_>>()?;
    require("dependencies", &missing(&settings.conda_required_packages, &names, conda_name)?)
}

fn complete_pip(settings: &Settings, conda: &mut CondaSpecification) -> Result<()> {
    if conda.pip_lines().next().is_none() {
        append_pip(conda, settings.pypi_default_packages.clone());
    }
    let names = pip_names(conda);
    let included = missing(&settings.pypi_included_packages, &names, required_pip_name)?;
    append_pip(conda, included);
    let names = pip_names(conda);
    require("the pip list", &missing(&settings.pypi_required_packages, &names, required_pip_name)?)
}

/// Refuses a lockfile without the required packages.
pub(super) fn check_lockfile(settings: &Settings, lockfile: &Lockfile) -> Result<()> {
    let names = lockfile.conda_names().map(conda_name).collect::<Result<_>>()?;
    require("the lockfile", &missing(&settings.conda_required_packages, &names, conda_name)?)?;
    let names = lockfile.pip_names().filter_map(pip_name).collect();
    require("the lockfile", &missing(&settings.pypi_required_packages, &names, required_pip_name)?)
}

/// Those of `wanted` whose names are not among `names`.
fn missing(wanted: &[String], names: &BTreeSet<String>, name: fn(&str) -> Result<String>) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for package in wanted {
        if !names.contains(&name(package)?) {
            missing.push(package.clone());
        }
    }
    Ok(missing)
}

fn require(place: &str, missing: &[String]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("required packages are missing in {place}: {}; add them", missing.join(", "));
    Err(Error::invalid("validate specification", message))
}

fn append_pip(conda: &mut CondaSpecification, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    let list = conda.dependencies.iter_mut().find_map(|dependency| match dependency {
        Dependency::Pip { pip } => Some(pip),
        Dependency::Conda(_) => None,
    });
    match list {
        Some(pip) => pip.extend(lines),
        None => conda.dependencies.push(Dependency::Pip { pip: lines }),
    }
}

pub(super) fn conda_name(spec: &str) -> Result<String> {
    parse(spec).map(|spec| spec.name.to_string())
}

fn pip_names(conda: &CondaSpecification) -> BTreeSet<String> {
    conda.pip_lines().filter_map(pip_name).collect()
}

/// The name in a setting, where it must be known.
pub(super) fn required_pip_name(line: &str) -> Result<String> {
    pip_name(line).ok_or_else(|| {
        let message =
            format!("the setting for pip packages has {line:?}, which names no package; one looks like \"flask >=3\"");
        Error::invalid("validate specification", message)
    })
}

/// The normalised name of what a line of a requirements file installs, where the line tells it: options, paths and URLs
/// without `#egg=NAME` do not.
fn pip_name(line: &str) -> Option<String> {
    let line = line.split(" #").next().unwrap_or_default().trim();
    if let Some((_, fragment)) = line.split_once("#egg=") {
        let name = fragment.split(['&', '[', ' ']).next().unwrap_or_default();
        return pep508_rs::PackageName::from_str(name).ok().map(|name| name.to_string());
    }
    Requirement::<VerbatimUrl>::from_str(line).ok().map(|requirement| requirement.name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_names_are_normalised_and_only_known_where_the_line_tells_them() {
        for (line, name) in [
            ("Flask", Some("flask")),
            ("zope.interface_extra>=5,<6", Some("zope-interface-extra")),
            ("uvicorn[standard] ; python_version < '3.12'", Some("uvicorn")),
            ("numpy==1.26  # pinned", Some("numpy")),
            ("pip @ https://example.org/pip-1.0.zip", Some("pip")),
            ("git+https://example.org/a.git@main#egg=My_Package&subdirectory=x", Some("my-package")),
            ("-e git+https://example.org/a.git#egg=other", Some("other")),
            ("--index-url https://example.org/simple", None),
            ("-r requirements.txt", None),
            ("https://example.org/a-1.0-py3-none-any.whl", None),
            ("./local", None),
            ("/srv/wheels/a.whl", None),
            ("", None),
        ] {
            assert_eq!(pip_name(line).as_deref(), name, "{line}");
        }
    }
}
