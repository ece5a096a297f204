//! Channels as people write them, and the one URL that each of them stands for: [`ChannelAlias`].

use rattler_conda_types::ChannelUrl;
use url::Url;

use crate::{Error, Result};

/// In a list of channels: "do not add my default channels", which nothing here does. It is no channel.
const NO_DEFAULTS: &str = "nodefaults";

/// The channels that conda means by `defaults` on Linux and macOS
/// (<https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/settings.html#default-channels>).
const DEFAULTS: [&str; 2] = ["https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"];

/// What is prepended to the name of a channel (`conda_channel_alias`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAlias(Url);

impl ChannelAlias {
    /// An alias; `url` is one of http, https or file.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where it is none, or carries credentials.
    pub fn new(url: &str) -> Result<Self> {
        public_url(url).map(Self)
    }

    /// The URL of `channel`: a name such as `conda-forge` or `conda-forge/label/dev`, a URL, or an absolute path.
    /// Different spellings of a channel (a slash at the end, a default port, capitals in a host) have one URL.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where it is nothing of that. Also where a URL carries credentials
    /// or a token (`/t/TOKEN/`): specifications are kept and shown, so whoever fetches from the channel has to have them.
    pub fn resolve(&self, channel: &str) -> Result<ChannelUrl> {
        let url = if channel.contains("://") {
            public_url(channel)?
        } else if channel.starts_with('/') {
            directory(channel)?
        } else {
            self.named(channel)?
        };
        Ok(url.into())
    }

    /// What conda calls the channel at `url`: the name that [`resolve`](Self::resolve) would make this URL of, or the URL.
    #[must_use]
    pub fn name(&self, url: &str) -> String {
        let url = url.trim_end_matches('/');
        if DEFAULTS.contains(&url) {
            return "defaults".into();
        }
        let alias = self.0.as_str().trim_end_matches('/');
        let name = url.strip_prefix(alias).and_then(|rest| rest.strip_prefix('/'));
        name.unwrap_or(url).to_owned()
    }

    /// The URLs of several channels, each once, in order. `defaults` stands for two of them, `nodefaults` for none.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn resolve_all<'a>(&self, channels: impl IntoIterator<Item = &'a str>) -> Result<Vec<ChannelUrl>> {
        let mut urls = Vec::new();
        for channel in channels {
            let channels = match channel {
                NO_DEFAULTS => Vec::new(),
                "defaults" => DEFAULTS.to_vec(),
                other => vec![other],
            };
            for channel in channels {
                let url = self.resolve(channel)?;
                if !urls.contains(&url) {
                    urls.push(url);
                }
            }
        }
        Ok(urls)
    }

    fn named(&self, name: &str) -> Result<Url> {
        let is_segment = |segment: &str| {
            let known = |character: char| character.is_ascii_alphanumeric() || "-_.+".contains(character);
            !segment.is_empty() && !matches!(segment, "." | "..") && segment.chars().all(known)
        };
        let name = name.trim_end_matches('/');
        if !name.split('/').all(is_segment) {
            let message = format!("{name:?} is no channel; a name, a URL or an absolute path is taken");
            return Err(invalid(message));
        }
        let url = format!("{}/{name}", self.0.as_str().trim_end_matches('/'));
        Url::parse(&url).map_err(|error| invalid(format!("{name:?} is no channel: {error}")))
    }
}

fn invalid(message: String) -> Error {
    Error::invalid("read channel", message)
}

fn directory(path: &str) -> Result<Url> {
    // The parser of URLs takes `..` out by itself; here nobody needs it.
    if path.split('/').any(|segment| segment == "..") {
        return Err(invalid(format!("the path of channel {path:?} leads through \"..\"")));
    }
    let path = format!("/{}", path.trim_matches('/'));
    Url::from_directory_path(&path).map_err(|()| invalid(format!("{path:?} is no absolute path on this system")))
}

/// `text` as a URL that may be kept and shown. Errors do not repeat it, it could be secret in part.
fn public_url(text: &str) -> Result<Url> {
    let mut url = Url::parse(text).map_err(|error| invalid(format!("the URL of a channel is none: {error}")))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    if !matches!(url.scheme(), "http" | "https" | "file") {
        let message =
            format!("the URL of a channel on {host:?} has the scheme {}; taken are http, https, file", url.scheme());
        return Err(invalid(message));
    }
    if carries_secrets(&url) {
        let message = format!(
            "the URL of a channel on {host:?} carries a password, a token or a query; write it without, and have the \
             credentials configured where packages are fetched"
        );
        return Err(invalid(message));
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// Whether `url` has parts in which credentials are written.
fn carries_secrets(url: &Url) -> bool {
    stripped(url) != *url
}

/// `url` without everything in which credentials are written: user, password, `/t/TOKEN` at the start of the path as
/// anaconda.org has it, query and fragment.
pub(crate) fn stripped(url: &Url) -> Url {
    let mut stripped = url.clone();
    // Both fail for URLs that have no such parts.
    let _ = stripped.set_username("");
    let _ = stripped.set_password(None);
    stripped.set_query(None);
    stripped.set_fragment(None);
    if let Some(rest) = url.path().strip_prefix("/t/") {
        let rest = rest.split_once('/').map_or("", |(_, rest)| rest);
        stripped.set_path(rest);
    }
    stripped
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn alias() -> ChannelAlias {
        ChannelAlias::new("https://conda.anaconda.org").unwrap()
    }

    fn refusal(channel: &str) -> String {
        let message = alias().resolve(channel).unwrap_err().to_string();
        assert!(!message.contains("secret"), "{message}");
        message
    }

    #[test]
    fn every_spelling_has_one_url() {
        for (channel, url) in [
            ("conda-forge", "https://conda.anaconda.org/conda-forge/"),
            ("conda-forge/", "https://conda.anaconda.org/conda-forge/"),
            ("conda-forge/label/rust_dev", "https://conda.anaconda.org/conda-forge/label/rust_dev/"),
            ("https://conda.anaconda.org/conda-forge", "https://conda.anaconda.org/conda-forge/"),
            ("HTTPS://Conda.Anaconda.ORG:443/conda-forge//", "https://conda.anaconda.org/conda-forge/"),
            ("http://localhost:8000/x", "http://localhost:8000/x/"),
            ("file:///srv/channel", "file:///srv/channel/"),
            ("/srv/channel/", "file:///srv/channel/"),
            ("/srv/a channel", "file:///srv/a%20channel/"),
        ] {
            assert_eq!(alias().resolve(channel).unwrap().as_str(), url);
        }
    }

    #[test]
    fn a_channel_is_called_as_people_write_it() {
        for (url, name) in [
            ("https://conda.anaconda.org/conda-forge/", "conda-forge"),
            ("https://conda.anaconda.org/conda-forge/label/dev", "conda-forge/label/dev"),
            ("https://repo.anaconda.com/pkgs/main/", "defaults"),
            ("file:///srv/channel/", "file:///srv/channel"),
        ] {
            assert_eq!(alias().name(url), name);
        }
    }

    #[test]
    fn an_alias_may_have_a_path() {
        let alias = ChannelAlias::new("https://proxy.example.org/conda/").unwrap();
        assert_eq!(alias.resolve("main").unwrap().as_str(), "https://proxy.example.org/conda/main/");
    }

    #[test]
    fn defaults_are_two_and_nodefaults_none() {
        let channels = ["conda-forge", "nodefaults", "defaults", "https://conda.anaconda.org/conda-forge/"];
        let urls = alias().resolve_all(channels).unwrap();
        let urls: Vec<_> = urls.iter().map(ChannelUrl::as_str).collect();
        assert_eq!(
            urls,
            [
                "https://conda.anaconda.org/conda-forge/",
                "https://repo.anaconda.com/pkgs/main/",
                "https://repo.anaconda.com/pkgs/r/"
            ]
        );
    }

    #[test]
    fn refuses_what_is_no_channel_and_what_is_secret() {
        assert_snapshot!(refusal(""), @r#""" is no channel; a name, a URL or an absolute path is taken"#);
        assert_snapshot!(refusal("../x"), @r#""../x" is no channel; a name, a URL or an absolute path is taken"#);
        assert_snapshot!(refusal("a//b"), @r#""a//b" is no channel; a name, a URL or an absolute path is taken"#);
        assert_snapshot!(refusal("a b"), @r#""a b" is no channel; a name, a URL or an absolute path is taken"#);
        assert_snapshot!(refusal("a?x=y"), @r#""a?x=y" is no channel; a name, a URL or an absolute path is taken"#);
        assert_snapshot!(refusal("/srv/../etc"), @r#"the path of channel "/srv/../etc" leads through "..""#);
        assert_snapshot!(refusal("ftp://example.org/x"), @r#"the URL of a channel on "example.org" has the scheme ftp; taken are http, https, file"#);
        assert_snapshot!(refusal("https://[/x"), @"the URL of a channel is none: invalid IPv6 address");
        assert_snapshot!(refusal("https://user:secret@example.org/x"), @r#"the URL of a channel on "example.org" carries a password, a token or a query; write it without, and have the credentials configured where packages are fetched"#);
        for secret in [
            "https://secret@example.org/x",
            "https://example.org/t/secret/x",
            "https://example.org/x?token=secret",
            "https://example.org/x#secret",
        ] {
            assert!(refusal(secret).contains("carries a password, a token or a query"), "{secret}");
        }
    }

    #[test]
    fn strips_what_is_secret() {
        let url = "https://user:secret@example.org/t/secret/x/linux-64/a-1-0.conda?token=secret#secret";
        assert_eq!(stripped(&url.parse().unwrap()).as_str(), "https://example.org/x/linux-64/a-1-0.conda");
    }
}
