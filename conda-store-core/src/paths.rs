//! Where environments are on disk: [`Layout`].

mod template;

use std::path::{Component, Path, PathBuf};

use self::template::{Names, Template};
use crate::{
    Error, Result,
    build_key::{self, BuildKeyFormat},
    model::{Build, EnvironmentName, NamespaceName},
};

/// The longest prefix in bytes: conda packages reserve this much for it in their files.
const LONGEST_PREFIX: usize = 255;

/// What turns off the limit of 260 characters on Windows
/// (<https://learn.microsoft.com/windows/win32/fileio/maximum-file-path-limitation>).
const EXTENDED_LENGTH_PREFIX: &str = r"\\?\";

/// What a [`Layout`] is made of.
///
/// The keys of a template are `{store_directory}`, `{namespace}` and `{name}` (the environment); `{{` and `}}` are
/// braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutOptions {
    /// The directory that everything is in.
    pub store_directory: PathBuf,
    /// Template of the directory that a build's directory is in.
    pub build_directory: String,
    /// Template of the symbolic link to an environment's current build.
    pub environment_directory: String,
    /// Whether paths on Windows get the prefix `\\?\`.
    pub win_extended_length_prefix: bool,
}

impl LayoutOptions {
    /// The documented layout in `store_directory`.
    pub fn new(store_directory: impl Into<PathBuf>) -> Self {
        Self {
            store_directory: store_directory.into(),
            build_directory: "{store_directory}/{namespace}".into(),
            environment_directory: "{store_directory}/{namespace}/envs/{name}".into(),
            win_extended_length_prefix: false,
        }
    }
}

/// The paths of builds, and of the links to current builds.
#[derive(Clone, Debug)]
pub struct Layout {
    store_directory: PathBuf,
    build_directory: Template,
    environment_directory: Template,
    extended_length_prefix: bool,
}

impl Layout {
    /// Checks `options`; relative paths count from `working_directory`, which must be absolute. Nothing is looked up on
    /// the disk, so links are not followed.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a template with an unknown key, without a needed one, or
    /// that leads through `..`.
    pub fn new(options: &LayoutOptions, working_directory: &Path) -> Result<Self> {
        let store_directory = absolute(&working_directory.join(&options.store_directory));
        let read = |option, text| Template::parse(option, text, working_directory, &store_directory);
        let environment_directory = read("environment_directory", &options.environment_directory)?;
        environment_directory.require_name()?;
        Ok(Self {
            build_directory: read("build_directory", &options.build_directory)?,
            environment_directory,
            extended_length_prefix: options.win_extended_length_prefix && cfg!(windows),
            store_directory,
        })
    }

    /// The directory that everything is in, absolute.
    #[must_use]
    pub fn store_directory(&self) -> &Path {
        &self.store_directory
    }

    /// The directory of `build`, its conda prefix.
    ///
    /// # Errors
    /// As [`prefix`](Self::prefix) and [`build_key::of`].
    pub fn build_path(&self, build: &Build) -> Result<PathBuf> {
        let format = build_key::format(build.build_key_version)?;
        self.prefix(format, &build.namespace, &build.environment, &build_key::of(build)?)
    }

    /// The directory of the build with `key`. Keys of a fixed size are right in the store's directory, so that the whole
    /// path has one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where it has more than 255 bytes: conda packages have no room
    /// for a longer one in their files. Also where `key` is no single path segment.
    pub fn prefix(
        &self,
        format: &dyn BuildKeyFormat,
        namespace: &NamespaceName,
        environment: &EnvironmentName,
        key: &str,
    ) -> Result<PathBuf> {
        check_segment(key)?;
        let directory = if format.named_paths() {
            self.build_directory.path(&Names { namespace, environment })?
        } else {
            self.store_directory.clone()
        };
        let path = directory.join(key);
        let length = path.as_os_str().len();
        if length > LONGEST_PREFIX {
            let message = format!(
                "build_path too long: must be <= {LONGEST_PREFIX} characters, but has {length}; choose a shorter name \
                 for the environment or namespace, or have store_directory moved or build_key_version set to 3"
            );
            return Err(Error::invalid("lay out build", message).with("path", path.display()));
        }
        Ok(self.extended(path))
    }

    /// The symbolic link to the current build of an environment; none where the format's paths carry no names.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where the template leads out of its own directory.
    pub fn environment_path(
        &self,
        format: &dyn BuildKeyFormat,
        namespace: &NamespaceName,
        environment: &EnvironmentName,
    ) -> Result<Option<PathBuf>> {
        if !format.named_paths() {
            return Ok(None);
        }
        let path = self.environment_directory.path(&Names { namespace, environment })?;
        Ok(Some(self.extended(path)))
    }

    /// Whether `path`, which must not lead through `..`, is below the directory that everything is in.
    #[must_use]
    pub fn contains(&self, path: &Path) -> bool {
        let plain = path.components().all(|component| component != Component::ParentDir);
        plain && path != self.store_directory && path.starts_with(&self.store_directory)
    }

    fn extended(&self, path: PathBuf) -> PathBuf {
        if self.extended_length_prefix { extended_length(&path) } else { path }
    }
}

/// `path` with the prefix that lifts Windows' limit.
fn extended_length(path: &Path) -> PathBuf {
    let mut text = std::ffi::OsString::from(EXTENDED_LENGTH_PREFIX);
    text.push(path);
    text.into()
}

fn check_segment(key: &str) -> Result<()> {
    let mut components = Path::new(key).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(segment)), None) if segment == key => Ok(()),
        _ => Err(Error::invalid("lay out build", format!("build key {key:?} is no single path segment"))),
    }
}

/// `path` without `.` and `..`, as its text has it.
fn absolute(path: &Path) -> PathBuf {
    let mut absolute = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                absolute.pop();
            }
            other => absolute.push(other),
        }
    }
    absolute
}

#[cfg(test)]
mod tests;
