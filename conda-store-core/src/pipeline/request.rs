//! What is asked of the solver for a specification.

use std::collections::{BTreeMap, HashSet};

use rattler_conda_types::Subdir;

use crate::{
    Error, ErrorKind, Result,
    channel::ChannelAlias,
    settings::Settings,
    solver::{ChannelPriority, SolveRequest},
    specification::{CondaSpecification, Variable},
};

/// What to ask for `specification` under `settings`.
pub(crate) fn solve_request(specification: &CondaSpecification, settings: &Settings) -> Result<SolveRequest> {
    let alias = ChannelAlias::new(&settings.conda_channel_alias)?;
    let (channel_priority, flags) = flags(&settings.conda_flags);
    Ok(SolveRequest {
        channels: alias.resolve_all(specification.channels.iter().map(String::as_str))?,
        specs: specification.match_specs().map(str::to_owned).collect(),
        platforms: platforms(settings)?,
        variables: variables(specification),
        channel_priority,
        flags,
        time_limit: settings.conda_max_solve_time,
    })
}

fn variables(specification: &CondaSpecification) -> BTreeMap<String, String> {
    let text = |value: &Variable| match value {
        Variable::Integer(number) => number.to_string(),
        Variable::Text(text) => text.clone(),
    };
    specification.variables.iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The platform that environments are built for: this machine's.
pub(crate) fn platform() -> Result<Subdir> {
    Subdir::current().ok_or_else(|| {
        let message = "conda has no packages for the platform of this machine";
        Error::new(ErrorKind::Unsupported, "build environment", message)
    })
}

/// The platforms to lock, each once, this machine's among them.
fn platforms(settings: &Settings) -> Result<Vec<Subdir>> {
    let mut seen = HashSet::new();
    let platforms = std::iter::once(platform()?).chain(settings.conda_solve_platforms.iter().copied());
    Ok(platforms.filter(|platform| seen.insert(*platform)).collect())
}

/// The channel priority that conda's flags ask for, and the flags that are left for an external solver.
fn flags(text: &str) -> (ChannelPriority, Vec<String>) {
    let mut priority = ChannelPriority::Strict;
    let mut others = Vec::new();
    for flag in text.split_whitespace() {
        match flag {
            "--strict-channel-priority" => priority = ChannelPriority::Strict,
            "--no-channel-priority" => priority = ChannelPriority::Disabled,
            other => others.push(other.to_owned()),
        }
    }
    (priority, others)
}
