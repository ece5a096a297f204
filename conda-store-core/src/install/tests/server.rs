//! A channel that misbehaves on demand.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::Url;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Sends the file.
    File(Vec<u8>),
    /// Sends a status without a file.
    Status(u16),
    /// Promises the file, sends half and closes.
    Half(Vec<u8>),
    /// Promises the file, sends half and then nothing.
    Stall(Vec<u8>),
}

/// Gives its answers in turn, the last of them for good, and counts requests.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: Url,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let answers = Mutex::new(answers);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let answer = {
                    let mut answers = answers.lock().unwrap();
                    if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
                };
                tokio::spawn(serve(stream, answer));
            }
        });
        Self { url, requests, task }
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: Answer) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    let (status, body, sent) = match &answer {
        Answer::File(body) => (200, body.len(), &body[..]),
        Answer::Status(status) => (*status, 0, &[][..]),
        Answer::Half(body) | Answer::Stall(body) => (200, body.len(), &body[..body.len() / 2]),
    };
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {body}\r\nConnection: close\r\n\r\n");
    // The client may be gone, and is meant to be in some tests.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(sent).await;
    let _ = stream.flush().await;
    if matches!(answer, Answer::Stall(_)) {
        // Until the client gives up.
        let _ = stream.read_u8().await;
    }
}
