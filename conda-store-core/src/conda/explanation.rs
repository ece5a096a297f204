//! Why there is no solution, in words for whoever wrote the specification.

use std::{collections::BTreeSet, fmt::Write as _};

use rattler_conda_types::{ChannelUrl, MatchSpec, PackageName, PackageNameMatcher, Subdir, VersionWithSource};
use rattler_repodata_gateway::RepoData;

use super::public_url;
use crate::{Error, ErrorKind};

const OPERATION: &str = "solve environment";

/// How similar two names are that may be mistaken for one another, from 0 to 1 (Jaro-Winkler).
const SIMILAR: f64 = 0.85;

/// How many similar names are shown.
const NAMES_SHOWN: usize = 3;

/// How many versions of a package are shown, the newest ones.
const VERSIONS_SHOWN: usize = 8;

/// What could be chosen from.
#[derive(Debug)]
pub(super) struct Offer<'a> {
    /// All versions of what was asked for, and what they may need.
    pub(super) lists: &'a [RepoData],
    /// Every package that the channels have.
    pub(super) names: &'a [PackageName],
    /// The channels.
    pub(super) channels: &'a [ChannelUrl],
    /// The platform of the packages.
    pub(super) platform: Subdir,
}

impl Offer<'_> {
    /// The error for `specs` of which the solver says `failure`.
    pub(super) fn explain(&self, failure: &str, specs: &[MatchSpec]) -> Error {
        let nowhere = self.missing(specs);
        let message = if nowhere.is_empty() {
            let remarks = without_candidates(failure).into_iter().map(|name| self.remark(name));
            let solver = failure.trim_end().to_owned();
            let introduction = format!("no set of packages meets the specification on {}:", self.platform);
            [introduction, solver].into_iter().chain(remarks).collect::<Vec<_>>().join("\n")
        } else {
            nowhere.into_iter().map(|name| self.nowhere(name)).collect::<Vec<_>>().join("\n")
        };
        Error::new(ErrorKind::Unsatisfiable, OPERATION, message)
    }

    /// The names of `specs` that no channel has any package of.
    fn missing<'s>(&self, specs: &'s [MatchSpec]) -> BTreeSet<&'s str> {
        specs
            .iter()
            .filter_map(|spec| match &spec.name {
                PackageNameMatcher::Exact(name) => Some(name.as_normalized()),
                _ => None,
            })
            .filter(|name| !name.starts_with("__") && !self.has(name))
            .collect()
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.as_normalized() == name)
    }

    /// What there is to say of a package of which the solver found no candidates.
    fn remark(&self, name: &str) -> String {
        match name {
            _ if name.starts_with("__") => self.not_offered(name),
            _ if self.has(name) => self.versions(name),
            _ => self.nowhere(name),
        }
    }

    /// A sentence that the platform lacks the virtual package `name`.
    fn not_offered(&self, name: &str) -> String {
        let sentence = format!("{} is taken to have no suitable {name}", self.platform);
        if !["__archspec", "__cuda", "__glibc"].contains(&name) {
            return sentence;
        }
        format!("{sentence}; the variable CONDA_OVERRIDE{} can state one", name[1..].to_uppercase())
    }

    /// A sentence with the versions of `name`.
    fn versions(&self, name: &str) -> String {
        let versions: BTreeSet<&VersionWithSource> = self
            .lists
            .iter()
            .flat_map(RepoData::iter)
            .map(|record| &record.package_record)
            .filter(|package| package.name.as_normalized() == name)
            .map(|package| &package.version)
            .collect();
        let older = versions.len().saturating_sub(VERSIONS_SHOWN);
        let shown: Vec<_> = versions.into_iter().skip(older).map(|version| version.as_str().into_owned()).collect();
        let newest = if older == 0 { "" } else { "newest " };
        format!("the {newest}versions of {name} are {}", shown.join(", "))
    }

    /// A sentence that `name` is in none of the channels, and which names there are that look like it.
    fn nowhere(&self, name: &str) -> String {
        let channels: Vec<String> = self.channels.iter().map(|channel| public_url(channel.url()).to_string()).collect();
        let mut sentence = format!("no package \"{name}\" for {} or noarch in {}", self.platform, channels.join(", "));
        let similar = self.similar(name);
        if !similar.is_empty() {
            let _ = write!(sentence, "; similar names are {}", similar.join(", "));
        }
        sentence
    }

    /// The names most like `name`, the likest first.
    fn similar(&self, name: &str) -> Vec<&str> {
        let mut scored: Vec<(f64, &str)> = self
            .names
            .iter()
            .map(|known| (strsim::jaro_winkler(name, known.as_normalized()), known.as_normalized()))
            .filter(|(score, _)| *score >= SIMILAR)
            .collect();
        scored.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
        scored.into_iter().take(NAMES_SHOWN).map(|(_, known)| known).collect()
    }
}

/// Names of which the solver says that it found no candidates for some match spec.
fn without_candidates(failure: &str) -> BTreeSet<&str> {
    failure
        .lines()
        .filter(|line| line.to_lowercase().contains("no candidates were found"))
        .filter_map(|line| {
            // Lines are drawn as branches of a tree.
            let line =
                line.trim_start_matches(|character: char| !character.is_ascii_alphanumeric() && character != '_');
            line.trim_start_matches("No candidates were found for ").split([' ', ',', '[']).next()
        })
        .collect()
}
