//! Package archives from a channel or its mirrors, verified as a whole before anyone reads them.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use futures::StreamExt;
use rattler_conda_types::RepoDataRecord;
use rattler_digest::{Md5, Md5Hash, Sha256, Sha256Hash, digest::Digest};
use rattler_redaction::{DEFAULT_REDACTION_STR, redact_url_for_display};
use reqwest::StatusCode;
use reqwest_middleware::ClientWithMiddleware;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{blocking, cancelled};
use crate::{Error, ErrorKind, Result, conda::ChannelMirrors};

const OPERATION: &str = "download package";
/// A server that sends nothing for so long is given up.
const SILENCE: Duration = Duration::from_mins(1);

/// How often a download that failed for a reason that may pass is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Rounds over all mirrors, the first included.
    pub attempts: u32,
    /// The pause before the second round; it doubles with each further one.
    pub pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 4, pause: Duration::from_millis(500) }
    }
}

/// What the record promises about the bytes of its archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    checksum: Checksum,
    size: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checksum {
    Sha256(Sha256Hash),
    Md5(Md5Hash),
}

impl Expected {
    /// The promise of `record`: SHA-256, or MD5 with a size where that is all there is.
    pub(super) fn of(record: &RepoDataRecord) -> Result<Self> {
        let package = &record.package_record;
        let checksum = match (package.sha256, package.md5, package.size) {
            (Some(sha256), _, _) => Checksum::Sha256(sha256),
            (None, Some(md5), Some(_)) => Checksum::Md5(md5),
            _ => {
                let message =
                    "the channel states neither a sha256 nor an md5 with a size, so the file cannot be verified";
                return Err(Error::invalid(OPERATION, message).with("package", &record.identifier));
            }
        };
        Ok(Self { checksum, size: package.size })
    }

    /// A file name that only these bytes have.
    pub(super) fn key(&self) -> String {
        match self.checksum {
            Checksum::Sha256(hash) => format!("sha256-{}", hex::encode(hash)),
            Checksum::Md5(hash) => format!("md5-{}-{}", hex::encode(hash), self.size.unwrap_or_default()),
        }
    }

    fn hasher(&self) -> Hasher {
        match self.checksum {
            Checksum::Sha256(_) => Hasher::Sha256(Sha256::default()),
            Checksum::Md5(_) => Hasher::Md5(Md5::default()),
        }
    }

    fn verify(&self, hasher: Hasher, size: u64) -> Result<()> {
        if let Some(expected) = self.size.filter(|expected| *expected != size) {
            return Err(corrupt(format!("file has {size} bytes where the channel states {expected}")));
        }
        let found = hasher.finish();
        if found != self.checksum {
            return Err(corrupt(format!("file has the {found} where the channel states the {}", self.checksum)));
        }
        Ok(())
    }

    /// Refuses a file that is already longer than stated: it could fill the disk before its end.
    fn bound(&self, size: u64) -> Result<()> {
        match self.size {
            Some(expected) if size > expected => {
                Err(corrupt(format!("file has more than the {expected} bytes that the channel states")))
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sha256(hash) => write!(formatter, "sha256 {}", hex::encode(hash)),
            Self::Md5(hash) => write!(formatter, "md5 {}", hex::encode(hash)),
        }
    }
}

enum Hasher {
    Sha256(Sha256),
    Md5(Md5),
}

impl Hasher {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Checksum {
        match self {
            Self::Sha256(hasher) => Checksum::Sha256(hasher.finalize()),
            Self::Md5(hasher) => Checksum::Md5(hasher.finalize()),
        }
    }
}

/// Where archives come from.
#[derive(Debug)]
pub(super) struct Downloader {
    pub(super) client: ClientWithMiddleware,
    pub(super) mirrors: ChannelMirrors,
    pub(super) retry: Retry,
}

impl Downloader {
    /// The verified archive of `record`, downloaded to the new file `destination` unless it is on a file system here.
    ///
    /// # Errors
    /// That of the last address that was tried.
    pub(super) async fn get(
        &self,
        record: &RepoDataRecord,
        expected: Expected,
        destination: &Path,
        cancellation: &CancellationToken,
    ) -> Result<File> {
        let work = self.rounds(record, expected, destination, cancellation);
        match cancellation.run_until_cancelled(work).await {
            Some(result) => result,
            None => Err(cancelled(OPERATION)),
        }
    }

    async fn rounds(
        &self,
        record: &RepoDataRecord,
        expected: Expected,
        destination: &Path,
        cancellation: &CancellationToken,
    ) -> Result<File> {
        let addresses = self.mirrors.candidates(&record.url);
        let mut pause = self.retry.pause;
        for round in 1.. {
            let mut last = Error::not_found(OPERATION, "no mirror of the channel has an address for the package");
            let mut again = false;
            for address in &addresses {
                match self.from(address, expected, destination, cancellation).await {
                    Ok(file) => return Ok(file),
                    Err(error) if error.kind() == ErrorKind::Full => return Err(error),
                    Err(error) => last = error.with("url", redacted(address)),
                }
                again |= last.is_temporary();
                tracing::debug!(package.file = %record.identifier, error = %last, "download failed");
            }
            if !again || round >= self.retry.attempts {
                return Err(last);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Error::unexpected(OPERATION, "the number of attempts has overflowed"))
    }

    async fn from(
        &self,
        address: &Url,
        expected: Expected,
        destination: &Path,
        cancellation: &CancellationToken,
    ) -> Result<File> {
        if address.scheme() != "file" {
            return self.stream(address, expected, destination).await;
        }
        let Ok(path) = address.to_file_path() else {
            return Err(Error::invalid(OPERATION, "file URL names no path on this machine"));
        };
        let cancellation = cancellation.clone();
        blocking(OPERATION, move || verify_file(&path, expected, &cancellation)).await
    }

    async fn stream(&self, address: &Url, expected: Expected, destination: &Path) -> Result<File> {
        let response = self.client.get(address.clone()).send().await.map_err(unreachable)?;
        status(response.status())?;
        let disk = |error| Error::io(OPERATION, error).with("file", destination.display());
        let mut file = tokio::io::BufWriter::new(tokio::fs::File::create(destination).await.map_err(disk)?);
        let (mut hasher, mut size) = (expected.hasher(), 0);
        let mut body = response.bytes_stream();
        while let Some(chunk) = tokio::time::timeout(SILENCE, body.next()).await.map_err(|_| silent())? {
            let chunk = chunk.map_err(|error| unreachable(error.into()))?;
            size += chunk.len() as u64;
            expected.bound(size)?;
            hasher.update(&chunk);
            file.write_all(&chunk).await.map_err(disk)?;
        }
        file.flush().await.map_err(disk)?;
        expected.verify(hasher, size)?;
        File::open(destination).map_err(disk)
    }
}

fn verify_file(path: &Path, expected: Expected, cancellation: &CancellationToken) -> Result<File> {
    let mut file = File::open(path).map_err(|error| Error::io(OPERATION, error))?;
    let (mut hasher, mut size) = (expected.hasher(), 0);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        if cancellation.is_cancelled() {
            return Err(cancelled(OPERATION));
        }
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                size += count as u64;
                expected.bound(size)?;
                hasher.update(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io(OPERATION, error)),
        }
    }
    expected.verify(hasher, size)?;
    Ok(file)
}

fn status(status: StatusCode) -> Result<()> {
    if status.is_success() {
        return Ok(());
    }
    let kind = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => ErrorKind::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::Forbidden,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => ErrorKind::Unavailable,
        status if status.is_server_error() => ErrorKind::Unavailable,
        _ => ErrorKind::Unexpected,
    };
    Err(Error::new(kind, OPERATION, format!("server of the channel answered {status}")))
}

/// The URL is left out of the cause: it may hold credentials.
fn unreachable(error: reqwest_middleware::Error) -> Error {
    let error = error.without_url();
    Error::new(ErrorKind::Unavailable, OPERATION, "server of the channel cannot be reached or broke off")
        .with_source(error)
}

fn silent() -> Error {
    Error::new(ErrorKind::Timeout, OPERATION, format!("server of the channel sent nothing for {} s", SILENCE.as_secs()))
}

fn corrupt(message: String) -> Error {
    Error::new(ErrorKind::Corrupt, OPERATION, message)
}

/// `url` as it may be shown.
pub(super) fn redacted(url: &Url) -> Url {
    redact_url_for_display(url, DEFAULT_REDACTION_STR).unwrap_or_else(|| url.clone())
}
