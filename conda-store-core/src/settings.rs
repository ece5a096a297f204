//! What can be set per installation, and partly per namespace and environment.

mod changes;
mod form;

use std::{num::NonZeroU32, time::Duration};

use rattler_conda_types::Subdir;
use serde::{Deserialize, Serialize};

pub(crate) use self::changes::RETENTION;
pub use self::changes::SettingPlace;
use crate::{
    install::Permissions,
    model::{ArchiveFormat, ArtifactType, NamespaceName},
};

/// All settings, merged for one environment.
///
/// Its fields are the names of the settings, in a configuration file as in the API. Defaults are those of the documented
/// configuration; [`Settings::default`] gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Prepended to a channel name without a URL.
    #[serde(deserialize_with = "form::channel_alias")]
    pub conda_channel_alias: String,
    /// Subdirectories whose package lists are used.
    pub conda_platforms: Vec<Subdir>,
    /// Platforms that are locked; this machine's is always among them.
    pub conda_solve_platforms: Vec<Subdir>,
    /// Channels of a specification that names none.
    pub conda_default_channels: Vec<String>,
    /// Channels that a specification may name; none here means all.
    pub conda_allowed_channels: Vec<String>,
    /// Channels whose packages can be searched.
    pub conda_indexed_channels: Vec<String>,
    /// Dependencies of a specification that has none.
    pub conda_default_packages: Vec<String>,
    /// Dependencies without which a specification is refused.
    pub conda_required_packages: Vec<String>,
    /// Dependencies that are added where they are missing.
    pub conda_included_packages: Vec<String>,
    /// As [`conda_default_packages`](Self::conda_default_packages), for the `pip:` list.
    pub pypi_default_packages: Vec<String>,
    /// As [`conda_required_packages`](Self::conda_required_packages), for the `pip:` list.
    pub pypi_required_packages: Vec<String>,
    /// As [`conda_included_packages`](Self::conda_included_packages), for the `pip:` list.
    pub pypi_included_packages: Vec<String>,
    /// When a solve gives up; written in seconds.
    #[serde(with = "form::seconds")]
    pub conda_max_solve_time: Duration,
    /// Channel priority, and further flags of an external solver.
    pub conda_flags: String,
    /// `rattler` for the built-in solver, else a name or path of mamba, micromamba or conda.
    pub conda_command: String,
    /// Artifacts that are made of a build.
    pub build_artifacts: Vec<ArtifactType>,
    /// What kind of file the archive of a build is.
    pub archive_format: ArchiveFormat,
    /// Artifacts that outlive their build.
    pub build_artifacts_kept_on_deletion: Vec<ArtifactType>,
    /// The namespace of specifications that name none.
    pub default_namespace: NamespaceName,
    /// The namespace of environments found on the file system.
    pub filesystem_namespace: NamespaceName,
    /// Owner of every file of a built environment; unchanged where none.
    pub default_uid: Option<u32>,
    /// Group of every file of a built environment; unchanged where none.
    pub default_gid: Option<u32>,
    /// Mode bits of every file and directory of a built environment; unchanged where none. Written in octal digits.
    #[serde(with = "form::permissions")]
    pub default_permissions: Option<u32>,
    /// Bytes of free space below which nothing is created.
    pub storage_threshold: u64,
    /// Whether post-link scripts of packages are run.
    pub run_link_scripts: bool,
    /// How many builds of a namespace run at once; as many as workers take where none.
    pub max_concurrent_builds: Option<NonZeroU32>,
    /// How many ended builds of an environment are kept, the newest ones and its current one; all where none.
    pub max_kept_builds: Option<NonZeroU32>,
    /// How many days after its end a build is kept that is not the current one; for ever where none.
    pub max_kept_days: Option<NonZeroU32>,
}

impl Settings {
    /// Owner and mode of the files of a built environment.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        Permissions { uid: self.default_uid, gid: self.default_gid, mode: self.default_permissions }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let platform: Vec<_> = Subdir::current().into_iter().collect();
        let forge = || vec!["conda-forge".to_owned()];
        Self {
            conda_channel_alias: "https://conda.anaconda.org".into(),
            conda_platforms: platform.iter().copied().chain([Subdir::NoArch]).collect(),
            conda_solve_platforms: platform,
            conda_default_channels: forge(),
            conda_allowed_channels: Vec::new(),
            conda_indexed_channels: ["main".to_owned()].into_iter().chain(forge()).collect(),
            conda_default_packages: Vec::new(),
            conda_required_packages: Vec::new(),
            conda_included_packages: Vec::new(),
            pypi_default_packages: Vec::new(),
            pypi_required_packages: Vec::new(),
            pypi_included_packages: Vec::new(),
            conda_max_solve_time: Duration::from_mins(5),
            conda_flags: "--strict-channel-priority".into(),
            conda_command: "rattler".into(),
            build_artifacts: vec![
                ArtifactType::Lockfile,
                ArtifactType::Yaml,
                ArtifactType::CondaPack,
                ArtifactType::DockerManifest,
                ArtifactType::ContainerRegistry,
                ArtifactType::ConstructorInstaller,
                ArtifactType::Sbom,
            ],
            archive_format: ArchiveFormat::default(),
            build_artifacts_kept_on_deletion: vec![
                ArtifactType::Logs,
                ArtifactType::Lockfile,
                ArtifactType::Yaml,
                ArtifactType::ContainerRegistry,
            ],
            default_namespace: NamespaceName::standard(),
            filesystem_namespace: NamespaceName::filesystem(),
            default_uid: None,
            default_gid: None,
            default_permissions: Some(0o775),
            storage_threshold: 5 << 30,
            run_link_scripts: true,
            max_concurrent_builds: None,
            max_kept_builds: None,
            max_kept_days: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::ChannelAlias;

    #[test]
    fn the_defaults_agree_with_each_other() {
        let settings = Settings::default();
        let alias = ChannelAlias::new(&settings.conda_channel_alias).unwrap();
        for channels in [&settings.conda_default_channels, &settings.conda_indexed_channels] {
            alias.resolve_all(channels.iter().map(String::as_str)).unwrap();
        }
        assert!(settings.conda_solve_platforms.iter().all(|platform| settings.conda_platforms.contains(platform)));
        assert_eq!(settings.storage_threshold, 5 * 1024 * 1024 * 1024);
    }

    #[test]
    fn settings_are_written_as_they_are_read() {
        let settings = Settings { default_permissions: Some(0o75), ..Settings::default() };
        let written = serde_json::to_value(&settings).unwrap();
        assert_eq!(written["default_permissions"], "075");
        assert_eq!(written["conda_max_solve_time"], 300);
        assert_eq!(serde_json::from_value::<Settings>(written).unwrap(), settings);
    }
}
