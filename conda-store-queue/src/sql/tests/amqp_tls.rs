//! A RabbitMQ service that speaks TLS: a node of the test's own, beside the one that the other tests use.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{Child, Command, Stdio},
    time::Instant,
};

use conda_store_core::ErrorKind;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::*;
use crate::{RabbitMq, certificates::certificates};

/// Where Debian has the program itself; the one in `PATH` runs as another user.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// Longer than a node takes to start beside all the other tests.
const START: Duration = Duration::from_mins(2);

/// A node with a certificate that an authority of its own signed.
struct Secured {
    node: Child,
    directory: tempfile::TempDir,
    port: u16,
}

impl Secured {
    async fn start() -> Option<Self> {
        service("amqp")?;
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path();
        certificates(home);
        let [port, distribution] = [free_port(), free_port()];
        let configuration = format!(
            "listeners.tcp = none\nlisteners.ssl.local = 127.0.0.1:{port}\nssl_options.cacertfile = {0}/ca.pem\n\
             ssl_options.certfile = {0}/server.pem\nssl_options.keyfile = {0}/server.key\nssl_options.verify = verify_none\n",
            home.display()
        );
        fs::write(home.join("rabbitmq.conf"), configuration).unwrap();
        // A cookie and a name that no other node has, whatever the machine's configuration says.
        fs::write(home.join(".erlang.cookie"), Uuid::new_v4().simple().to_string()).unwrap();
        fs::set_permissions(home.join(".erlang.cookie"), fs::Permissions::from_mode(0o400)).unwrap();
        let mut command = Command::new(PROGRAM);
        command.current_dir(home).env("HOME", home).env("RABBITMQ_CONFIG_FILE", home.join("rabbitmq.conf"));
        command.env("RABBITMQ_CONF_ENV_FILE", "/dev/null").env("RABBITMQ_NODENAME", format!("test-{port}@localhost"));
        command
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("plugins"));
        command.env("RABBITMQ_MNESIA_BASE", home).env("RABBITMQ_LOG_BASE", home);
        let output = fs::File::create(home.join("output")).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output).stdin(Stdio::null()).process_group(0);
        let secured = Self { node: command.spawn().expect("rabbitmq-server is installed"), directory, port };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let output = || fs::read_to_string(secured.directory.path().join("output")).unwrap_or_default();
            assert!(begun.elapsed() < START, "rabbitmq-server does not start: {}", output());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some(secured)
    }

    fn url(&self) -> String {
        format!("amqps://guest:guest@127.0.0.1:{}", self.port)
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.node.id()) {
            let _over_already = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _status = self.node.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_announced_through_tls_by_whom_a_named_authority_vouches_for() {
    let Some(secured) = Secured::start().await else { return };
    let error = RabbitMq::connect(&secured.url(), "test").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.report());
    assert!(error.report().to_lowercase().contains("certificate"), "{}", error.report());

    let authority = secured.directory.path().join("ca.pem");
    let url = format!("{}?ssl_ca_certs={}", secured.url(), authority.display());
    let place = file();
    let queue = async || place.queue().await.announced_by(RabbitMq::connect(&url, "test").await.unwrap());
    let (worker, source) = (queue().await, queue().await);
    sharing::until_told(&worker).await;
    let soonest = sharing::soonest(&worker, &source).await;
    assert!(soonest < Duration::from_millis(50), "{soonest:?}");
}
