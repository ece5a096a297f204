//! What became of workers that were lost over a build.

use serde::{Deserialize, Serialize};

use super::attempt::Run;
use crate::{Result, event::ReporterExt, memory::MemoryKills};

/// What an attempt leaves for the one that follows where its worker is lost.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    /// How many workers were lost before it.
    lost: u32,
    /// What the kernel of its machine had killed when it began.
    kills: Option<MemoryKills>,
    /// Why earlier workers were lost, as far as somebody found out.
    killed: Option<String>,
}

impl Run<'_> {
    /// Finds out why the worker before was lost, if it was, and leaves a note for the next. Answers why workers were lost over
    /// this build, as the end of a sentence.
    pub(super) async fn look_after_lost_workers(&self, lost: u32) -> Option<String> {
        let looked = self.compare(lost).await;
        looked.unwrap_or_else(|error| {
            tracing::warn!(build.id = %self.build.id, error = error.report(), "could not find out about lost workers");
            None
        })
    }

    async fn compare(&self, lost: u32) -> Result<Option<String>> {
        let catalogue = self.store.catalogue();
        let text = catalogue.run_memory(self.build.id).await?;
        let before: Note = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let mut killed = before.killed;
        if lost > before.lost {
            let found = before.kills.as_ref().and_then(MemoryKills::since_then);
            let found_out =
                found.as_ref().map_or_else(String::new, |found| format!(": since it took the build {found}"));
            self.log.message(format!("the worker of the attempt before was lost{found_out}"));
            killed = found.or(killed);
        }
        let note = Note { lost, kills: MemoryKills::now(), killed: killed.clone() };
        let note = serde_json::to_string(&note).unwrap_or_default();
        catalogue.set_run_memory(self.build.id, self.number, &note).await?;
        Ok(killed)
    }
}
