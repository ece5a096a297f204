//! The archive that conda-pack would make (<https://conda.github.io/conda-pack/spec.html>): a tar file, compressed.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use futures::{Stream, StreamExt, stream};
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc::{self, Sender};

use super::{
    gzip::gzip,
    portable::Portable,
    shell,
    tree::{Entry, EntryKind, Tree, source},
};
use crate::{Error, Result, storage::ByteStream};

const OPERATION: &str = "write archive";

/// The bytes that are compressed at a time. Changing it changes every archive.
const PIECE: usize = 1 << 20;

/// How many pieces wait at most to be compressed.
const WAITING: usize = 4;

/// A larger file is not read as a whole.
const LARGE: u64 = 16 << 20;

/// The archive of an environment.
pub(super) fn stream(tree: Tree) -> ByteStream {
    Box::pin(gzip(pieces(tree)))
}

/// The tar file in pieces of the same size, the last one excepted.
fn pieces(tree: Tree) -> impl Stream<Item = Result<Vec<u8>>> + Send {
    let (sender, receiver) = mpsc::channel(WAITING);
    let writing =
        tokio::task::spawn_blocking(move || write(&tree, Pieces { sender, piece: Vec::with_capacity(PIECE) }));
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
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.sender.blocking_send(piece).map_err(|_| io::Error::other("nobody wants the archive any more"))
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(tree: &Tree, pieces: Pieces) -> Result<()> {
    let mut archive = Archive { tree, tar: Builder::new(pieces), times: times(tree), repairs: Vec::new() };
    for entry in &tree.entries {
        archive.add(entry).map_err(|error| error.with("path", entry.path.display()))?;
    }
    archive.scripts()?;
    let mut pieces = archive.tar.into_inner().map_err(failed)?;
    pieces.send().map_err(failed)
}

struct Archive<'a> {
    tree: &'a Tree,
    tar: Builder<Pieces>,
    /// Of Python files whose compiled form names it.
    times: HashMap<PathBuf, u32>,
    /// The lines of `conda-unpack`.
    repairs: Vec<u8>,
}

impl Archive<'_> {
    fn add(&mut self, entry: &Entry) -> Result<()> {
        let mut header = self.header(entry.mode);
        match &entry.kind {
            EntryKind::EmptyDirectory => {
                header.set_entry_type(EntryType::Directory);
                self.tar.append_data(&mut header, &entry.path, io::empty()).map_err(failed)
            }
            EntryKind::SymbolicLink(target) => {
                header.set_entry_type(EntryType::Symlink);
                self.tar.append_link(&mut header, &entry.path, target).map_err(failed)
            }
            EntryKind::HardLink(target) => {
                header.set_entry_type(EntryType::Link);
                self.tar.append_link(&mut header, &entry.path, target).map_err(failed)
            }
            EntryKind::File(size) => self.file(entry, header, *size),
        }
    }

    fn file(&mut self, entry: &Entry, mut header: Header, size: u64) -> Result<()> {
        let Portable { bytes, repairs } = self.tree.portable(entry)?;
        for repair in &repairs {
            shell::repair(&mut self.repairs, &entry.path, repair);
        }
        if let Some(time) = self.times.get(&entry.path) {
            header.set_mtime(u64::from(*time));
        }
        let bytes = match bytes {
            Some(bytes) => bytes,
            None if size <= LARGE => self.tree.bytes(&entry.path)?,
            None => return self.large(entry, header, size),
        };
        header.set_size(bytes.len() as u64);
        self.tar.append_data(&mut header, &entry.path, bytes.as_slice()).map_err(failed)
    }

    fn large(&mut self, entry: &Entry, mut header: Header, size: u64) -> Result<()> {
        let file = File::open(self.tree.prefix.join(&entry.path)).map_err(failed)?;
        let mut file = Exactly { file, left: size };
        header.set_size(size);
        self.tar.append_data(&mut header, &entry.path, &mut file).map_err(failed)
    }

    /// Adds what makes an environment of the unpacked files.
    fn scripts(&mut self) -> Result<()> {
        let unpack = shell::conda_unpack(&self.repairs);
        let [activate, fish, deactivate] =
            [shell::ACTIVATE, shell::ACTIVATE_FISH, shell::DEACTIVATE].map(str::as_bytes);
        for (path, text, mode) in [
            ("bin/activate", activate, 0o644),
            ("bin/activate.fish", fish, 0o644),
            ("bin/conda-unpack", unpack.as_slice(), 0o755),
            ("bin/deactivate", deactivate, 0o644),
        ] {
            let mut header = self.header(mode);
            header.set_size(text.len() as u64);
            self.tar.append_data(&mut header, path, text).map_err(failed)?;
        }
        Ok(())
    }

    fn header(&self, mode: u32) -> Header {
        let mut header = Header::new_gnu();
        header.set_mode(mode);
        header.set_mtime(self.tree.time.unsigned_abs());
        header.set_size(0);
        header
    }
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

/// When the Python files were written that packages bring in compiled form too, as that form has it: Python ignores one
/// that names another time ([PEP 552](https://peps.python.org/pep-0552/)).
fn times(tree: &Tree) -> HashMap<PathBuf, u32> {
    let compiled = tree.entries.iter().filter_map(|entry| Some((source(&entry.path)?, entry)));
    compiled.filter_map(|(source, entry)| Some((source, source_time(&tree.prefix.join(&entry.path))?))).collect()
}

fn source_time(compiled: &Path) -> Option<u32> {
    let mut header = [0; 12];
    File::open(compiled).ok()?.read_exact(&mut header).ok()?;
    let [_, flags, time] =
        [0, 4, 8].map(|at| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    // With flags, it names a hash of the file instead.
    (flags == 0 && time > 0).then_some(time)
}

fn failed(error: io::Error) -> Error {
    Error::io(OPERATION, error)
}
