//! From a producer to the service, in parts that are each in memory for as long as they are on their way.

use aws_sdk_s3::{
    Client,
    primitives::ByteStream as Payload,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use bytes::{Bytes, BytesMut};
use conda_store_core::{
    Error, Result,
    storage::{Body, ByteStream},
};
use futures::{StreamExt, TryStreamExt, stream::Fuse};
use tokio::task::JoinSet;
use tracing::warn;

use super::{backend::etag, error::failed};

/// Bytes of each of the first parts; blobs that are smaller go up in one request.
const PART: usize = 8 << 20;

/// Parts of one size: then the size doubles, so that the 10,000 parts that S3 allows hold more than the 5 TiB that it allows.
const PARTS_OF_A_SIZE: usize = 1000;

/// Parts that are on their way at the same time.
const IN_FLIGHT: usize = 4;

/// What came of an upload.
#[derive(Debug)]
pub(super) struct Uploaded {
    pub(super) size: u64,
    pub(super) etag: String,
}

/// A place for a blob.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) bucket: String,
    pub(super) key: String,
}

impl Target {
    /// Puts `body` there.
    pub(super) async fn upload(self, body: Body) -> Result<Uploaded> {
        let mut parts = Parts { stream: body.into_stream().await?.fuse(), pending: Bytes::new(), number: 0, size: 0 };
        let first = parts.next().await?.unwrap_or_default();
        if first.len() < PART {
            return self.put(first).await;
        }
        let mut upload = Multipart::begin(self).await?;
        let sent = upload.send(first, &mut parts).await;
        let etag = match sent {
            Ok(parts) => upload.complete(parts).await,
            Err(error) => Err(error),
        };
        if etag.is_err() {
            upload.abort().await;
        }
        Ok(Uploaded { size: parts.size, etag: etag? })
    }

    /// Puts a small blob there in one request.
    async fn put(self, bytes: Bytes) -> Result<Uploaded> {
        let size = bytes.len() as u64;
        let request = self.client.put_object().bucket(self.bucket).key(self.key).body(Payload::from(bytes));
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let answer = request.send().await.map_err(|error| failed("write blob", error))?;
        Ok(Uploaded { size, etag: etag("write blob", answer.e_tag())? })
    }
}

/// A body cut into parts.
struct Parts {
    /// Fused: the part after the last asks it once more.
    stream: Fuse<ByteStream>,
    /// What came from the stream and is in no part yet.
    pending: Bytes,
    /// How many parts there were.
    number: usize,
    /// How many bytes there were.
    size: u64,
}

impl Parts {
    /// The next part, all of them but the last of the full size.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let size = PART << (self.number / PARTS_OF_A_SIZE);
        let mut part = BytesMut::with_capacity(if self.number == 0 { 0 } else { size });
        while part.len() < size {
            if self.pending.is_empty() {
                let Some(pending) = self.stream.try_next().await? else { break };
                self.pending = pending;
            } else {
                let taken = self.pending.len().min(size - part.len());
                part.extend_from_slice(&self.pending.split_to(taken));
            }
        }
        self.number += 1;
        self.size += part.len() as u64;
        Ok((!part.is_empty()).then(|| part.freeze()))
    }
}

/// An upload in parts, of which nobody sees anything until it is complete; dropped before, it is removed.
struct Multipart {
    target: Target,
    id: String,
    open: bool,
}

impl Multipart {
    async fn begin(target: Target) -> Result<Self> {
        let request = target.client.create_multipart_upload().bucket(&target.bucket).key(&target.key);
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let begun = request.send().await.map_err(|error| failed("begin upload", error))?;
        let missing = || Error::unexpected("begin upload", "the service gave the upload no name");
        let id = begun.upload_id.ok_or_else(missing)?;
        Ok(Self { target, id, open: true })
    }

    /// Sends `first` and all other parts, some of them at the same time.
    async fn send(&self, first: Bytes, parts: &mut Parts) -> Result<Vec<CompletedPart>> {
        // Tasks, so that the checksums of several parts are taken on several processors.
        let (mut sending, mut sent) = (JoinSet::new(), Vec::new());
        let mut next = Some(first);
        for number in 1.. {
            let Some(part) = next else { break };
            if sending.len() == IN_FLIGHT {
                sent.extend(finished(&mut sending).await?);
            }
            sending.spawn(send_part(self.target.clone(), self.id.clone(), number, part));
            next = parts.next().await?;
        }
        while let Some(part) = finished(&mut sending).await? {
            sent.push(part);
        }
        sent.sort_by_key(CompletedPart::part_number);
        Ok(sent)
    }

    /// Makes the parts a blob, and returns its tag.
    async fn complete(&mut self, parts: Vec<CompletedPart>) -> Result<String> {
        let Target { client, bucket, key } = &self.target;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(&self.id);
        let answer = request.multipart_upload(parts).send().await.map_err(|error| failed("complete upload", error))?;
        self.open = false;
        let tag = etag("complete upload", answer.e_tag());
        if tag.is_ok() {
            return tag;
        }
        // Ceph leaves it out here; it is with the blob.
        let blob = client.head_object().bucket(bucket).key(key).send().await;
        etag("complete upload", blob.map_err(|error| failed("complete upload", error))?.e_tag())
    }

    /// Removes what was sent. What cannot be removed now is found by a later sweep.
    async fn abort(&mut self) {
        if std::mem::take(&mut self.open) {
            abort(self.target.clone(), std::mem::take(&mut self.id)).await;
        }
    }
}

/// The next part that has arrived, if any is on its way.
async fn finished(sending: &mut JoinSet<Result<CompletedPart>>) -> Result<Option<CompletedPart>> {
    let aborted = |error| Error::unexpected("write part of a blob", "the task was aborted").with_source(error);
    sending.join_next().await.map(|joined| joined.map_err(aborted)?).transpose()
}

async fn send_part(target: Target, id: String, number: i32, part: Bytes) -> Result<CompletedPart> {
    let Target { client, bucket, key } = target;
    let request = client.upload_part().bucket(bucket).key(key).upload_id(id).part_number(number);
    let request = request.body(Payload::from(part)).checksum_algorithm(ChecksumAlgorithm::Crc32);
    let answer = request.send().await.map_err(|error| failed("write part of a blob", error))?;
    let part = CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag);
    // A service that knows no checksums gives none back.
    Ok(part.set_checksum_crc32(answer.checksum_crc32).build())
}

impl Drop for Multipart {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(abort(self.target.clone(), std::mem::take(&mut self.id)));
        }
    }
}

async fn abort(target: Target, id: String) {
    let request = target.client.abort_multipart_upload().bucket(target.bucket).key(&target.key).upload_id(id);
    if let Err(error) = request.send().await {
        let error = failed("remove an unfinished upload", error);
        warn!(storage.key = target.key, error = error.report(), "could not remove an unfinished upload");
    }
}
