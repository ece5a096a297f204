//! A way to a service that can be taken away.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails where its preparation does")]

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Stands between a client and its server on 127.0.0.1, and can be taken away.
#[derive(Debug)]
pub struct Proxy {
    server: (String, u16),
    port: u16,
    flows: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A way to the server at `host` and `port`.
    pub async fn to(host: &str, port: u16) -> Self {
        let server = (host.to_owned(), port);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let flows = watch::Sender::new(true);
        Self { task: tokio::spawn(forward(listener, server.clone(), flows.subscribe())), server, port, flows }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections and refuses new ones.
    pub async fn down(&mut self) {
        self.task.abort();
        (&mut self.task).await.unwrap_err();
    }

    /// Takes connections again.
    pub async fn up(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.task = tokio::spawn(forward(listener, self.server.clone(), self.flows.subscribe()));
    }

    /// From now on nothing arrives, in either direction, as in a network that drops every packet: nobody is told.
    pub fn stall(&self) {
        self.flows.send_replace(false);
    }

    /// What was sent meanwhile arrives after all, as what is sent from now on.
    pub fn resume(&self) {
        self.flows.send_replace(true);
    }
}

async fn forward(listener: TcpListener, server: (String, u16), flows: watch::Receiver<bool>) {
    // Dropped together with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let (client, _address) = listener.accept().await.unwrap();
        let (server, mut flows) = (server.clone(), flows.clone());
        connections.spawn(async move {
            if !flow(&mut flows).await {
                return;
            }
            let Ok(upstream) = TcpStream::connect(&server).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = upstream.into_split();
            let (mut there, mut back) = (flows.clone(), flows);
            // Where one direction ends, so does the connection.
            tokio::select! {
                () = carry(from_client, to_server, &mut there) => {}
                () = carry(from_server, to_client, &mut back) => {}
            }
        });
    }
}

/// Waits until something flows; `false` where nothing will again.
async fn flow(flows: &mut watch::Receiver<bool>) -> bool {
    flows.wait_for(|flows| *flows).await.is_ok()
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, flows: &mut watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !flow(flows).await || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
