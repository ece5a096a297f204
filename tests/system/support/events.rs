//! Server-sent events, as a browser reads them.

use anyhow::Result;
use serde_json::Value;

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

/// The events of one answer.
#[derive(Debug)]
pub(crate) struct Events {
    answer: reqwest::Response,
    unread: String,
}

impl Events {
    pub(crate) fn new(answer: reqwest::Response) -> Self {
        Self { answer, unread: String::new() }
    }

    /// The next event, once it comes; none where the answer is over.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            while let Some(end) = self.unread.find("\n\n") {
                let block: String = self.unread.drain(..end + 2).collect();
                let event = read(&block)?;
                // Comments keep the connection alive.
                if event.is_some() {
                    return Ok(event);
                }
            }
            let Some(bytes) = self.answer.chunk().await? else { return Ok(None) };
            self.unread.push_str(std::str::from_utf8(&bytes)?);
        }
    }
}

fn read(block: &str) -> Result<Option<Event>> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let (Some(kind), Some(id), Some(data)) = (field("event: "), field("id: "), field("data: ")) else {
        return Ok(None);
    };
    Ok(Some(Event { id, kind, data: serde_json::from_str(&data)? }))
}
