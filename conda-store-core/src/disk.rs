//! How much room a disk has.

use std::path::Path;

use nix::{errno::Errno, sys::statvfs::statvfs};

use crate::{Error, Result};

/// The room on the file system of a directory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Altogether.
    pub total: u64,
    /// Left for this user.
    pub free: u64,
}

impl Space {
    /// The room on the file system that `directory` is on, or will be on once it is made.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn of(directory: &Path) -> Result<Self> {
        for existing in directory.ancestors() {
            match statvfs(existing) {
                Ok(found) => {
                    let bytes = |blocks: u64| blocks.saturating_mul(found.fragment_size());
                    return Ok(Self { total: bytes(found.blocks()), free: bytes(found.blocks_available()) });
                }
                Err(Errno::ENOENT) => {}
                Err(error) => return Err(Error::io("measure disk", error.into()).with("path", existing.display())),
            }
        }
        Err(Error::not_found("measure disk", "there is no such directory").with("path", directory.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_yet_has_the_room_of_its_parent() {
        let root = tempfile::tempdir().unwrap();
        let parent = Space::of(root.path()).unwrap();
        let child = Space::of(&root.path().join("not/yet")).unwrap();
        assert!(parent.total > 0 && parent.free <= parent.total);
        assert_eq!(parent.total, child.total);
    }
}
