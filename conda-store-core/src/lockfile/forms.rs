//! Other forms of a lockfile, made when somebody asks for them.

use std::fmt::Write as _;

use rattler_conda_types::{ExplicitEnvironmentEntry, ExplicitEnvironmentSpec, RepoDataRecord, Subdir};
use url::Url;

use super::{Lockfile, PipPackage, invalid};
use crate::{Error, Result};

impl Lockfile {
    /// The list of URLs, each with a hash, that `conda create --file` takes
    /// (<https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html#building-identical-conda-environments>),
    /// in an order in which they can be linked. The hash is the MD5, which every version of conda knows, or else the SHA-256.
    /// What pip installs stands below in comments, as conda-lock writes it.
    ///
    /// Of several platforms it is for `platform`, or else for this machine's, or the first.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a platform that the lockfile is not for.
    pub fn to_explicit(&self, platform: Option<&str>) -> Result<String> {
        let platform = self.chosen(platform)?;
        let records = self.to_lock()?.platforms.remove(&platform).unwrap_or_default();
        let packages = records.iter().map(|record| ExplicitEnvironmentEntry { url: hashed(record) }).collect();
        let mut text = ExplicitEnvironmentSpec { platform: Some(platform), packages }.to_spec_string();
        for PipPackage { name, url, sha256, .. } in self.pip_packages(platform) {
            let hash = sha256.map(|hash| format!("#sha256={hash}")).unwrap_or_default();
            let _infallible = writeln!(text, "# pip {name} @ {url}{hash}");
        }
        Ok(text)
    }

    /// The `pixi.lock` (<https://pixi.sh/latest/workspace/lockfile/>) for all platforms, with what pip installs.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for packages that the format has no room for, such as those of
    /// channels with `file:` URLs.
    pub fn to_pixi(&self) -> Result<String> {
        let rendered = self.imported(|_| true)?.render_to_string();
        let text =
            rendered.map_err(|error| Error::unexpected("write lockfile", "it cannot be written").with_source(error))?;
        // Not everything that is written can be read again.
        rattler_lock::LockFile::from_str_with_base_directory(&text, None)
            .map_err(|error| invalid(format!("the lockfile cannot be one of pixi's: {error}")).with_source(error))?;
        Ok(text)
    }

    fn chosen(&self, platform: Option<&str>) -> Result<Subdir> {
        let platforms = self.platforms()?;
        let chosen = match platform {
            Some(name) => platforms.iter().find(|platform| platform.as_str() == name),
            None => platforms.iter().find(|platform| Some(**platform) == Subdir::current()).or(platforms.first()),
        };
        chosen.copied().ok_or_else(|| {
            let known = platforms.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join(", ");
            invalid(format!("the lockfile is not for {}; it is for {known}", platform.unwrap_or("any platform")))
        })
    }
}

fn hashed(record: &RepoDataRecord) -> Url {
    let package = &record.package_record;
    let sha256 = || package.sha256.map(|hash| format!("sha256:{}", hex::encode(hash)));
    let hash = package.md5.map(hex::encode).or_else(sha256);
    let mut url = record.url.clone();
    url.set_fragment(hash.as_deref());
    url
}
