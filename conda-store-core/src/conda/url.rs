//! Addresses that may be shown and kept.

use url::Url;

/// `url` without user, password and token (`/t/TOKEN/`, as conda writes it).
pub(crate) fn public_url(url: &Url) -> Url {
    let mut public = url.clone();
    // Neither can fail where there is something to remove: such a URL has a host.
    let _ = public.set_username("");
    let _ = public.set_password(None);
    let path = public.path().to_owned();
    if let Some(rest) = path.strip_prefix("/t/").and_then(|rest| rest.split_once('/')) {
        public.set_path(rest.1);
    }
    public
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out() {
        for (url, public) in [
            ("https://user:word@conda.example.org/a/b?x=1", "https://conda.example.org/a/b?x=1"),
            ("https://conda.example.org/t/tk-123/forge/noarch/", "https://conda.example.org/forge/noarch/"),
            ("file:///srv/channel/noarch/", "file:///srv/channel/noarch/"),
        ] {
            assert_eq!(public_url(&url.parse().unwrap()).as_str(), public);
        }
    }
}
