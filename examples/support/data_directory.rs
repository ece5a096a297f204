//! Where everything is kept that the configuration gives no place of its own.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rand::{RngExt, distr::Alphanumeric};
use secrecy::SecretString;

/// Characters of a generated secret; more than any algorithm of tokens asks for.
const SECRET_LENGTH: usize = 64;

/// `conda-store` in the user's data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDirectory(PathBuf);

impl DataDirectory {
    /// That of this user (`$XDG_DATA_HOME/conda-store` or `~/.local/share/conda-store` on Linux).
    ///
    /// # Errors
    /// Where the user has no home.
    pub fn of_user() -> anyhow::Result<Self> {
        let data = dirs::data_dir().context("this user has no data directory: set HOME or XDG_DATA_HOME")?;
        Ok(Self::at(data.join("conda-store")))
    }

    /// That at `path`.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where environments are built by default.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// Where artifacts are kept by default.
    #[must_use]
    pub fn storage(&self) -> PathBuf {
        self.0.join("storage")
    }

    /// The default database.
    ///
    /// # Errors
    /// Where the directory cannot be made, in which the database is to be.
    pub fn database_url(&self) -> anyhow::Result<SecretString> {
        fs::create_dir_all(&self.0).with_context(|| format!("cannot make {}", self.0.display()))?;
        Ok(format!("sqlite:{}", self.0.join("conda-store.sqlite").display()).into())
    }

    /// The channel of the demonstration.
    #[must_use]
    pub fn demo_channel(&self) -> PathBuf {
        self.0.join("demo-channel")
    }

    /// The secret that signs tokens, kept in a file that its owner alone can read; a new one where there is none yet.
    ///
    /// # Errors
    /// Where the file cannot be read or written, or somebody else can read it.
    pub fn secret(&self) -> anyhow::Result<SecretString> {
        let path = self.0.join("secret");
        match read_private(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            read => return read.with_context(|| format!("cannot use the secret in {}", path.display())),
        }
        fs::create_dir_all(&self.0).with_context(|| format!("cannot make {}", self.0.display()))?;
        let secret: String = (0..SECRET_LENGTH).map(|_| char::from(rand::rng().sample(Alphanumeric))).collect();
        let create = || {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            io::Write::write_all(&mut file, secret.as_bytes())?;
            file.sync_all()
        };
        match create() {
            // Another process was faster: its secret is the one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(read_private(&path)?),
            written => written.map(|()| secret.into()).with_context(|| format!("cannot write {}", path.display())),
        }
    }
}

fn read_private(path: &Path) -> io::Result<SecretString> {
    use std::os::unix::fs::PermissionsExt;

    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!("others can read it (mode {mode:o}); its mode must be 600")));
    }
    let secret = fs::read_to_string(path)?;
    if secret.len() < SECRET_LENGTH {
        return Err(io::Error::other("it is too short; delete it, and a new one is made"));
    }
    Ok(secret.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_secret_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::at(directory.path().join("conda-store"));
        let secret = data.secret().unwrap();
        assert_eq!(secret.expose_secret().len(), SECRET_LENGTH);
        assert_eq!(data.secret().unwrap().expose_secret(), secret.expose_secret());
        let path = data.path().join("secret");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(format!("{:#}", data.secret().unwrap_err()).contains("others can read it (mode 640)"));
    }
}
