//! For tests: a way to a service that can be taken away.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Stands between a queue and its server, and can be taken away.
pub(crate) struct Proxy {
    server: (String, u16),
    port: u16,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(host: &str, port: u16) -> Self {
        let server = (host.to_owned(), port);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { task: tokio::spawn(forward(listener, server.clone())), server, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections and refuses new ones.
    pub(crate) async fn down(&mut self) {
        self.task.abort();
        (&mut self.task).await.unwrap_err();
    }

    pub(crate) async fn up(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.task = tokio::spawn(forward(listener, self.server.clone()));
    }
}

async fn forward(listener: TcpListener, server: (String, u16)) {
    // Dropped together with this task, and the connections with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (mut client, _address) = listener.accept().await.unwrap();
        let mut upstream = TcpStream::connect(&server).await.unwrap();
        connections.spawn(async move { copy_bidirectional(&mut client, &mut upstream).await.is_ok() });
    }
}
