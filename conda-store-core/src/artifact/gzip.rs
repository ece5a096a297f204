//! gzip ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)) on all cores.
//!
//! The data is cut into pieces of a fixed size that are compressed by themselves and end on a byte, so they can be joined
//! as blocks of one member: every reader takes it, and the outcome does not depend on the number of cores.

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use futures::{Stream, StreamExt, TryStreamExt, stream};

use crate::{
    Error, Result,
    install::{blocking, parallelism},
};

const OPERATION: &str = "compress archive";

/// How hard to try, from 0 to 9: as conda-pack does.
const LEVEL: u32 = 4;

/// What every member begins with: no name, no time, no particular system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The empty block that ends the data.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// One gzip member of the pieces that `pieces` yields.
pub(super) fn gzip(pieces: impl Stream<Item = Result<Vec<u8>>> + Send + 'static) -> impl Stream<Item = Result<Bytes>> {
    let compressed = pieces
        .map(|piece| async { blocking(OPERATION, move || piece.and_then(|piece| compress(&piece))).await })
        .buffered(parallelism() + 1);
    let state = (Box::pin(compressed), Crc::new(), false);
    let body = stream::try_unfold(state, |(mut compressed, mut sum, ended)| async move {
        if ended {
            return Ok(None);
        }
        if let Some((bytes, part)) = compressed.try_next().await? {
            sum.combine(&part);
            return Ok(Some((bytes, (compressed, sum, false))));
        }
        let end = [&LAST_BLOCK[..], &sum.sum().to_le_bytes(), &sum.amount().to_le_bytes()].concat();
        Ok(Some((Bytes::from(end), (compressed, sum, true))))
    });
    stream::once(async { Ok(Bytes::from_static(&HEADER)) }).chain(body)
}

/// The blocks of one piece, and its checksum.
fn compress(piece: &[u8]) -> Result<(Bytes, Crc)> {
    let failed = |error| Error::unexpected(OPERATION, "the compressor refuses its input").with_source(error);
    let mut compressor = Compress::new(Compression::new(LEVEL), false);
    let mut bytes = Vec::with_capacity(piece.len() / 2 + 1024);
    loop {
        let read = usize::try_from(compressor.total_in()).unwrap_or(piece.len());
        let status = compressor.compress_vec(&piece[read..], &mut bytes, FlushCompress::Full).map_err(failed)?;
        // With room left, everything was written.
        if bytes.len() < bytes.capacity() || status == Status::StreamEnd {
            break;
        }
        bytes.reserve(piece.len() / 4 + 1024);
    }
    let mut sum = Crc::new();
    sum.update(piece);
    Ok((bytes.into(), sum))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    async fn joined(pieces: Vec<Vec<u8>>) -> Vec<u8> {
        let pieces = stream::iter(pieces.into_iter().map(Ok));
        gzip(pieces).try_collect::<Vec<_>>().await.unwrap().concat()
    }

    #[tokio::test]
    async fn pieces_are_one_member_with_its_checksum() {
        let noise: Vec<u8> = (0..2_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
        for pieces in [vec![], vec![vec![]], vec![vec![0; 1_000_000], noise, b"end".to_vec()]] {
            let data = pieces.concat();
            let mut read = Vec::new();
            GzDecoder::new(joined(pieces).await.as_slice()).read_to_end(&mut read).unwrap();
            assert!(read == data);
        }
    }
}
