//! Where the blobs of artifacts are kept: the trait [`Storage`] and its vocabulary.

use std::{fmt, ops::Range, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_util::io::ReaderStream;
use url::Url;

use crate::{Error, Result, clock::Timestamp, error::ErrorKind};

/// The key of a blob: one or more segments joined by `/`, none of them empty, `.` or `..`, without control characters,
/// a backslash or a leading `/`, at most 1024 bytes (the limit of S3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageKey(String);

impl StorageKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StorageKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |reason: &str| Err(Error::invalid("read storage key", format!("storage key {text:?} {reason}")));
        if text.len() > 1024 {
            return wrong("is longer than 1024 bytes");
        }
        if text.chars().any(|character| character.is_control() || character == '\\') {
            return wrong("contains a control character or a backslash");
        }
        if text.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return wrong("has an empty segment, or one that is . or ..");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for StorageKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What the keys of artifacts start with. A bucket may hold more than ours: what starts otherwise is nobody's business here.
pub const ARTIFACT_PREFIXES: [&str; 7] = ["archive/", "docker/", "installer/", "lockfile/", "logs/", "sbom/", "yaml/"];

/// A stream of the bytes of a blob.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// What is to be stored.
pub enum Body {
    /// All of it, in memory.
    Bytes(Bytes),
    /// A file, read again where an upload is tried again.
    File(PathBuf),
    /// Bytes straight from their producer; an error in the stream fails the upload, and nothing is stored.
    Stream(ByteStream),
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(formatter, "Body::Bytes({} bytes)", bytes.len()),
            Self::File(path) => write!(formatter, "Body::File({})", path.display()),
            Self::Stream(_) => formatter.write_str("Body::Stream"),
        }
    }
}

impl Body {
    /// The bytes as a stream, read from the disk as they are asked for.
    ///
    /// # Errors
    /// What the file system says of a file that cannot be opened.
    pub async fn into_stream(self) -> Result<ByteStream> {
        match self {
            Self::Bytes(bytes) => Ok(stream::iter([Ok(bytes)]).boxed()),
            Self::Stream(stream) => Ok(stream),
            Self::File(path) => {
                let place = path.display().to_string();
                let failed = move |error| Error::io("read upload", error).with("path", &place);
                let file = tokio::fs::File::open(&path).await.map_err(&failed)?;
                Ok(ReaderStream::with_capacity(file, READ_AT_ONCE).map_err(failed).boxed())
            }
        }
    }
}

/// Bytes that are read from a file at a time.
const READ_AT_ONCE: usize = 1 << 20;

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

/// What is known about a stored blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its key.
    pub key: StorageKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Timestamp,
    /// A value that changes when the content does, without quotes, fit for an HTTP `ETag`.
    pub etag: String,
}

/// An opened blob.
pub struct Blob {
    /// What is known about the whole blob.
    pub info: BlobInfo,
    /// The bytes of it that `stream` yields.
    pub range: Range<u64>,
    /// The bytes.
    pub stream: ByteStream,
}

impl fmt::Debug for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Blob").field("info", &self.info).field("range", &self.range).finish_non_exhaustive()
    }
}

/// The part of a blob of `size` bytes that a request for `range` gets: cut to the blob's end, everything without a range,
/// nothing where the range ends before it starts. For implementations of [`Storage::get`].
///
/// # Errors
/// [`ErrorKind::Invalid`] where it starts beyond the end.
pub fn clip(range: Option<Range<u64>>, size: u64) -> Result<Range<u64>> {
    let Range { start, end } = range.unwrap_or(0..size);
    if start > size {
        let message = format!("range starts at byte {start}, the blob has {size} bytes");
        return Err(Error::invalid("read blob", message));
    }
    Ok(start..end.clamp(start, size))
}

/// How a link is to behave.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// After this long the link answers no more.
    pub expires_in: Duration,
    /// The name that a browser gives the downloaded file.
    pub file_name: Option<String>,
    /// The media type that the download states.
    pub content_type: Option<String>,
}

/// What a value of RFC 8187 holds as it is; everything else is percent-encoded.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

impl LinkOptions {
    /// The header `Content-Disposition` (RFC 6266) that makes a browser save the blob as [`file_name`](Self::file_name).
    #[must_use]
    pub fn content_disposition(&self) -> Option<String> {
        let name = self.file_name.as_deref()?;
        // For the clients that do not know the other form.
        let plain: String = name
            .chars()
            .map(|character| match character {
                '"' | '\\' => '_',
                ' '..='~' => character,
                _ => '_',
            })
            .collect();
        let exact = utf8_percent_encode(name, ATTRIBUTE);
        Some(format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"))
    }
}

/// How a reader gets at a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// From this address, which needs no further authentication.
    Redirect(Url),
    /// Through this server, which streams what [`Storage::get`] gives.
    Stream,
}

/// What an implementation can do beyond the required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StorageCapabilities {
    /// [`Storage::link`] can answer with [`Link::Redirect`].
    pub redirect: bool,
}

/// Keeps blobs under keys.
///
/// # Contract
/// - [`put`](Self::put) is atomic: a reader sees the old blob or the whole new one, never a part, and a failed put
///   changes nothing that a reader can see. Concurrent puts of one key leave one of them, whole.
/// - A blob that was put can be read at once.
/// - A missing blob is [`ErrorKind::NotFound`] for [`get`](Self::get) and [`link`](Self::link), `None` for
///   [`head`](Self::head).
/// - [`get`](Self::get) with a range yields exactly its bytes, cut to the blob's end; one that starts beyond the end is
///   [`ErrorKind::Invalid`].
/// - [`delete`](Self::delete) of a missing blob succeeds.
/// - [`list`](Self::list) yields every blob whose key starts with the prefix, as text, in any order, and nothing else.
/// - A key below that of another blob (`a/b` beside `a`) may be refused as [`ErrorKind::Conflict`], as directories do.
///
/// # Errors
/// A service that cannot be reached is [`ErrorKind::Unavailable`]; one that refuses the credentials
/// [`ErrorKind::Forbidden`]; one without room [`ErrorKind::Full`].
///
/// # Implementing
/// `testing::storage` holds a case for each sentence above; `storage_suite!` makes tests of them.
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// What this implementation can do beyond the required.
    fn capabilities(&self) -> StorageCapabilities;

    /// Stores `body` under `key`, in place of what was there.
    async fn put(&self, key: &StorageKey, body: Body) -> Result<BlobInfo>;

    /// Opens the blob, or the part of it in `range` (bytes).
    async fn get(&self, key: &StorageKey, range: Option<Range<u64>>) -> Result<Blob>;

    /// What is known about the blob.
    async fn head(&self, key: &StorageKey) -> Result<Option<BlobInfo>>;

    /// How a reader gets at the blob.
    async fn link(&self, key: &StorageKey, options: &LinkOptions) -> Result<Link>;

    /// Removes the blob.
    async fn delete(&self, key: &StorageKey) -> Result<()>;

    /// All blobs whose keys start with `prefix`, which may be empty.
    fn list(&self, prefix: &str) -> BoxStream<'_, Result<BlobInfo>>;
}

#[async_trait]
impl<S: Storage + ?Sized> Storage for Arc<S> {
    fn capabilities(&self) -> StorageCapabilities {
        (**self).capabilities()
    }

    async fn put(&self, key: &StorageKey, body: Body) -> Result<BlobInfo> {
        (**self).put(key, body).await
    }

    async fn get(&self, key: &StorageKey, range: Option<Range<u64>>) -> Result<Blob> {
        (**self).get(key, range).await
    }

    async fn head(&self, key: &StorageKey) -> Result<Option<BlobInfo>> {
        (**self).head(key).await
    }

    async fn link(&self, key: &StorageKey, options: &LinkOptions) -> Result<Link> {
        (**self).link(key, options).await
    }

    async fn delete(&self, key: &StorageKey) -> Result<()> {
        (**self).delete(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<BlobInfo>> {
        (**self).list(prefix)
    }
}

/// Conveniences on every [`Storage`].
#[async_trait]
pub trait StorageExt: Storage {
    /// The whole blob in memory, if it is not larger than `limit` bytes.
    async fn read(&self, key: &StorageKey, limit: u64) -> Result<Bytes> {
        let blob = self.get(key, None).await?;
        if blob.info.size > limit {
            let message = format!("blob has {} bytes, at most {limit} are read into memory", blob.info.size);
            return Err(Error::new(ErrorKind::Full, "read blob", message).with("key", key));
        }
        let parts: Vec<Bytes> = blob.stream.try_collect().await?;
        Ok(parts.concat().into())
    }

    /// All keys that start with `prefix`, sorted.
    async fn keys(&self, prefix: &str) -> Result<Vec<StorageKey>> {
        let mut keys: Vec<_> = self.list(prefix).map(|blob| blob.map(|blob| blob.key)).try_collect().await?;
        keys.sort();
        Ok(keys)
    }
}

impl<S: Storage + ?Sized> StorageExt for S {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_given_in_both_forms() {
        let disposition = |name: &str| {
            let expires_in = Duration::from_mins(1);
            LinkOptions { expires_in, file_name: Some(name.into()), content_type: None }.content_disposition()
        };
        for (name, expected) in [
            ("web.tar.gz", "attachment; filename=\"web.tar.gz\"; filename*=UTF-8''web.tar.gz"),
            ("a \"b\".sh", "attachment; filename=\"a _b_.sh\"; filename*=UTF-8''a%20%22b%22.sh"),
            ("ü\r\nX: y", "attachment; filename=\"___X: y\"; filename*=UTF-8''%C3%BC%0D%0AX%3A%20y"),
        ] {
            assert_eq!(disposition(name).as_deref(), Some(expected));
        }
    }
}
