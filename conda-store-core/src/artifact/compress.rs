//! Compression on all cores, as gzip ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)) or Zstandard
//! ([RFC 8878](https://www.rfc-editor.org/rfc/rfc8878)).
//!
//! The data is cut into pieces of a fixed size, each of which becomes a member or a frame of its own. Both formats are a
//! series of those, so every reader takes them joined, and the outcome does not depend on the number of cores.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use libdeflater::{CompressionLvl, Compressor};

use crate::{
    Error, Result,
    install::{blocking, parallelism},
};

const OPERATION: &str = "compress archive";

/// How hard Zstandard tries: the number that conda-pack has by default.
pub(super) const LEVEL: i32 = 4;

/// How hard libdeflate tries: as hard as zlib does at conda-pack's level, going by the size of archives. The numbers of
/// the two stand for different searches.
const GZIP_LEVEL: i32 = 2;

/// How a tar file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstandard,
}

impl Compression {
    /// The bytes that are compressed at a time. Changing it changes every archive. What repeats farther away than this is
    /// not found; gzip looks no farther than 32 KiB anyway.
    pub(super) fn piece(self) -> usize {
        match self {
            Self::Gzip => 1 << 20,
            Self::Zstandard => 4 << 20,
        }
    }

    /// The compressed form of what `pieces` yields.
    pub(super) fn compressed(
        self,
        pieces: impl Stream<Item = Result<Vec<u8>>> + Send + 'static,
    ) -> impl Stream<Item = Result<Bytes>> {
        pieces
            .map(move |piece| async move { blocking(OPERATION, move || self.compress(&piece?)).await })
            // While one is stored nobody asks for the others: so many keep every core busy meanwhile.
            .buffered(2 * parallelism() + 2)
    }

    fn compress(self, piece: &[u8]) -> Result<Bytes> {
        match self {
            Self::Gzip => gzip(piece),
            Self::Zstandard => zstandard(piece),
        }
        .map(Bytes::from)
    }
}

/// One member: no name, no time, no particular system.
fn gzip(piece: &[u8]) -> Result<Vec<u8>> {
    let level = CompressionLvl::new(GZIP_LEVEL).map_err(|error| {
        Error::unexpected(OPERATION, format!("the compressor has no level {GZIP_LEVEL}: {error:?}"))
    })?;
    let mut compressor = Compressor::new(level);
    let mut bytes = vec![0; compressor.gzip_compress_bound(piece.len())];
    let written = compressor.gzip_compress(piece, &mut bytes).map_err(refused)?;
    bytes.truncate(written);
    // What waits to be stored should take no more room than it needs.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// One frame, with its checksum.
fn zstandard(piece: &[u8]) -> Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(refused)?;
    compressor.include_checksum(true).map_err(refused)?;
    compressor.compress(piece).map_err(refused)
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unexpected(OPERATION, "the compressor refuses its input").with_source(error)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::MultiGzDecoder;
    use futures::{TryStreamExt, stream};

    use super::*;

    #[tokio::test]
    async fn pieces_are_read_as_one() {
        let noise: Vec<u8> = (0..2_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
        for pieces in [vec![vec![]], vec![vec![0; 1_000_000], noise, b"end".to_vec()]] {
            let data = pieces.concat();
            for compression in [Compression::Gzip, Compression::Zstandard] {
                let compressed = compression.compressed(stream::iter(pieces.clone().into_iter().map(Ok)));
                let compressed = compressed.try_collect::<Vec<_>>().await.unwrap().concat();
                let mut read = Vec::new();
                match compression {
                    Compression::Gzip => drop(MultiGzDecoder::new(&compressed[..]).read_to_end(&mut read).unwrap()),
                    Compression::Zstandard => zstd::stream::copy_decode(&compressed[..], &mut read).unwrap(),
                }
                assert!(read == data, "{compression:?}");
            }
        }
    }
}
