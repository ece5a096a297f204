//! The validator that the settings describe: [`Rules`].

use std::collections::BTreeSet;

use async_trait::async_trait;
use rattler_conda_types::{ChannelUrl, MatchSpec, ParseStrictness};
use url::Url;

use super::{Action, ValidationContext, Validator, packages};
use crate::{
    Error, ErrorKind, Result,
    channel::ChannelAlias,
    lockfile::Lockfile,
    settings::Settings,
    specification::{CondaSpecification, LockfileSpecification, Specification},
};

/// The built-in validator: default and allowed channels; default, required and included packages of conda and of pip; and
/// no new environments where the disk is nearly full.
///
/// Channels are compared by their URLs (see [`ChannelAlias::resolve`]), also those that a match spec names, conda packages
/// by name, and pip packages by their names after [PEP 503](https://peps.python.org/pep-0503/#normalized-names). Included
/// pip packages are appended to the `pip:` list, which is made if there is none; pip itself is not added to the conda
/// packages. A lockfile is built as it is: allowed channels and required packages are checked, nothing is added.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules;

#[async_trait]
impl Validator for Rules {
    async fn validate(&self, context: &ValidationContext<'_>, specification: &mut Specification) -> Result<()> {
        let settings = context.settings;
        let channels = Channels::new(settings)?;
        match specification {
            Specification::Conda(conda) => {
                channels.complete(settings, conda)?;
                packages::complete(settings, conda)
            }
            Specification::Lockfile(lockfile) => check_lockfile(settings, &channels, lockfile),
        }
    }

    async fn allow(&self, context: &ValidationContext<'_>, action: Action) -> Result<()> {
        let threshold = context.settings.storage_threshold;
        match (action, context.free_space) {
            (Action::Create | Action::Update, Some(free)) if free < threshold => {
                let message = format!(
                    "only {} are free where environments are built, {} are needed to create or update one; delete builds \
                     or ask an administrator for room",
                    readable(free),
                    readable(threshold),
                );
                Err(Error::new(ErrorKind::Full, "check free space", message))
            }
            _ => Ok(()),
        }
    }
}

/// `bytes` in the largest unit of which there is at least one, with one decimal.
fn readable(bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} bytes"),
    }
}

/// Which channels are allowed.
struct Channels {
    alias: ChannelAlias,
    /// Empty where all are.
    allowed: Vec<ChannelUrl>,
}

impl Channels {
    fn new(settings: &Settings) -> Result<Self> {
        let alias = ChannelAlias::new(&settings.conda_channel_alias)?;
        let allowed = alias.resolve_all(settings.conda_allowed_channels.iter().map(String::as_str))?;
        Ok(Self { alias, allowed })
    }

    /// Adds default channels where `conda` has none, and checks all that it names.
    fn complete(&self, settings: &Settings, conda: &mut CondaSpecification) -> Result<()> {
        let mut urls = self.alias.resolve_all(conda.channels.iter().map(String::as_str))?;
        if urls.is_empty() {
            conda.channels.extend(settings.conda_default_channels.iter().cloned());
            urls = self.alias.resolve_all(conda.channels.iter().map(String::as_str))?;
        }
        for spec in conda.match_specs() {
            urls.extend(self.named_by(spec)?);
        }
        urls.iter().try_for_each(|url| self.check(url))
    }

    /// The channel that a match spec demands.
    fn named_by(&self, spec: &str) -> Result<Option<ChannelUrl>> {
        let parsed = parse(spec)?;
        if let Some(url) = &parsed.url {
            return self.of_package(url).map(Some);
        }
        match &parsed.channel {
            // The parser has resolved the name against its own alias, not against the configured one.
            Some(channel) => match &channel.name {
                Some(name) if !name.contains("://") => self.alias.resolve(name).map(Some),
                _ => self.alias.resolve(channel.base_url.as_str()).map(Some),
            },
            None => Ok(None),
        }
    }

    /// The channel of the package file at `url`, which is `CHANNEL/SUBDIR/FILE`.
    fn of_package(&self, url: &Url) -> Result<ChannelUrl> {
        let mut channel = url.clone();
        if let Ok(mut segments) = channel.path_segments_mut() {
            segments.pop().pop();
        }
        self.alias.resolve(channel.as_str())
    }

    fn check(&self, url: &ChannelUrl) -> Result<()> {
        if self.allowed.is_empty() || self.allowed.contains(url) {
            return Ok(());
        }
        let allowed: Vec<_> = self.allowed.iter().map(|url| url.as_str().trim_end_matches('/')).collect();
        let refused = url.as_str().trim_end_matches('/');
        let message = format!("channel {refused} is not allowed here; allowed are {}", allowed.join(", "));
        Err(Error::invalid("validate specification", message))
    }
}

fn check_lockfile(settings: &Settings, channels: &Channels, specification: &LockfileSpecification) -> Result<()> {
    let lockfile = Lockfile::from_json(&specification.lockfile)?;
    let urls: BTreeSet<Url> = lockfile.conda_urls().filter_map(|url| url.parse().ok()).collect();
    for url in &urls {
        channels.check(&channels.of_package(url)?)?;
    }
    packages::check_lockfile(settings, &lockfile)
}

/// `spec` as a match spec.
pub(super) fn parse(spec: &str) -> Result<MatchSpec> {
    MatchSpec::from_str(spec, ParseStrictness::Lenient).map_err(|error| {
        let message = format!("{spec:?} is no match spec ({error}); one looks like \"numpy >=1.26\"");
        Error::invalid("validate specification", message).with_source(error)
    })
}
