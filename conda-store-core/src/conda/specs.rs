//! Match specs of a request, read once.

use std::sync::Arc;

use rattler_conda_types::{Channel, ChannelUrl, MatchSpec, PackageNameMatcher, ParseMatchSpecOptions};

use super::PackageLists;
use crate::{Error, Result, solver::SolveRequest};

const OPERATION: &str = "read match spec";

/// The match specs of `request`, each with an exact name, and with the channel that it names, if any, in the form in
/// which `lists` knows it.
pub(super) fn parsed(request: &SolveRequest, lists: &PackageLists) -> Result<Vec<MatchSpec>> {
    request.specs.iter().map(|text| parse(text, &request.channels, lists)).collect()
}

fn parse(text: &str, channels: &[ChannelUrl], lists: &PackageLists) -> Result<MatchSpec> {
    let mut spec = MatchSpec::from_str(text, ParseMatchSpecOptions::lenient())
        .map_err(|error| Error::invalid(OPERATION, format!("\"{text}\" is not a match spec")).with_source(error))?;
    if text.starts_with('-') {
        // To an external command it would be a flag.
        return Err(Error::invalid(OPERATION, format!("\"{text}\" begins with a hyphen")));
    }
    if spec.url.is_some() {
        let message = format!("\"{text}\" is a URL; name the package, and its channel among the channels");
        return Err(Error::invalid(OPERATION, message));
    }
    if !matches!(spec.name, PackageNameMatcher::Exact(_)) {
        return Err(Error::invalid(OPERATION, format!("\"{text}\" does not name one package")));
    }
    if let Some(channel) = &spec.channel {
        spec.channel = Some(Arc::new(lists.channel(among(text, channel, channels)?)));
    }
    Ok(spec)
}

/// The one of `channels` that `named` is: by URL, or by the end of its path.
fn among<'a>(text: &str, named: &Channel, channels: &'a [ChannelUrl]) -> Result<&'a ChannelUrl> {
    let ending = format!("/{}/", named.name().trim_matches('/'));
    channels
        .iter()
        .find(|channel| **channel == named.base_url || channel.url().path().ends_with(&ending))
        .ok_or_else(|| Error::invalid(OPERATION, format!("the channel of \"{text}\" is not among the channels")))
}
