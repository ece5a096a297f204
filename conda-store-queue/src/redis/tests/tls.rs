//! A service that speaks TLS.

use std::process::{Child, Command, Stdio};

use super::*;
use crate::certificates::certificates;

/// A service with a certificate that an authority of its own signed.
struct Secured {
    server: Child,
    directory: tempfile::TempDir,
    port: u16,
}

impl Secured {
    fn start() -> Option<Self> {
        service("redis")?;
        let directory = tempfile::tempdir().unwrap();
        certificates(directory.path());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("redis-server");
        command.current_dir(&directory).args(["--port", "0", "--save", "", "--tls-auth-clients", "no", "--tls-port"]);
        command.arg(port.to_string());
        command.args(["--tls-cert-file", "server.pem", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.pem"]);
        let server = command.stdout(Stdio::null()).spawn().expect("redis-server is installed");
        Some(Self { server, directory, port })
    }

    fn url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.port)
    }

    /// Waits until it listens.
    async fn up(&self) {
        let begun = std::time::Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "redis-server does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        let _over_already = self.server.kill();
        let _status = self.server.wait();
    }
}

#[tokio::test]
async fn a_certificate_of_a_named_authority_is_trusted() {
    let Some(secured) = Secured::start() else { return };
    secured.up().await;
    let url = format!("{}?ssl_ca_certs={}", secured.url(), secured.directory.path().join("ca.pem").display());
    let queue = RedisQueue::connect(&url, "test", Arc::new(SystemClock)).await.unwrap();
    queue.enqueue(job("job")).await.unwrap();
    sharing::until_told(&queue).await;
    assert_eq!(queue.lease("worker", LEASE).await.unwrap().unwrap().name, job("job").name);
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_trusted() {
    let Some(secured) = Secured::start() else { return };
    secured.up().await;
    let error = RedisQueue::connect(&secured.url(), "test", Arc::new(SystemClock)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.report());
    assert!(error.report().contains("certificate"), "{}", error.report());
}

#[tokio::test]
async fn a_missing_file_of_authorities_is_named() {
    let url = "rediss://localhost?ssl_ca_certs=/no/such/file.pem";
    let error = RedisQueue::connect(url, "test", Arc::new(SystemClock)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/no/such/file.pem"), "{error}");
}
