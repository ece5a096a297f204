//! Bringing a file to the disk while it is written, so that little is left to wait for at its end.

use std::io;

use tokio::{fs::File, task::JoinHandle};

/// So many bytes are brought to the disk at a time.
const BEGUN_EVERY: usize = 8 << 20;

/// The bytes of a file that nobody brings to the disk yet, and whoever does so with those before.
#[derive(Debug, Default)]
pub(super) struct Writeback {
    waiting: usize,
    running: Option<JoinHandle<io::Result<()>>>,
}

impl Writeback {
    /// Takes note that so many more `bytes` were written to `file`.
    ///
    /// # Errors
    /// What the disk said of earlier ones: it says so once, and would not say it again at the end.
    pub(super) async fn wrote(&mut self, file: &File, bytes: usize) -> io::Result<()> {
        self.waiting += bytes;
        let is_busy = self.running.as_ref().is_some_and(|running| !running.is_finished());
        if self.waiting < BEGUN_EVERY || is_busy {
            return Ok(());
        }
        self.end().await?;
        let file = file.try_clone().await?.into_std().await;
        self.running = Some(tokio::task::spawn_blocking(move || file.sync_data()));
        self.waiting = 0;
        Ok(())
    }

    /// Waits for what is under way.
    ///
    /// # Errors
    /// What the disk said.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        match self.running.take() {
            Some(running) => running.await.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }
}
