//! The example binaries, started with a configuration of their own and killed with the test.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Api, TOKEN};

/// A process that ends with the test.
#[derive(Debug)]
pub(crate) struct Program(Child);

impl Program {
    /// Starts a program.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.stdin(Stdio::null()).spawn().with_context(|| format!("start {command:?}"))?))
    }

    /// Starts a program and waits for a line of its output that begins with `prefix`; answers the rest of that line.
    pub(crate) fn saying(command: &mut Command, prefix: &str) -> Result<(Self, String)> {
        let mut program = Self::start(command.stdout(Stdio::piped()))?;
        let output = BufReader::new(program.0.stdout.take().context("the output is piped")?);
        let mut lines = output.lines().map_while(std::result::Result::ok);
        let rest = lines.find_map(|line| line.strip_prefix(prefix).map(ToOwned::to_owned));
        Ok((program, rest.with_context(|| format!("the program does not say {prefix:?}"))?))
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id()), signal).unwrap();
    }

    /// Waits for the end, and answers whether the exit code was 0.
    pub(crate) fn succeeded(&mut self, limit: Duration) -> Result<bool> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status.success());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        anyhow::bail!("the program still runs after {limit:?}")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _over_already = self.0.kill();
        let _status = self.0.wait();
    }
}

/// One installation: a directory, a database, a port, and the configuration file that says so.
#[derive(Debug)]
pub(crate) struct Site {
    directory: tempfile::TempDir,
    port: u16,
}

impl Site {
    /// An installation with `database_url`, and `options` (YAML, indented by two) added to the section `CondaStore`.
    pub(crate) fn new(database_url: Option<&str>, options: &str) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("cs").tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let root = directory.path().display();
        std::fs::create_dir(directory.path().join("tmp"))?;
        let default = format!("sqlite:{root}/conda-store.db");
        let database_url = database_url.unwrap_or(&default);
        let configuration = format!(
            "CondaStore:\n  store_directory: {root}/state\n  database_url: {database_url}\n  conda_indexed_channels: []\n{options}\
             LocalStorage:\n  storage_path: {root}/storage\n\
             AuthenticationBackend:\n  secret: a-secret-that-is-long-enough-for-every-algorithm\n  predefined_tokens:\n    \
             {TOKEN}:\n      primary_namespace: default\n      role_bindings: {{\"*/*\": [admin]}}\n\
             CondaStoreWorker:\n  concurrency: 4\n\
             CondaStoreServer:\n  address: 127.0.0.1\n  port: {port}\n"
        );
        std::fs::write(directory.path().join("config.yaml"), configuration)?;
        Ok(Self { directory, port })
    }

    /// The same installation with `options` (YAML, indented by two) added to the section `CondaStoreServer`.
    pub(crate) fn with_server_options(self, options: &str) -> Result<Self> {
        // That section is the last one.
        let mut file = std::fs::OpenOptions::new().append(true).open(self.path().join("config.yaml"))?;
        file.write_all(options.as_bytes())?;
        Ok(self)
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where environments are built.
    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Where its programs keep temporary files.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path().join("tmp")
    }

    /// The symlink of an environment in the default namespace; it comes a moment after its build is completed.
    pub(crate) async fn environment(&self, name: &str) -> Result<PathBuf> {
        let link = self.state().join("default/envs").join(name);
        let begun = Instant::now();
        while !link.try_exists()? {
            ensure!(begun.elapsed() < Duration::from_secs(10), "{} does not come", link.display());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(link)
    }

    /// Starts the server and waits until it answers.
    pub(crate) async fn server(&self, arguments: &[&str]) -> Result<(Program, Api)> {
        let mut program = self.start("conda-store-server", arguments)?;
        let api = self.answering(&mut program, "conda-store-server").await?;
        Ok((program, api))
    }

    /// Starts a worker, which writes what it has to say to `NAME.log`.
    pub(crate) fn worker(&self, name: &str) -> Result<Program> {
        self.start_as("conda-store-worker", name, &[])
    }

    /// Starts the example that embeds the library, with its data in the site's directory.
    pub(crate) async fn embedded(&self) -> Result<(Program, Api)> {
        let data = self.path().join("embedded");
        let mut command = Command::new(example("embed")?);
        let mut program = Program::start(command.arg(data).arg(format!("127.0.0.1:{}", self.port)))?;
        let api = self.answering(&mut program, "embed").await?;
        Ok((program, api))
    }

    /// A client, once the program answers.
    async fn answering(&self, program: &mut Program, name: &str) -> Result<Api> {
        let api = Api::new(self.port);
        let begun = Instant::now();
        while api.get("/api/v1/").await.is_err() {
            ensure!(program.0.try_wait()?.is_none(), "{name} ended: {}", self.output(name));
            ensure!(begun.elapsed() < Duration::from_secs(30), "{name} does not answer: {}", self.output(name));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(api)
    }

    fn start(&self, binary: &str, arguments: &[&str]) -> Result<Program> {
        self.start_as(binary, binary, arguments)
    }

    fn start_as(&self, binary: &str, name: &str, arguments: &[&str]) -> Result<Program> {
        let log = std::fs::File::create(self.path().join(format!("{name}.log")))?;
        let mut command = Command::new(example(binary)?);
        command.arg("--config").arg(self.path().join("config.yaml")).args(arguments).env("HOME", self.path());
        command.env("TMPDIR", self.temporary());
        Program::start(command.stdout(log.try_clone()?).stderr(log))
    }

    /// What a program printed so far.
    pub(crate) fn output(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(format!("{name}.log"))).unwrap_or_default()
    }
}

/// The processes on this machine that work on an environment below `directory`.
pub(crate) fn processes_of(directory: &Path) -> Vec<i32> {
    let mark = format!("CONDA_STORE_PREFIX={}/", directory.display());
    let has_mark = |id: &i32| {
        let variables = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        variables.split(|byte| *byte == 0).any(|variable| variable.starts_with(mark.as_bytes()))
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(has_mark).collect()
}

/// The path of an example that cargo built beside this test.
pub(crate) fn example(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let profile = test.parent().and_then(Path::parent).context("a test lies in target/PROFILE/deps")?;
    let path = profile.join("examples").join(name);
    ensure!(path.try_exists()?, "{} is missing: build the examples", path.display());
    Ok(path)
}
