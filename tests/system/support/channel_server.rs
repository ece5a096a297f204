//! A directory served over HTTP, which counts what is asked for.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, extract::Request, middleware::Next, response::Response};
use futures::StreamExt;
use tower_http::services::ServeDir;

/// How often each path was asked for.
type Counts = Arc<Mutex<BTreeMap<String, usize>>>;

/// A channel on a port of this machine.
#[derive(Debug)]
pub(crate) struct ChannelServer {
    /// Its URL, without a slash at the end.
    pub(crate) url: String,
    counts: Counts,
    task: tokio::task::JoinHandle<()>,
}

impl ChannelServer {
    /// Serves `directory` until it is dropped.
    pub(crate) async fn start(directory: &Path) -> Self {
        Self::holding(directory, None).await
    }

    /// Serves `directory` until it is dropped, but of what has `held` in its path it sends nothing after the beginning.
    pub(crate) async fn holding(directory: &Path, held: Option<&'static str>) -> Self {
        let counts = Counts::default();
        let counted = Arc::clone(&counts);
        let router = Router::new().fallback_service(ServeDir::new(directory)).layer(axum::middleware::from_fn(
            move |mut request: Request, next: Next| {
                *counted.lock().unwrap().entry(request.uri().path().to_owned()).or_default() += 1;
                // A client that is answered 304 for the sharded index takes it for an error.
                request.headers_mut().remove("if-modified-since");
                let holds = held.is_some_and(|held| request.uri().path().contains(held));
                let answer = next.run(request);
                async move { if holds { without_end() } else { answer.await } }
            },
        ));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, counts, task }
    }

    /// Whether something with `part` in its path was asked for.
    pub(crate) fn was_asked_for(&self, part: &str) -> bool {
        self.counts.lock().unwrap().keys().any(|path| path.contains(part))
    }

    /// The package files that were asked for, and how often each.
    pub(crate) fn packages(&self) -> BTreeMap<String, usize> {
        let counts = self.counts.lock().unwrap();
        counts
            .iter()
            .filter(|(path, _)| path.split('.').any(|part| matches!(part, "conda" | "bz2")))
            .map(|(path, count)| (path.clone(), *count))
            .collect()
    }
}

/// An answer that begins and never ends.
fn without_end() -> Response {
    let beginning = futures::stream::once(async { Ok::<_, std::convert::Infallible>("PK") });
    Response::new(Body::from_stream(beginning.chain(futures::stream::pending())))
}

impl Drop for ChannelServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
