//! The archive as a file system that Linux mounts
//! (<https://www.kernel.org/doc/html/latest/filesystems/squashfs.html>).
//!
//! Its first bytes say where the last ones are, so it is written to a temporary file before it is stored. The writer knows no
//! hard links: a further name of a file is a file of its own, whose bytes are there once.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Cursor, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use backhand::{
    BackhandError, FilesystemCompressor, FilesystemWriter, NodeHeader,
    compression::{CompressionOptions, Compressor, Zstd},
};
use futures::{TryStreamExt, stream};
use tokio_util::io::ReaderStream;

use super::{
    compress::LEVEL,
    contents::{self, Attributes, Content, Sink},
    tree::Tree,
};
use crate::{Error, Result, install::blocking, storage::ByteStream};

const OPERATION: &str = "write archive";

/// Bytes read at a time of what was written.
const CHUNK: usize = 1 << 20;

/// What directories allow that no package brings: all of them, but empty ones.
const DIRECTORY_MODE: u16 = 0o755;

/// The archive of an environment.
pub(super) fn stream(tree: Arc<Tree>) -> ByteStream {
    let written = async move {
        let file = blocking(OPERATION, move || write(&tree)).await?;
        let file = tokio::fs::File::from_std(file);
        Ok::<_, Error>(ReaderStream::with_capacity(file, CHUNK).map_err(failed))
    };
    Box::pin(stream::once(written).try_flatten())
}

fn write(tree: &Tree) -> Result<File> {
    let time = u32::try_from(tree.time).unwrap_or(u32::MAX);
    let mut image = Image { writer: FilesystemWriter::default(), prefix: &tree.prefix, changed: HashMap::new(), time };
    image.writer.set_time(time);
    image.writer.set_root_mode(DIRECTORY_MODE);
    image.writer.set_compressor(compressor()?);
    contents::write(tree, &mut image)?;
    let mut file = BufWriter::new(tempfile::tempfile().map_err(failed)?);
    image.writer.write(&mut file).map_err(refused)?;
    file.flush().map_err(failed)?;
    let mut file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.rewind().map_err(failed)?;
    Ok(file)
}

fn compressor() -> Result<FilesystemCompressor> {
    let options = CompressionOptions::Zstd(Zstd { compression_level: LEVEL.unsigned_abs() });
    FilesystemCompressor::new(Compressor::Zstd, Some(options)).map_err(refused)
}

struct Image<'a> {
    writer: FilesystemWriter<'a, 'a, 'a>,
    prefix: &'a Path,
    /// The bytes of files that are others than those on disk.
    changed: HashMap<PathBuf, Arc<[u8]>>,
    time: u32,
}

impl Image<'_> {
    /// Makes sure that the directory of `path` is there.
    fn enter(&mut self, path: &Path) -> Result<()> {
        let Some(directory) = path.parent().filter(|directory| *directory != Path::new("")) else { return Ok(()) };
        let header = node(Attributes { mode: DIRECTORY_MODE.into(), time: self.time });
        self.writer.push_dir_all(directory, header).map_err(refused)
    }

    /// Adds the file that is at `source` in the environment.
    fn add(&mut self, path: &Path, source: &Path, attributes: Attributes) -> Result<()> {
        self.enter(path)?;
        let header = node(attributes);
        match self.changed.get(source) {
            Some(bytes) => self.writer.push_file(Cursor::new(Arc::clone(bytes)), path, header),
            None => self.writer.push_file_from_path(self.prefix.join(source), path, header),
        }
        .map_err(refused)
    }
}

impl Sink for Image<'_> {
    fn directory(&mut self, path: &Path, attributes: Attributes) -> Result<()> {
        self.enter(path)?;
        self.writer.push_dir(path, node(attributes)).map_err(refused)
    }

    fn symbolic_link(&mut self, path: &Path, target: &Path, attributes: Attributes) -> Result<()> {
        self.enter(path)?;
        self.writer.push_symlink(target, path, node(attributes)).map_err(refused)
    }

    fn hard_link(&mut self, path: &Path, target: &Path, attributes: Attributes) -> Result<()> {
        self.add(path, target, attributes)
    }

    fn file(&mut self, path: &Path, content: Content<'_>, attributes: Attributes) -> Result<()> {
        if let Content::Bytes(bytes) = content {
            self.changed.insert(path.to_owned(), bytes.into());
        }
        self.add(path, path, attributes)
    }
}

fn node(attributes: Attributes) -> NodeHeader {
    let permissions = u16::try_from(attributes.mode & 0o7777).unwrap_or(DIRECTORY_MODE);
    NodeHeader { permissions, uid: 0, gid: 0, mtime: attributes.time }
}

fn refused(error: BackhandError) -> Error {
    Error::unexpected(OPERATION, "the file system cannot be written").with_source(error)
}

fn failed(error: io::Error) -> Error {
    Error::io(OPERATION, error)
}
