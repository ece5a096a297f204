//! Where an attempt builds: a staging directory of its own until everything is linked, then the final prefix.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{Error, Result, install::remove_prefix, model::BuildId};

/// The directory beside the builds, which no name can be, that holds what is not finished or not yet removed.
const STAGING: &str = "!staging";

/// The directories of one attempt.
#[derive(Debug)]
pub(super) struct Prefix {
    target: PathBuf,
    staging: PathBuf,
    discarded: PathBuf,
    build_id: BuildId,
    attempt: u32,
}

impl Prefix {
    /// The directories of attempt number `attempt` at `build_id`, whose final prefix is `target`.
    pub(super) fn new(target: PathBuf, build_id: BuildId, attempt: u32) -> Self {
        let directory = target.parent().unwrap_or(Path::new("/")).join(STAGING);
        let staging = directory.join(format!("{build_id}-{attempt}"));
        let discarded = directory.join(format!("{build_id}-{attempt}-discarded"));
        Self { target, staging, discarded, build_id, attempt }
    }

    /// The final prefix.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Where packages are linked to.
    pub(super) fn staging(&self) -> &Path {
        &self.staging
    }

    /// Makes an empty staging directory and removes those of earlier attempts.
    pub(super) async fn prepare(&self) -> Result<()> {
        let directory = self.staging.parent().unwrap_or(Path::new("/"));
        tokio::fs::create_dir_all(directory).await.map_err(|error| failed(error, directory))?;
        for path in self.left_behind(directory).await.map_err(|error| failed(error, directory))? {
            remove_prefix(&path).await?;
        }
        tokio::fs::create_dir(&self.staging).await.map_err(|error| failed(error, &self.staging))
    }

    /// Moves the staging directory to the final prefix, in place of what an earlier attempt left there.
    pub(super) async fn commit(&self) -> Result<()> {
        self.set_aside().await?;
        tokio::fs::rename(&self.staging, &self.target).await.map_err(|error| failed(error, &self.target))?;
        remove_prefix(&self.discarded).await
    }

    /// Removes the staging directory.
    pub(super) async fn discard_staging(&self) -> Result<()> {
        remove_prefix(&self.staging).await
    }

    /// Removes the staging directory and the final prefix, which vanishes in one step.
    pub(super) async fn discard(&self) -> Result<()> {
        self.discard_staging().await?;
        self.set_aside().await?;
        remove_prefix(&self.discarded).await
    }

    /// Removes the final prefix, which vanishes in one step, and everything that attempts left in the staging directory.
    pub(super) async fn remove(&self) -> Result<()> {
        let directory = self.staging.parent().unwrap_or(Path::new("/"));
        let exists = directory.parent().is_some_and(Path::is_dir);
        if !exists {
            return Ok(());
        }
        // Builds of the original have none beside them.
        tokio::fs::create_dir_all(directory).await.map_err(|error| failed(error, directory))?;
        self.discard().await?;
        for path in self.left_behind(directory).await.map_err(|error| failed(error, directory))? {
            remove_prefix(&path).await?;
        }
        Ok(())
    }

    async fn set_aside(&self) -> Result<()> {
        match tokio::fs::rename(&self.target, &self.discarded).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error, &self.target)),
            _ => Ok(()),
        }
    }

    /// What earlier attempts, and nobody else, left in the staging directory.
    async fn left_behind(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut left = Vec::new();
        let mut entries = tokio::fs::read_dir(directory).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            let Some((build_id, attempt)) = name.to_str().and_then(|name| name.split_once('-')) else { continue };
            let attempt = attempt.trim_end_matches("-discarded");
            let earlier = attempt.parse::<u32>().is_ok_and(|attempt| attempt <= self.attempt);
            if earlier && build_id.parse() == Ok(self.build_id) {
                left.push(entry.path());
            }
        }
        Ok(left)
    }
}

fn failed(error: io::Error, path: &Path) -> Error {
    Error::io("prepare prefix", error).with("path", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_attempt_replaces_what_an_earlier_one_left_and_touches_no_other_build() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("key");
        let first = Prefix::new(target.clone(), BuildId(7), 1);
        first.prepare().await.unwrap();
        std::fs::write(first.staging().join("old"), "").unwrap();
        first.commit().await.unwrap();
        let other = Prefix::new(root.path().join("other"), BuildId(70), 1);
        other.prepare().await.unwrap();

        let second = Prefix::new(target.clone(), BuildId(7), 2);
        std::fs::create_dir(first.staging()).unwrap();
        second.prepare().await.unwrap();
        assert!(!first.staging().try_exists().unwrap());
        assert!(target.join("old").try_exists().unwrap(), "nothing is taken away before there is something better");
        std::fs::write(second.staging().join("new"), "").unwrap();
        second.commit().await.unwrap();

        let found: Vec<_> = std::fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(found, ["new"]);
        assert!(other.staging().try_exists().unwrap());
        second.discard().await.unwrap();
        assert!(!target.try_exists().unwrap());
    }
}
