//! What workers write down about memory, for those that come after them.

use super::Catalogue;
use crate::{Result, model::BuildId};

impl Catalogue {
    /// What the last attempt at a build wrote down.
    pub(crate) async fn run_memory(&self, id: BuildId) -> Result<Option<String>> {
        const SELECT: &str = "select memory from cs_build_run where build_id = $1";
        let row: Option<(Option<String>,)> =
            self.database.query("read what a worker left", SELECT).value(id).first().await?;
        Ok(row.and_then(|(text,)| text))
    }

    /// Writes `text` down, unless another attempt was begun since.
    pub(crate) async fn set_run_memory(&self, id: BuildId, attempt: u32, text: &str) -> Result<()> {
        const UPDATE: &str = "update cs_build_run set memory = $1 where build_id = $2 and attempt = $3";
        let update = self.database.query("leave something for other workers", UPDATE).value(text.to_owned()).value(id);
        update.value(i64::from(attempt)).run().await.map(drop)
    }
}
