//! An S3 service in this process: s3s speaks the protocol, checks signatures and decodes bodies; this keeps the objects, and
//! checks what S3 promises to check.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use axum::{Router, error_handling::HandleError, http::StatusCode};
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use s3s::{
    S3, S3Request, S3Response, S3Result,
    access::{S3Access, S3AccessContext},
    auth::SimpleAuth,
    checksum::ChecksumHasher,
    crypto::Crc32,
    dto::*,
    s3_error,
    service::S3ServiceBuilder,
};
use sha2::{Digest, Sha256};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{S3Credentials, S3Endpoint, S3StorageConfig};

/// The only bucket.
pub(super) const BUCKET: &str = "conda";
const ACCESS_KEY: &str = "access";
const SECRET_KEY: &str = "secret";

/// The smallest part but the last, in bytes.
const SMALLEST_PART: usize = 5 << 20;

/// A service that runs as long as this lives.
pub(super) struct Server {
    pub(super) address: String,
    objects: Arc<Mutex<Objects>>,
    _stop: DropGuard,
}

/// Whatever is in the bucket, and what is on its way there.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) blobs: BTreeMap<String, Object>,
    pub(super) uploads: BTreeMap<String, Unfinished>,
    /// How many requests there were, by operation.
    pub(super) requests: BTreeMap<&'static str, u32>,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    etag: String,
    modified: SystemTime,
    crc32: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Unfinished {
    pub(super) key: String,
    pub(super) parts: BTreeMap<i32, Bytes>,
    initiated: SystemTime,
}

impl Server {
    pub(super) async fn start() -> Self {
        let objects: Arc<Mutex<Objects>> = Arc::default();
        let mut service = S3ServiceBuilder::new(Bucket(Arc::clone(&objects)));
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        service.set_access(Doorkeeper);
        let broken = async |error: s3s::HttpError| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"));
        let router = Router::new().fallback_service(HandleError::new(service.build(), broken));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
        Self { address, objects, _stop: stop.drop_guard() }
    }

    pub(super) fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap()
    }

    /// What leads to the bucket.
    pub(super) fn config(&self) -> S3StorageConfig {
        config_at(&self.address)
    }
}

/// What leads to the bucket by way of `address`.
pub(super) fn config_at(address: &str) -> S3StorageConfig {
    S3StorageConfig::new(S3Endpoint::new(address, false).unwrap(), BUCKET, credentials(ACCESS_KEY, SECRET_KEY, None))
}

pub(super) fn credentials(access: &str, secret: &str, token: Option<&str>) -> S3Credentials {
    S3Credentials::Static { access_key: access.into(), secret_key: secret.into(), session_token: token.map(Into::into) }
}

/// Lets everybody in whose signature is right, except with a session token that has expired.
struct Doorkeeper;

#[async_trait::async_trait]
impl S3Access for Doorkeeper {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied));
        }
        let expired = context.headers().get("x-amz-security-token").is_some_and(|token| token == "expired");
        if expired { Err(s3_error!(ExpiredToken)) } else { Ok(()) }
    }
}

struct Bucket(Arc<Mutex<Objects>>);

#[expect(clippy::unnecessary_wraps, reason = "the operations return results")]
fn answer<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

fn crc32(bytes: &[u8]) -> String {
    let mut hasher = ChecksumHasher { crc32: Some(Crc32::default()), ..ChecksumHasher::default() };
    hasher.update(bytes);
    hasher.finalize().checksum_crc32.unwrap()
}

/// The whole body, if it is what its checksum says; there has to be one.
async fn body(body: Option<StreamingBlob>, checksum: Option<&str>) -> S3Result<Bytes> {
    let parts: Vec<Bytes> = match body {
        Some(body) => body.try_collect().await.map_err(|_| s3_error!(IncompleteBody))?,
        None => Vec::new(),
    };
    let bytes: Bytes = parts.concat().into();
    if checksum == Some(&crc32(&bytes)) { Ok(bytes) } else { Err(s3_error!(BadDigest)) }
}

impl Object {
    fn new(bytes: Bytes, crc32: Option<String>) -> Self {
        let etag = hex::encode(&Sha256::digest(&bytes)[..16]);
        Self { bytes, etag, modified: SystemTime::now(), crc32 }
    }

    #[expect(clippy::unnecessary_wraps, reason = "answers take options")]
    fn tag(&self) -> Option<ETag> {
        Some(ETag::Strong(self.etag.clone()))
    }
}

impl Bucket {
    fn objects(&self, bucket: &str, operation: &'static str) -> S3Result<MutexGuard<'_, Objects>> {
        let mut objects = self.0.lock().unwrap();
        *objects.requests.entry(operation).or_default() += 1;
        if bucket == BUCKET { Ok(objects) } else { Err(s3_error!(NoSuchBucket)) }
    }
}

#[async_trait::async_trait]
impl S3 for Bucket {
    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let (input, page) = (request.input, 3);
        let objects = self.objects(&input.bucket, "list")?;
        let (prefix, after) = (input.prefix.unwrap_or_default(), input.continuation_token.unwrap_or_default());
        let found =
            objects.blobs.iter().filter(|(key, _)| key.starts_with(&prefix) && (after.is_empty() || **key > after));
        let found: Vec<_> = found.take(page + 1).collect();
        let contents = found.iter().take(page).map(|(key, object)| s3s::dto::Object {
            key: Some((*key).clone()),
            size: i64::try_from(object.bytes.len()).ok(),
            last_modified: Some(object.modified.into()),
            e_tag: object.tag(),
            ..Default::default()
        });
        answer(ListObjectsV2Output {
            contents: Some(contents.collect()),
            is_truncated: Some(found.len() > page),
            next_continuation_token: (found.len() > page).then(|| found[page - 1].0.clone()),
            ..Default::default()
        })
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let objects = self.objects(&request.input.bucket, "head")?;
        let object = objects.blobs.get(&request.input.key).ok_or_else(|| s3_error!(NoSuchKey))?;
        answer(HeadObjectOutput {
            content_length: i64::try_from(object.bytes.len()).ok(),
            last_modified: Some(object.modified.into()),
            e_tag: object.tag(),
            ..Default::default()
        })
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object = self.objects(&input.bucket, "get")?.blobs.get(&input.key).cloned();
        let object = object.ok_or_else(|| s3_error!(NoSuchKey))?;
        if input
            .if_match
            .as_ref()
            .and_then(ETagCondition::as_etag)
            .is_some_and(|tag| Some(tag) != object.tag().as_ref())
        {
            return Err(s3_error!(PreconditionFailed));
        }
        let size = object.bytes.len();
        let range = input.range.map(|range| range.check(size as u64)).transpose()?;
        let content_range = range.as_ref().map(|range| format!("bytes {}-{}/{size}", range.start, range.end - 1));
        let whole = range.is_none() && input.checksum_mode.is_some();
        let index = |at: u64| usize::try_from(at).unwrap();
        let bytes =
            range.map_or(object.bytes.clone(), |range| object.bytes.slice(index(range.start)..index(range.end)));
        let chunks: Vec<_> =
            bytes.chunks(64 << 10).map(|chunk| Ok::<_, std::io::Error>(bytes.slice_ref(chunk))).collect();
        answer(GetObjectOutput {
            content_length: i64::try_from(bytes.len()).ok(),
            content_range,
            last_modified: Some(object.modified.into()),
            e_tag: object.tag(),
            checksum_crc32: object.crc32.filter(|_| whole),
            content_type: input.response_content_type,
            content_disposition: input.response_content_disposition,
            body: Some(StreamingBlob::wrap(stream::iter(chunks))),
            ..Default::default()
        })
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let bytes = body(input.body, input.checksum_crc32.as_deref()).await?;
        let object = Object::new(bytes, input.checksum_crc32);
        let e_tag = object.tag();
        self.objects(&input.bucket, "put")?.blobs.insert(input.key, object);
        answer(PutObjectOutput { e_tag, ..Default::default() })
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.objects(&request.input.bucket, "delete")?.blobs.remove(&request.input.key);
        answer(DeleteObjectOutput::default())
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let id = uuid::Uuid::new_v4().to_string();
        let upload = Unfinished { key: request.input.key, parts: BTreeMap::new(), initiated: SystemTime::now() };
        self.objects(&request.input.bucket, "begin")?.uploads.insert(id.clone(), upload);
        answer(CreateMultipartUploadOutput { upload_id: Some(id), ..Default::default() })
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let bytes = body(input.body, input.checksum_crc32.as_deref()).await?;
        let e_tag = Object::new(bytes.clone(), None).tag();
        let mut objects = self.objects(&input.bucket, "part")?;
        let upload = objects.uploads.get_mut(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        upload.parts.insert(input.part_number, bytes);
        answer(UploadPartOutput { e_tag, checksum_crc32: input.checksum_crc32, ..Default::default() })
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let mut objects = self.objects(&input.bucket, "complete")?;
        let upload = objects.uploads.get(&input.upload_id).cloned().ok_or_else(|| s3_error!(NoSuchUpload))?;
        let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let (mut bytes, last) = (Vec::new(), named.len() - 1);
        for (index, part) in named.iter().enumerate() {
            let sent = upload.parts.get(&part.part_number.unwrap()).ok_or_else(|| s3_error!(InvalidPart))?;
            if part.checksum_crc32 != Some(crc32(sent)) || part.e_tag != Object::new(sent.clone(), None).tag() {
                return Err(s3_error!(InvalidPart));
            }
            if index != last && sent.len() < SMALLEST_PART {
                return Err(s3_error!(EntityTooSmall));
            }
            bytes.extend_from_slice(sent);
        }
        let object = Object::new(bytes.into(), None);
        let e_tag = object.tag();
        objects.uploads.remove(&input.upload_id);
        objects.blobs.insert(input.key, object);
        answer(CompleteMultipartUploadOutput { e_tag, ..Default::default() })
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.objects(&request.input.bucket, "abort")?.uploads.remove(&request.input.upload_id);
        answer(AbortMultipartUploadOutput::default())
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let objects = self.objects(&request.input.bucket, "uploads")?;
        let uploads = objects.uploads.iter().map(|(id, upload)| MultipartUpload {
            key: Some(upload.key.clone()),
            upload_id: Some(id.clone()),
            initiated: Some(upload.initiated.into()),
            ..Default::default()
        });
        answer(ListMultipartUploadsOutput { uploads: Some(uploads.collect()), ..Default::default() })
    }
}
