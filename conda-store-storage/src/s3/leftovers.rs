//! What a process left behind that came to a sudden end: uploads of which nobody sees anything.

use aws_sdk_s3::{Client, primitives::DateTime};
use conda_store_core::{Error, Result, clock::Timestamp};
use tracing::info;

use super::{backend::timestamp, error::failed};
use crate::leftovers::STALE;

/// Removes the stale uploads of a bucket whose keys start with `prefix`.
pub(super) async fn sweep(client: &Client, bucket: &str, prefix: &str, now: Timestamp) -> Result<()> {
    let (mut key, mut upload) = (None, None);
    loop {
        let page = client.list_multipart_uploads().bucket(bucket).prefix(prefix);
        let page = page
            .set_key_marker(key)
            .set_upload_id_marker(upload)
            .send()
            .await
            .map_err(|error| failed("list uploads", error))?;
        for upload in page.uploads() {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
            // Not every service looks at the prefix.
            if key.starts_with(prefix) && is_stale(upload.initiated(), now)? {
                let abort = client.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
                abort.send().await.map_err(|error| failed("remove stale upload", error))?;
                info!(storage.key = key, "removed a stale upload");
            }
        }
        if page.is_truncated() != Some(true) {
            return Ok(());
        }
        (key, upload) = (page.next_key_marker, page.next_upload_id_marker);
    }
}

fn is_stale(initiated: Option<&DateTime>, now: Timestamp) -> Result<bool> {
    let initiated = initiated.ok_or_else(|| Error::unexpected("list uploads", "an upload has no time"))?;
    Ok(now.since(timestamp(*initiated)?) >= STALE)
}
