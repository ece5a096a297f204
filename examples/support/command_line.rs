//! What the two programs take on the command line.

use std::path::PathBuf;

use clap::Parser;

use crate::configuration::{Configuration, Problems, Program};

/// How options are given, for the help of both programs.
const RULES: &str = "\
Configuration:
  One YAML file of sections, each with its options:

      CondaStore:
        database_url: postgresql://conda@db/conda-store
        conda_default_channels: [conda-forge]
      LocalStorage:
        storage_path: /srv/conda-store/storage

  Without --config every option has its default: an SQLite database, environments and artifacts in the directory
  conda-store of the user's data directory.

  Environment variables go before the file: CONDA_STORE__SECTION__KEY, in any case, with a value in YAML, such as
  CONDA_STORE__CONDASTORE__BUILD_ARTIFACTS='[LOCKFILE, YAML]'.

  A secret can be kept in a file of its own: KEY_file takes its path, such as secret_file, password_file,
  secret_key_file or database_url_file.

  An unknown section or option, a value of a wrong type or a contradiction is named by file and line, and the program
  does not start; --check does no more than that.";

/// Examples for the help of the server.
const SERVER_EXAMPLES: &str = "\
Examples:
  conda-store-server --standalone --demo        a first look: everything in one process, with a small environment
  conda-store-server --standalone               one machine
  conda-store-server --config conda-store.yaml  the server alone; workers are conda-store-worker
  conda-store-server --config conda-store.yaml --check

  SIGTERM and SIGINT stop it: requests are answered to the end, builds of --standalone finish within 20 seconds or are
  built again by whoever comes next.";

/// Examples for the help of the worker.
const WORKER_EXAMPLES: &str = "\
Examples:
  conda-store-worker --config conda-store.yaml
  CONDA_STORE__CONDASTOREWORKER__CONCURRENCY=2 conda-store-worker --config conda-store.yaml
  CONDA_STORE__CONDASTOREWORKER__WATCH_PATHS='[/srv/environments]' conda-store-worker
  CONDA_STORE__CONDASTOREWORKER__PORT=9090 conda-store-worker   shows /metrics, /health/live and /health/ready there

  SIGTERM and SIGINT stop it: builds finish within 20 seconds or are built again by another worker.";

/// Serves conda environments: the API, for people and for programs.
#[derive(Debug, Parser)]
#[command(name = "conda-store-server", version, after_help = "--help says more.")]
#[command(after_long_help = format!("{SERVER_EXAMPLES}\n\n{RULES}"))]
pub struct ServerArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Run a worker in the same process, so that nothing else is needed.
    #[arg(long)]
    pub standalone: bool,
    /// Make a small channel and an environment from it, for a first look without network.
    #[arg(long)]
    pub demo: bool,
    /// Check the configuration and stop.
    #[arg(long)]
    pub check: bool,
}

/// Builds conda environments for a conda-store-server with the same configuration.
#[derive(Debug, Parser)]
#[command(name = "conda-store-worker", version, after_help = "--help says more.")]
#[command(after_long_help = format!("{WORKER_EXAMPLES}\n\n{RULES}"))]
pub struct WorkerArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check the configuration and stop.
    #[arg(long)]
    pub check: bool,
}

impl ServerArguments {
    /// The configuration, and which program it makes this process.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn configuration(&self) -> Result<(Configuration, Program), Problems> {
        let configuration = Configuration::load(self.config.as_deref(), environment())?;
        let standalone = self.standalone || configuration.server.standalone;
        Ok((configuration, if standalone { Program::Standalone } else { Program::Server }))
    }
}

impl WorkerArguments {
    /// The configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn configuration(&self) -> Result<Configuration, Problems> {
        Configuration::load(self.config.as_deref(), environment())
    }
}

/// The environment variables that are text.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn help_explains_the_configuration() {
        ServerArguments::command().debug_assert();
        WorkerArguments::command().debug_assert();
        for help in [
            ServerArguments::command().render_long_help().to_string(),
            WorkerArguments::command().render_long_help().to_string(),
        ] {
            for word in ["--config <FILE>", "--check", "CONDA_STORE__SECTION__KEY", "KEY_file", "Examples:"] {
                assert!(help.contains(word), "{help}");
            }
        }
    }
}
