//! What a platform offers to packages apart from packages: `__glibc`, `__cuda` and the like
//! (<https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-virtual.html>).
//!
//! For this machine's own platform they are looked up; another platform is taken to be about the oldest that is still
//! in wide use (glibc 2.28, macOS 13, Windows 10, a plain processor of its kind, no graphics card). Variables of a
//! specification override both.

use std::{collections::BTreeMap, path::Path};

use rattler_conda_types::{GenericVirtualPackage, Subdir};
use rattler_virtual_packages::{EnvOverride, VirtualPackageOverrides, VirtualPackages};

use crate::{Error, Result};

const OPERATION: &str = "determine virtual packages";

/// The virtual packages of `platform`, with what `CONDA_OVERRIDE_*` among `variables` says of them: a version (for
/// `CONDA_OVERRIDE_ARCHSPEC` the name of a microarchitecture), or the empty string for "there is none".
///
/// Looks at this machine, and so may block; what is expensive to find out is kept in `cache`.
pub(crate) fn virtual_packages(
    platform: Subdir,
    variables: &BTreeMap<String, String>,
    cache: Option<&Path>,
) -> Result<Vec<GenericVirtualPackage>> {
    let mut packages = if Some(platform) == Subdir::current() {
        VirtualPackages::detect(&VirtualPackageOverrides::default(), cache)
            .map_err(|error| Error::unexpected(OPERATION, "this machine cannot be examined").with_source(error))?
    } else {
        VirtualPackages::baseline_for_platform(platform)
    };
    replace(&mut packages.linux, variables, platform.is_linux())?;
    replace(&mut packages.libc, variables, platform.is_linux())?;
    replace(&mut packages.osx, variables, platform.is_osx())?;
    replace(&mut packages.win, variables, platform.is_windows())?;
    replace(&mut packages.cuda, variables, true)?;
    replace(&mut packages.cuda_arch, variables, true)?;
    replace(&mut packages.archspec, variables, true)?;
    if packages.cuda.is_none() {
        packages.cuda_arch = None;
    }
    Ok(packages.into_generic_virtual_packages().collect())
}

/// Puts what a variable says into `slot`; where the platform has no such slot the value is only checked.
fn replace<P: EnvOverride>(slot: &mut Option<P>, variables: &BTreeMap<String, String>, fits: bool) -> Result<()> {
    let Some(value) = variables.get(P::DEFAULT_ENV_NAME) else {
        return Ok(());
    };
    let package = P::parse_version_opt(value).map_err(|error| {
        let message = format!("{}: \"{value}\" is not a version or name that it can have", P::DEFAULT_ENV_NAME);
        Error::invalid(OPERATION, message).with_source(error)
    })?;
    if fits {
        *slot = package;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn shown(platform: Subdir, variables: &[(&str, &str)]) -> Result<Vec<String>> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(virtual_packages(platform, &variables, None)?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_foreign_platform_has_defaults_of_its_own_kind() {
        let win = shown(Subdir::Win64, &[("CONDA_OVERRIDE_GLIBC", "2.17")]).unwrap();
        assert_eq!(win, ["__win=10.0=0", "__archspec=1=x86_64"]);
        let mac =
            shown(Subdir::OsxArm64, &[("CONDA_OVERRIDE_OSX", "11.0"), ("CONDA_OVERRIDE_ARCHSPEC", "m2")]).unwrap();
        assert_eq!(mac, ["__unix=0=0", "__osx=11.0=0", "__archspec=1=m2"]);
    }

    #[test]
    fn overrides_set_and_remove() {
        let variables = [
            ("CONDA_OVERRIDE_GLIBC", "2.99"),
            ("CONDA_OVERRIDE_CUDA", "12.0"),
            ("CONDA_OVERRIDE_LINUX", ""),
            ("CONDA_OVERRIDE_ARCHSPEC", "x86_64_v3"),
        ];
        for platform in [Subdir::Linux64, Subdir::LinuxAarch64] {
            let packages = shown(platform, &variables).unwrap();
            assert_eq!(packages, ["__unix=0=0", "__glibc=2.99=0", "__cuda=12.0=0", "__archspec=1=x86_64_v3"]);
        }
    }

    #[test]
    fn a_value_that_is_none_is_named() {
        for (name, value) in [("CONDA_OVERRIDE_CUDA", "new!"), ("CONDA_OVERRIDE_ARCHSPEC", "speedy")] {
            let error = shown(Subdir::Linux64, &[(name, value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(name) && error.message().contains(value), "{error}");
        }
    }
}
