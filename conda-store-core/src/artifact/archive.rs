//! The archive that conda-pack would make (<https://conda.github.io/conda-pack/spec.html>): a tar file, compressed.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use futures::{Stream, StreamExt, stream};
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc::{self, Sender};

use super::{
    compress::Compression,
    contents::{self, Attributes, Content, Sink},
    tree::Tree,
};
use crate::{Error, Result, storage::ByteStream};

const OPERATION: &str = "write archive";

/// How many pieces wait at most to be compressed.
const WAITING: usize = 4;

/// A larger file is not read as a whole.
const LARGE: u64 = 16 << 20;

/// The archive of an environment.
pub(super) fn stream(tree: Arc<Tree>, compression: Compression) -> ByteStream {
    Box::pin(compression.compressed(pieces(tree, compression.piece())))
}

/// The tar file in pieces of `size` bytes, the last one excepted.
fn pieces(tree: Arc<Tree>, size: usize) -> impl Stream<Item = Result<Vec<u8>>> + Send {
    let (sender, receiver) = mpsc::channel(WAITING);
    let pieces = Pieces { sender, piece: Vec::with_capacity(size), size };
    let writing = tokio::task::spawn_blocking(move || write(&tree, pieces));
    let arrived =
        stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (Ok(piece), receiver)) });
    // What was sent is the whole archive only if the writer says so.
    arrived.chain(stream::once(writing).filter_map(async |ended| match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(Err(error)),
        Err(error) => Some(Err(Error::unexpected(OPERATION, "work was aborted by a defect").with_source(error))),
    }))
}

/// Takes the tar file and hands it on in pieces.
struct Pieces {
    sender: Sender<Vec<u8>>,
    piece: Vec<u8>,
    size: usize,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(self.size));
        self.sender.blocking_send(piece).map_err(|_| io::Error::other("nobody wants the archive any more"))
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.size - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == self.size {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(tree: &Tree, pieces: Pieces) -> Result<()> {
    let mut tar = Builder::new(pieces);
    contents::write(tree, &mut tar)?;
    let mut pieces = tar.into_inner().map_err(failed)?;
    pieces.send().map_err(failed)
}

impl Sink for Builder<Pieces> {
    fn directory(&mut self, path: &Path, attributes: Attributes) -> Result<()> {
        let mut header = header(attributes);
        header.set_entry_type(EntryType::Directory);
        self.append_data(&mut header, path, io::empty()).map_err(failed)
    }

    fn symbolic_link(&mut self, path: &Path, target: &Path, attributes: Attributes) -> Result<()> {
        let mut header = header(attributes);
        header.set_entry_type(EntryType::Symlink);
        self.append_link(&mut header, path, target).map_err(failed)
    }

    fn hard_link(&mut self, path: &Path, target: &Path, attributes: Attributes) -> Result<()> {
        let mut header = header(attributes);
        header.set_entry_type(EntryType::Link);
        self.append_link(&mut header, path, target).map_err(failed)
    }

    fn file(&mut self, path: &Path, content: Content<'_>, attributes: Attributes) -> Result<()> {
        let mut header = header(attributes);
        let bytes = match content {
            Content::Bytes(bytes) => Cow::Borrowed(bytes),
            Content::OnDisk(file, size) if size <= LARGE => fs::read(file).map_err(failed)?.into(),
            Content::OnDisk(file, size) => {
                let file = File::open(file).map_err(failed)?;
                header.set_size(size);
                return self.append_data(&mut header, path, &mut Exactly { file, left: size }).map_err(failed);
            }
        };
        header.set_size(bytes.len() as u64);
        self.append_data(&mut header, path, bytes.as_ref()).map_err(failed)
    }
}

fn header(attributes: Attributes) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(attributes.mode);
    header.set_mtime(attributes.time.into());
    header.set_size(0);
    header
}

/// A file as long as it was: a tar file that announced another size would be none.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = Read::by_ref(&mut self.file).take(self.left).read(buffer)?;
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::other("the file became shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn failed(error: io::Error) -> Error {
    Error::io(OPERATION, error)
}
