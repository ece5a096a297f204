//! Certificates for services with TLS.

use conda_store_core::{Error, Result};
use url::Url;

/// The parameter of a URL that leads to a file of certificates, as Celery names it.
const PARAMETER: &str = "ssl_ca_certs";

/// The certificates, in PEM, of the authorities that may vouch for the service at `url`: what is in the file that its
/// parameter `ssl_ca_certs` names. `None` where it names none; then those that browsers trust may.
///
/// # Errors
/// A file that cannot be read.
pub(crate) async fn authorities(operation: &'static str, url: &str) -> Result<Option<String>> {
    let Ok(url) = Url::parse(url) else { return Ok(None) };
    let Some((_, path)) = url.query_pairs().find(|(key, _)| key == PARAMETER) else { return Ok(None) };
    let text = tokio::fs::read_to_string(&*path).await;
    text.map(Some).map_err(|cause| Error::io(operation, cause).with(PARAMETER, path))
}
