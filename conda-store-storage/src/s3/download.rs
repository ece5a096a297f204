//! From the service to a reader; a transfer that is cut goes on where it was cut.

use std::{ops::Range, time::Duration};

use aws_sdk_s3::{Client, operation::get_object::GetObjectOutput, primitives::ByteStream as Payload};
use bytes::Bytes;
use conda_store_core::{
    Error, ErrorKind, Result,
    storage::{BlobInfo, ByteStream},
};
use futures::{StreamExt, stream};
use tracing::warn;

use super::error::failed;

/// How often in a row a transfer is taken up again without a byte having come.
const RESUMPTIONS: u32 = 5;

/// The wait before it is taken up; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// An object on its way to a reader.
struct Download {
    client: Client,
    bucket: String,
    key: String,
    etag: String,
    /// What is still to come.
    rest: Range<u64>,
    body: Payload,
    /// How often it was taken up since the last byte came.
    resumed: u32,
}

/// The bytes `range` of an object, which `body` began to give.
pub(super) fn stream(client: Client, bucket: String, info: &BlobInfo, range: Range<u64>, body: Payload) -> ByteStream {
    let (key, etag) = (info.key.to_string(), info.etag.clone());
    let download = Download { client, bucket, key, etag, rest: range, body, resumed: 0 };
    stream::try_unfold(download, |mut download| async move {
        let next = download.next().await?;
        Ok(next.map(|bytes| (bytes, download)))
    })
    .boxed()
}

impl Download {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let failure = match self.body.try_next().await {
                Ok(Some(bytes)) => {
                    self.rest.start += bytes.len() as u64;
                    self.resumed = 0;
                    return Ok(Some(bytes));
                }
                Ok(None) if self.rest.is_empty() => return Ok(None),
                Ok(None) => "the answer ended too early".to_owned(),
                // The checksum is looked at when everything is there.
                Err(error) if self.rest.is_empty() => {
                    let message = "the bytes are not those that were stored";
                    return Err(Error::new(ErrorKind::Corrupt, "read blob", message)
                        .with("key", &self.key)
                        .with_source(error));
                }
                Err(error) => error.to_string(),
            };
            self.resume(failure).await?;
        }
    }

    async fn resume(&mut self, failure: String) -> Result<()> {
        if self.resumed == RESUMPTIONS {
            let message = "the service breaks off again and again";
            return Err(Error::new(ErrorKind::Unavailable, "read blob", message)
                .with("key", &self.key)
                .with_source(failure));
        }
        warn!(storage.key = self.key, error = failure, "a download broke off and is taken up again");
        tokio::time::sleep(FIRST_WAIT * (1 << self.resumed)).await;
        self.resumed += 1;
        let request = self.client.get_object().bucket(&self.bucket).key(&self.key);
        let request = request.if_match(format!("\"{}\"", self.etag)).range(header(&self.rest));
        let answer = request.send().await.map_err(|error| failed("read blob", error).with("key", &self.key))?;
        self.body = answer.body;
        Ok(())
    }
}

/// Whether the header `Range` has a form for it. An empty one has none; services differ in what they make of numbers that are
/// too large for their own.
pub(super) fn can_be_asked(range: &Range<u64>) -> bool {
    !range.is_empty() && i64::try_from(range.start).is_ok()
}

/// The header `Range` (RFC 9110) for a range that [`can_be_asked`] for.
pub(super) fn header(range: &Range<u64>) -> String {
    match i64::try_from(range.end) {
        Ok(end) => format!("bytes={}-{}", range.start, end - 1),
        Err(_) => format!("bytes={}-", range.start),
    }
}

/// The range that an answer holds, and the size of the whole object.
pub(super) fn extent(answer: &GetObjectOutput) -> Result<(Range<u64>, u64)> {
    let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
    let unreadable = || Error::unexpected("read blob", "the service does not say what part of the blob it sends");
    let length = length.ok_or_else(unreadable)?;
    let Some(text) = answer.content_range() else { return Ok((0..length, length)) };
    let parsed = text.strip_prefix("bytes ").and_then(|text| {
        let (range, size) = text.split_once('/')?;
        let start: u64 = range.split_once('-')?.0.parse().ok()?;
        Some((start..start + length, size.parse().ok()?))
    });
    parsed.ok_or_else(unreadable)
}
