//! A shell script that carries the archive and installs it, used like those of constructor
//! (<https://conda.github.io/constructor/>).
//!
//! It is written front to back: the script, which knows its own length, the archive, and a line with the SHA-256 of both.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::{archive, compress::Compression, tree::Tree};
use crate::storage::ByteStream;

const SCRIPT: &str = include_str!("scripts/installer");

/// What stands for the length of the script in it. As many bytes take its place, so that it does not change.
const OFFSET: &str = "@OFFSET@";

/// The installer of an environment.
pub(super) fn stream(tree: Arc<Tree>) -> ByteStream {
    let script = SCRIPT.replace(OFFSET, &format!("{:<width$}", SCRIPT.len(), width = OFFSET.len()));
    let content = stream::once(async { Ok(Bytes::from(script)) }).chain(archive::stream(tree, Compression::Gzip));
    let state = (Box::pin(content), Some(Sha256::new()));
    Box::pin(stream::try_unfold(state, |(mut content, hash)| async move {
        let Some(mut hash) = hash else { return Ok(None) };
        if let Some(bytes) = content.try_next().await? {
            hash.update(&bytes);
            return Ok(Some((bytes, (content, Some(hash)))));
        }
        let line = format!("{}\n", hex::encode(hash.finalize()));
        Ok(Some((line.into(), (content, None))))
    }))
}
