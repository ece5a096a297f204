//! Where a service is.

use std::fmt;

use conda_store_core::{Error, Result};
use url::Url;

/// The address of an S3 service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Endpoint(Url);

impl S3Endpoint {
    /// The service at `host`, a name or an address and perhaps a port, spoken to by https where it is `secure`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](conda_store_core::ErrorKind::Invalid) for anything but `HOST` or `HOST:PORT`.
    pub fn new(host: &str, secure: bool) -> Result<Self> {
        let scheme = if secure { "https" } else { "http" };
        let text = format!("{scheme}://{host}/");
        let plain = !host.is_empty() && !host.contains(['/', '\\', '@', '?', '#']) && host.trim() == host;
        let url = text.parse::<Url>().ok().filter(|url| plain && url.has_host());
        let message = || format!("{host:?} is no endpoint; HOST or HOST:PORT is taken, such as minio:9000");
        url.map(Self).ok_or_else(|| Error::invalid("read endpoint", message()))
    }

    /// What requests are sent to; `None` where that follows from the region of the bucket, as at Amazon's.
    pub(super) fn address(&self) -> Option<&str> {
        (self.0.host_str() != Some("s3.amazonaws.com")).then(|| self.0.as_str())
    }

    /// Whether the bucket stands in the path of an address and not in its host name. Only Amazon's own names can be relied
    /// on to resolve with a bucket in front of them.
    pub(super) fn is_path_style(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        !host.ends_with(".amazonaws.com") && !host.ends_with(".amazonaws.com.cn")
    }
}

impl fmt::Display for S3Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_host_and_perhaps_a_port() {
        for (host, secure, shown) in [
            ("minio:9000", false, "http://minio:9000"),
            ("minio:443", true, "https://minio"),
            ("[::1]:9000", false, "http://[::1]:9000"),
            ("s3.eu-central-1.amazonaws.com", true, "https://s3.eu-central-1.amazonaws.com"),
        ] {
            assert_eq!(S3Endpoint::new(host, secure).unwrap().to_string(), shown);
        }
        for host in ["", "http://minio:9000", "minio/bucket", "minio:port", "a b", "me@minio", "minio?x", " minio"] {
            let error = S3Endpoint::new(host, true).unwrap_err().to_string();
            assert!(error.contains("HOST or HOST:PORT is taken"), "{error}");
        }
    }

    #[test]
    fn only_amazon_has_buckets_in_host_names() {
        let endpoint = |host| S3Endpoint::new(host, true).unwrap();
        assert!(endpoint("minio:9000").is_path_style());
        assert!(endpoint("amazonaws.com.example.org").is_path_style());
        assert!(!endpoint("s3.amazonaws.com").is_path_style());
        assert_eq!(endpoint("s3.amazonaws.com").address(), None);
        assert!(!endpoint("s3.eu-central-1.amazonaws.com").is_path_style());
        assert_eq!(endpoint("minio").address(), Some("https://minio/"));
    }
}
