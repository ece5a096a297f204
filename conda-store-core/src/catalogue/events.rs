//! What builds say while they run, kept for those who watch from elsewhere.

use std::time::Duration;

use sqlx::FromRow;

use super::{Catalogue, error, execution};
use crate::{Result, clock::Timestamp, event::BuildEvent, model::BuildId};

/// How many events are read, and written, in one statement.
const PIECE: usize = 500;

/// One event of a build, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent {
    /// Its place among the events of the build, from 1, without gaps.
    pub number: u32,
    /// When it was written down.
    pub happened_on: Timestamp,
    /// What happened.
    pub event: BuildEvent,
}

#[derive(FromRow)]
struct EventRow {
    number: i32,
    happened_on: Timestamp,
    event: String,
}

impl Catalogue {
    /// Adds what the holder of `attempt` says, also when the attempt is over.
    ///
    /// # Errors
    /// [`ErrorKind::Stale`](crate::ErrorKind::Stale) where another attempt was begun since.
    pub async fn add_events(&self, build: BuildId, attempt: u32, events: &[BuildEvent]) -> Result<()> {
        const OPERATION: &str = "record events of a build";
        const LAST: &str = "select coalesce(max(number), 0) from cs_build_event where build_id = $1";
        let mut transaction = self.database.begin(OPERATION).await?;
        // The row of the build is taken from here on, so that nobody else counts.
        execution::check_attempt(&mut transaction, OPERATION, build, attempt).await?;
        let (mut number,): (i32,) = transaction.query(OPERATION, LAST).value(build).one().await?;
        let now = self.clock.now();
        for piece in events.chunks(PIECE) {
            let mut insert = transaction
                .query(OPERATION, "insert into cs_build_event (build_id, number, happened_on, event) values ");
            for (index, event) in piece.iter().enumerate() {
                let text = serde_json::to_string(event)
                    .map_err(|cause| error::corrupt("cs_build_event", "event", build, &cause).with_source(cause))?;
                number += 1;
                insert = insert.push(if index == 0 { "(" } else { ", (" }).bind(build).push(", ").bind(number);
                insert = insert.push(", ").bind(now).push(", ").bind(text).push(")");
            }
            insert.unprepared().run().await?;
        }
        transaction.commit(OPERATION).await
    }

    /// The events of a build behind the number `after` (0 for all), in their order: the first of them, so that a build
    /// that said a lot is read in pieces. None means that there are no others yet.
    pub async fn events(&self, build: BuildId, after: u32) -> Result<Vec<RecordedEvent>> {
        const SELECT: &str = "select number, happened_on, event from cs_build_event \
            where build_id = $1 and number > $2 order by number limit $3";
        let query = self.database.query("read events of a build", SELECT).value(build);
        let query =
            query.value(i32::try_from(after).unwrap_or(i32::MAX)).value(i64::try_from(PIECE).unwrap_or(i64::MAX));
        let rows: Vec<EventRow> = query.all().await?;
        rows.into_iter().map(|row| recorded(build, row)).collect()
    }

    /// Removes the events of builds that have been over for `kept`.
    pub async fn remove_events(&self, kept: Duration) -> Result<()> {
        const DELETE: &str = "delete from cs_build_event where happened_on < $1 \
            and exists (select 1 from build b where b.id = cs_build_event.build_id and b.ended_on < $1)";
        let before = self.clock.now().before(kept);
        self.database.query("remove events of builds", DELETE).value(before).run().await?;
        Ok(())
    }
}

fn recorded(build: BuildId, row: EventRow) -> Result<RecordedEvent> {
    let EventRow { number, happened_on, event } = row;
    let number = u32::try_from(number).map_err(|cause| error::corrupt("cs_build_event", "number", build, cause))?;
    let event = serde_json::from_str(&event)
        .map_err(|cause| error::corrupt("cs_build_event", "event", build, &cause).with_source(cause))?;
    Ok(RecordedEvent { number, happened_on, event })
}
