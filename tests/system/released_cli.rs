//! The command line of conda-store as `PyPI` has it, version 2025.2.2, against the running server: each of its commands, and
//! what its Python class does beyond them.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use conda_store_examples::demo;
use serde_json::Value;
use tokio::process::Command;

use crate::support::{Api, Program, Site, TOKEN, file_url, specification};

/// How long one command may take, a build included.
const LIMIT: Duration = Duration::from_mins(2);

/// Calls a method of the client's class with arguments, as programs do that build on it.
const CALL: &str = "\
import asyncio, json, os, sys
from conda_store.api import CondaStoreAPI

async def call(method, *arguments):
    async with CondaStoreAPI(os.environ['CONDA_STORE_URL'], 'token') as conda_store:
        print(json.dumps(await getattr(conda_store, method)(*arguments)))

asyncio.run(call(*sys.argv[1:]))
";

/// What one command came to.
struct Ran {
    succeeded: bool,
    /// What it printed.
    said: String,
    /// What it complained of.
    complained: String,
}

/// A server with a worker and a channel, and the client's program.
struct Client {
    program: PathBuf,
    site: Site,
    channel: String,
    api: Api,
    _server: Program,
}

impl Client {
    /// All of it, where this machine has the program. Lists have at most three items a page.
    async fn new() -> Option<Self> {
        let program = conda_store_core::testing::service("conda_store_cli")?.into();
        let site = Site::new(None, "").unwrap().with_server_options("  max_page_size: 3\n").unwrap();
        let directory = site.path().join("channel");
        Box::pin(demo::channel::write(&directory, demo::packages())).await.unwrap();
        let (server, api) = site.server(&["--standalone"]).await.unwrap();
        Some(Self { program, channel: file_url(&directory), site, api, _server: server })
    }

    /// The specification of an environment.
    fn specification(&self, name: &str, packages: &[&str]) -> String {
        specification(name, &self.channel, packages)
    }

    /// Builds an environment of these packages.
    async fn build(&self, name: &str, packages: &[&str]) -> i64 {
        let id = self.api.submit("default", &self.specification(name, packages)).await.unwrap();
        self.api.completed(id, LIMIT).await.unwrap();
        id
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            // Cookies are for names: the client drops those of a host that is an address.
            .env("CONDA_STORE_URL", self.api.url("").replace("127.0.0.1", "localhost"))
            .env("CONDA_STORE_AUTH", "token")
            .env("CONDA_STORE_TOKEN", TOKEN)
            // Tables are as wide as what is in them.
            .env("COLUMNS", "400")
            .env("HOME", self.site.path())
            .env("TMPDIR", self.site.path())
            .current_dir(self.site.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, command: &mut Command) -> Ran {
        let output = tokio::time::timeout(LIMIT, command.output()).await.expect("it ends").unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { succeeded: output.status.success(), said: text(output.stdout), complained: text(output.stderr) }
    }

    /// Runs a command that succeeds, and answers what it printed.
    async fn says(&self, arguments: &[&str]) -> String {
        let ran = self.run(self.command(&self.program).args(arguments)).await;
        assert!(ran.succeeded, "{arguments:?}: {}", ran.complained);
        ran.said
    }

    /// The field `name` of each item that a list shows.
    async fn list(&self, arguments: &[&str], name: &str) -> Vec<Value> {
        let said = self.says(&[&["list"], arguments, &["--output", "json"]].concat()).await;
        let items: Vec<Value> = serde_json::from_str(&said).unwrap();
        items.into_iter().map(|item| item[name].clone()).collect()
    }

    /// Calls a method of the client's class.
    async fn call(&self, arguments: &[&str]) -> Ran {
        let python = self.program.with_file_name("python");
        self.run(self.command(&python).arg("-c").arg(CALL).args(arguments)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_whole_and_filtered() {
    let Some(client) = Client::new().await else { return };
    let web = client.build("web", &["conda-store-demo-hello"]).await;
    let lab = client.build("lab", &["conda-store-demo-greeting"]).await;
    let again = client.build("lab", &["conda-store-demo-hello", "conda-store-demo-greeting"]).await;
    let text = client.specification("broken", &["no-such-package"]);
    let broken = client.api.submit("default", &text).await.unwrap();
    client.api.wait_for(broken, &["FAILED"], LIMIT).await.unwrap();
    for namespace in ["first", "second", "third"] {
        let ran = client.call(&["create_namespace", namespace]).await;
        assert!(ran.succeeded, "{}", ran.complained);
    }

    // More than one page of each: the number of the second arrives with a slash behind it.
    let mut namespaces = client.list(&["namespace"], "name").await;
    namespaces.sort_by_key(ToString::to_string);
    assert_eq!(namespaces, ["default", "first", "second", "third"]);
    let mut builds = client.list(&["build"], "id").await;
    builds.sort_by_key(Value::as_i64);
    assert_eq!(builds, [web, lab, again, broken]);

    let completed = ["build", "--status", "COMPLETED"];
    assert_eq!(client.list(&completed, "id").await.len(), 3);
    assert_eq!(client.list(&["build", "--status", "FAILED"], "id").await, [broken]);
    assert_eq!(client.list(&["build", "--artifact", "LOCKFILE"], "id").await.len(), 3);
    let both = ["--package", "conda-store-demo-greeting", "--package", "conda-store-demo-hello"];
    let all = [&completed[..], &["--artifact", "YAML"], &both].concat();
    assert_eq!(client.list(&all, "id").await.len(), 2);

    let mut environments = client.list(&["environment"], "name").await;
    environments.sort_by_key(ToString::to_string);
    assert_eq!(environments, ["broken", "lab", "web"]);
    for filter in [&["--status", "COMPLETED"][..], &["--artifact", "LOGS"], &both] {
        let mut found = client.list(&[&["environment"], filter].concat(), "name").await;
        found.sort_by_key(ToString::to_string);
        assert_eq!(found, ["lab", "web"], "{filter:?}");
    }
    for table in [["list", "build"], ["list", "environment"], ["list", "namespace"]] {
        assert!(client.says(&table).await.lines().count() >= 7, "{table:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_is_made_waited_for_downloaded_and_run() {
    let Some(client) = Client::new().await else { return };
    let file = client.site.path().join("environment.yaml");
    std::fs::write(&file, client.specification("web", &["conda-store-demo-hello"])).unwrap();
    let solved = client.says(&["solve", "environment.yaml", "--output", "json"]).await;
    let solved: Vec<Value> = serde_json::from_str(&solved).unwrap();
    let mut names: Vec<&str> = solved.iter().filter_map(|package| package["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["conda-store-demo-greeting", "conda-store-demo-hello"]);
    assert!(client.says(&["solve", "environment.yaml"]).await.contains("Total Size"));

    let made = client.call(&["create_environment", "default", &std::fs::read_to_string(&file).unwrap()]).await;
    assert!(made.succeeded, "{}", made.complained);
    let id = made.said.trim();
    client.says(&["wait", id, "--interval", "1"]).await;
    for artifact in ["lockfile", "yaml", "archive"] {
        client.says(&["wait", "default/web", "--interval", "1", "--artifact", artifact]).await;
    }

    let uri = format!("default/web:{id}");
    for (artifact, uri) in [("lockfile", id), ("yaml", "default/web"), ("archive", &uri), ("logs", id)] {
        let said = client.says(&["download", uri, "--artifact", artifact, "--output-filename", artifact]).await;
        assert_eq!(Path::new(&said), client.site.path().canonicalize().unwrap().join(artifact));
        let bytes = client.api.bytes(&format!("/api/v1/build/{id}/{artifact}/")).await.unwrap();
        assert!(!bytes.is_empty());
        assert_eq!(std::fs::read(&said).unwrap(), bytes, "{artifact}");
    }
    for cache in [&[][..], &["--no-cache"]] {
        let said = client.says(&[&["run"], cache, &["default/web", "conda-store-demo-hello"]].concat()).await;
        assert!(said.starts_with("Hello from an environment that conda-store built.\n"), "{said}");
    }

    let deleted = client.call(&["delete_environment", "default", "web"]).await;
    assert!(deleted.succeeded, "{}", deleted.complained);
    assert_eq!(client.list(&["environment"], "name").await, [""; 0]);
    let gone = client.run(client.command(&client.program).args(["download", "default/web"])).await;
    assert!(
        !gone.succeeded && gone.complained.contains("Error getting environment default/web"),
        "{}",
        gone.complained
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_said_in_the_clients_words() {
    let Some(client) = Client::new().await else { return };
    let text = client.specification("broken", &["no-such-package"]);
    let id = client.api.submit("default", &text).await.unwrap().to_string();
    let unreadable = client.call(&["create_environment", "default", "name: ["]).await;
    assert!(!unreadable.succeeded && unreadable.complained.contains("Reason"), "{}", unreadable.complained);
    for (arguments, expected) in [
        (&["wait", &id, "--interval", "1"][..], format!("Build {id} failed")),
        (&["wait", "9999"], "Error getting build 9999".into()),
        (&["download", &id, "--artifact", "archive"], format!("Error downloading build {id}")),
    ] {
        let ran = client.run(client.command(&client.program).args(arguments)).await;
        assert!(!ran.succeeded && ran.complained.contains(&expected), "{arguments:?}: {}", ran.complained);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_log_in_and_hand_on_tokens() {
    let Some(client) = Client::new().await else { return };
    let said = client.says(&["info"]).await;
    assert!(said.contains("Default namespace is default") && said.contains("Authenticated True"), "{said}");
    let permission = ["--permission", "default/*:viewer,developer"];
    let token =
        client.says(&[&["token", "--namespace", "default", "--expiration", "600"], &permission[..]].concat()).await;

    let handed_on = client.run(client.command(&client.program).env("CONDA_STORE_TOKEN", &token).arg("info")).await;
    assert!(handed_on.succeeded, "{}", handed_on.complained);
    assert!(
        handed_on.said.contains("environment:create") && !handed_on.said.contains("::delete"),
        "{}",
        handed_on.said
    );
    let more = ["token", "--permission", "*/*:admin"];
    let refused = client.run(client.command(&client.program).env("CONDA_STORE_TOKEN", &token).args(more)).await;
    assert!(!refused.succeeded && refused.complained.contains("not a subset"), "{}", refused.complained);

    let mut login = client.command(&client.program);
    login.env("CONDA_STORE_AUTH", "basic").env("CONDA_STORE_USERNAME", "alice").env("CONDA_STORE_PASSWORD", "password");
    let logged_in = client.run(login.arg("info")).await;
    assert!(logged_in.said.contains("Default namespace is alice"), "{}{}", logged_in.said, logged_in.complained);
    let nobody = client.run(client.command(&client.program).env("CONDA_STORE_AUTH", "none").arg("info")).await;
    assert!(nobody.said.contains("Authenticated False"), "{}{}", nobody.said, nobody.complained);
}
