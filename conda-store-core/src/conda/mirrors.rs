//! Where a channel is really fetched from while it keeps its public name.

use std::collections::BTreeMap;

use url::Url;

/// URL prefixes of channels, and the prefixes of the mirrors to use in their place (`conda_channel_mirrors`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelMirrors(BTreeMap<Url, Vec<Url>>);

impl ChannelMirrors {
    /// Mirrors by public prefix; a prefix counts as a directory, with or without a slash at its end.
    pub fn new(mirrors: impl IntoIterator<Item = (Url, Vec<Url>)>) -> Self {
        let directories = |urls: Vec<Url>| urls.into_iter().map(directory).collect();
        Self(mirrors.into_iter().map(|(prefix, mirrors)| (directory(prefix), directories(mirrors))).collect())
    }

    /// The prefixes and their mirrors.
    pub fn iter(&self) -> impl Iterator<Item = (&Url, &[Url])> {
        self.0.iter().map(|(prefix, mirrors)| (prefix, mirrors.as_slice()))
    }

    /// The addresses to try for `url`, in order: those of the longest matching prefix's mirrors, or `url` itself where
    /// no prefix matches. A mirrored URL is never fetched from its public address: an air-gapped site has no way there.
    #[must_use]
    pub fn candidates(&self, url: &Url) -> Vec<Url> {
        let longest = self
            .0
            .iter()
            .filter_map(|(prefix, mirrors)| Some((rest(url, prefix)?, mirrors)))
            .min_by_key(|(rest, _)| rest.len());
        match longest {
            Some((rest, mirrors)) if !mirrors.is_empty() => {
                mirrors.iter().filter_map(|mirror| mirror.join(rest).ok()).collect()
            }
            _ => vec![url.clone()],
        }
    }
}

fn directory(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

/// What follows `prefix` in `url`.
fn rest<'a>(url: &'a Url, prefix: &Url) -> Option<&'a str> {
    url.as_str().strip_prefix(prefix.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn the_longest_prefix_decides_and_a_prefix_ends_at_a_slash() {
        let mirrors = ChannelMirrors::new([
            (url("https://conda.example.org"), vec![url("http://mirror/all")]),
            (url("https://conda.example.org/forge"), vec![url("http://a/forge/"), url("file:///b/forge")]),
        ]);
        let found = mirrors.candidates(&url("https://conda.example.org/forge/noarch/x.conda"));
        assert_eq!(found, [url("http://a/forge/noarch/x.conda"), url("file:///b/forge/noarch/x.conda")]);
        let found = mirrors.candidates(&url("https://conda.example.org/forgery/noarch/x.conda"));
        assert_eq!(found, [url("http://mirror/all/forgery/noarch/x.conda")]);
        let elsewhere = url("https://conda.example.com/x");
        assert_eq!(mirrors.candidates(&elsewhere), [elsewhere]);
    }
}
