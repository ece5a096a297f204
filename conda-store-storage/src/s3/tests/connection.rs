//! A connection to a service that is slow, or cut.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What happens to a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Cut after this many bytes to the service.
    CutUpload(u64),
    /// Cut after this many bytes from the service.
    CutDownload(u64),
    /// No byte more after this many to the service.
    StallUpload(u64),
    /// No byte more after this many from the service.
    StallDownload(u64),
    /// At most three megabytes a second, to the service and from it.
    Slow,
}

/// What happens to one direction of a connection.
#[derive(Clone, Copy)]
struct Course {
    /// The bytes that are carried.
    limit: u64,
    /// Whether it stands still then, in place of its end.
    stalls: bool,
    /// What goes by before each piece.
    pause: Duration,
}

/// Bytes of a piece.
const PIECE: usize = 16 << 10;

const WHOLE: Course = Course { limit: u64::MAX, stalls: false, pause: Duration::ZERO };

impl Fault {
    /// What happens on the way to the service, and on the way from it.
    fn courses(self) -> (Course, Course) {
        match self {
            Self::CutUpload(limit) => (Course { limit, ..WHOLE }, WHOLE),
            Self::CutDownload(limit) => (WHOLE, Course { limit, ..WHOLE }),
            Self::StallUpload(limit) => (Course { limit, stalls: true, ..WHOLE }, WHOLE),
            Self::StallDownload(limit) => (WHOLE, Course { limit, stalls: true, ..WHOLE }),
            Self::Slow => {
                let slow = Course { pause: Duration::from_millis(5), ..WHOLE };
                (slow, slow)
            }
        }
    }
}

/// Stands between a client and a service, until it is dropped. Each new connection has the next fault; then they are whole.
pub(super) struct Connection {
    pub(super) address: String,
    accepting: JoinHandle<()>,
}

impl Connection {
    pub(super) async fn to(service: &str, faults: impl IntoIterator<Item = Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let faults: Arc<Mutex<VecDeque<Fault>>> = Arc::new(Mutex::new(faults.into_iter().collect()));
        let service = service.to_owned();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&service).await.unwrap();
                let fault = faults.lock().unwrap().pop_front();
                tokio::spawn(connect(client, server, fault));
            }
        });
        Self { address, accepting }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connect(client: TcpStream, server: TcpStream, fault: Option<Fault>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (up, down) = fault.map_or((WHOLE, WHOLE), Fault::courses);
    // Whichever direction ends first ends the connection.
    tokio::select! {
        () = carry(from_client, to_server, up) => {}
        () = carry(from_server, to_client, down) => {}
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, course: Course) {
    let (mut carried, mut buffer) = (0, vec![0; PIECE]);
    while carried < course.limit {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        tokio::time::sleep(course.pause).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        carried += read as u64;
    }
    if course.stalls {
        std::future::pending::<()>().await;
    }
}
