//! Artifacts of builds, and how far the making of each is.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::FromRow;

use super::{Catalogue, error, query::Transaction};
use crate::{
    Error, Result,
    model::{Artifact, ArtifactId, ArtifactType, BuildId, BuildStatus},
    text::texts,
};

/// How far the making of an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ArtifactState {
    /// It is being made, or will be.
    Pending,
    /// It is there.
    Done,
    /// It could not be made; the message says why.
    Failed,
}

texts!(ArtifactState, "artifact state", {
    Pending = "PENDING",
    Done = "DONE",
    Failed = "FAILED",
});

/// How far one artifact of a build is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactProgress {
    /// Which artifact.
    pub artifact_type: ArtifactType,
    /// How far it is.
    pub state: ArtifactState,
    /// Why it could not be made.
    pub message: Option<String>,
    /// SHA-256 of the artifact in hexadecimal, once it is there.
    pub sha256: Option<String>,
    /// Its bytes, once it is there.
    pub size: Option<i64>,
}

impl ArtifactProgress {
    /// An artifact that will be made.
    #[must_use]
    pub fn pending(artifact_type: ArtifactType) -> Self {
        Self { artifact_type, state: ArtifactState::Pending, message: None, sha256: None, size: None }
    }

    /// An artifact that is there, which is `content`.
    #[must_use]
    pub fn done(artifact_type: ArtifactType, content: &[u8]) -> Self {
        Self {
            artifact_type,
            state: ArtifactState::Done,
            message: None,
            sha256: Some(hex::encode(Sha256::digest(content))),
            size: i64::try_from(content.len()).ok(),
        }
    }
}

#[derive(FromRow)]
struct ArtifactRow {
    id: i32,
    build_id: Option<i32>,
    artifact_type: String,
    key: Option<String>,
    sha256: Option<String>,
    size: Option<i64>,
}

impl TryFrom<ArtifactRow> for Artifact {
    type Error = Error;

    fn try_from(row: ArtifactRow) -> Result<Self> {
        let missing = |column| move || error::corrupt("build_artifact", column, row.id, "the column is null");
        Ok(Self {
            id: ArtifactId(row.id),
            build_id: BuildId(row.build_id.ok_or_else(missing("build_id"))?),
            artifact_type: parse_type("build_artifact", row.id, &row.artifact_type)?,
            key: row.key.ok_or_else(missing("key"))?,
            sha256: row.sha256,
            size: row.size,
        })
    }
}

fn parse_type(table: &str, id: i32, text: &str) -> Result<ArtifactType> {
    text.parse().map_err(|cause: Error| error::corrupt(table, "artifact_type", id, &cause).with_source(cause))
}

#[derive(FromRow)]
struct ProgressRow {
    artifact_type: String,
    state: String,
    message: Option<String>,
    sha256: Option<String>,
    size: Option<i64>,
}

impl ProgressRow {
    fn progress(self, build: BuildId) -> Result<ArtifactProgress> {
        let state = self
            .state
            .parse()
            .map_err(|cause: Error| error::corrupt("cs_artifact_state", "state", build, &cause).with_source(cause))?;
        Ok(ArtifactProgress {
            artifact_type: parse_type("cs_artifact_state", build.0, &self.artifact_type)?,
            state,
            message: self.message,
            sha256: self.sha256,
            size: self.size,
        })
    }
}

pub(super) async fn write_state(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    build: BuildId,
    progress: &ArtifactProgress,
) -> Result<()> {
    // Of what it was made is noted once it is there.
    const UPSERT: &str = "insert into cs_artifact_state (build_id, artifact_type, state, message, sha256, size) \
        values ($1, $2, $3, $4, $5, $6) on conflict (build_id, artifact_type) do update set state = excluded.state, \
        message = excluded.message, sha256 = excluded.sha256, size = excluded.size, packages = null, \
        made_of = null";
    let upsert = transaction.query(operation, UPSERT);
    let upsert = upsert.value(build).value(progress.artifact_type.as_str()).value(progress.state.as_str());
    let upsert = upsert.value(progress.message.clone()).value(progress.sha256.clone()).value(progress.size);
    upsert.run().await?;
    Ok(())
}

/// Takes the row of a build, so that its artifacts, which end side by side, are written down one after the other.
async fn lock_build(transaction: &mut Transaction<'_>, operation: &'static str, build: BuildId) -> Result<()> {
    let lock = transaction.query(operation, "select id from build where id = ").bind(build);
    let locked: Option<(i32,)> = lock.push_either("", " for no key update").first().await?;
    locked.map(drop).ok_or_else(|| Error::not_found(operation, "build does not exist").with("build", build))
}

/// Has the `status_info` of a completed build name every artifact that could not be made.
async fn write_info(transaction: &mut Transaction<'_>, operation: &'static str, build: BuildId) -> Result<()> {
    const FAILED: &str = "select artifact_type, coalesce(message, '') from cs_artifact_state \
        where build_id = $1 and state = 'FAILED' order by artifact_type";
    const UPDATE: &str = "update build set status_info = $1 where id = $2 and status = $3";
    let failed: Vec<(String, String)> = transaction.query(operation, FAILED).value(build).all().await?;
    let info: Vec<_> = failed.iter().map(|(name, why)| format!("{name} could not be made: {why}")).collect();
    let info = Some(info.join("; ")).filter(|info| !info.is_empty());
    let update = transaction.query(operation, UPDATE).value(info).value(build);
    update.value(BuildStatus::Completed.as_str()).run().await.map(drop)
}

/// The artifacts of both tables, with what is known of each since it was made.
const ARTIFACTS: &str = "select a.id, a.build_id, a.artifact_type, a.key, s.sha256, s.size from \
    (select id, build_id, artifact_type, key from build_artifact \
    union all select id, build_id, artifact_type, key from cs_artifact) a \
    left join cs_artifact_state s on s.build_id = a.build_id and s.artifact_type = a.artifact_type where ";

/// Those of some keys that are in either table.
const KEYS: &str = "select distinct key from (select key from build_artifact union all select key from cs_artifact) a \
    where key in (";

impl Catalogue {
    /// Writes down where an artifact of a build is; once only, however often it is told.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where there is no such build.
    pub async fn add_artifact(&self, build: BuildId, artifact_type: ArtifactType, key: &str) -> Result<ArtifactId> {
        const OPERATION: &str = "add artifact";
        const INSERT: &str =
            "insert into build_artifact (build_id, artifact_type, key) values ($1, $2, $3) returning id";
        // PostgreSQL counts downwards by itself.
        const INSERT_OWN: [&str; 2] = [
            "insert into cs_artifact (id, build_id, artifact_type, key) \
             values ((select coalesce(min(id), 0) - 1 from cs_artifact), $1, $2, $3) returning id",
            "insert into cs_artifact (build_id, artifact_type, key) values ($1, $2, $3) returning id",
        ];
        let mut transaction = self.database.begin(OPERATION).await?;
        // No constraint keeps twins away: the row of the build is the lock.
        lock_build(&mut transaction, OPERATION, build).await?;
        let present = transaction.query(OPERATION, ARTIFACTS).push("a.build_id = ").bind(build);
        let present = present.push(" and a.artifact_type = ").bind(artifact_type.as_str());
        let present: Option<ArtifactRow> = present.push(" and a.key = ").bind(key).first().await?;
        if let Some(row) = present {
            return Ok(ArtifactId(row.id));
        }
        let insert = transaction.query(OPERATION, "");
        let insert = if artifact_type.is_original() {
            insert.push(INSERT)
        } else {
            insert.push_either(INSERT_OWN[0], INSERT_OWN[1])
        };
        let (id,): (i32,) = insert.value(build).value(artifact_type.as_str()).value(key).one().await?;
        transaction.commit(OPERATION).await?;
        Ok(ArtifactId(id))
    }

    /// The artifacts of a build, in the order they were added, those that the original does not know last.
    pub async fn artifacts(&self, build: BuildId) -> Result<Vec<Artifact>> {
        self.artifacts_of(&[build]).await
    }

    /// The artifacts of several builds, in the same order.
    pub async fn artifacts_of(&self, builds: &[BuildId]) -> Result<Vec<Artifact>> {
        let Some((first, others)) = builds.split_first() else { return Ok(Vec::new()) };
        let query = self.database.query("list artifacts", ARTIFACTS).push("a.build_id in (").bind(*first);
        let query = others.iter().fold(query, |query, id| query.push(", ").bind(*id));
        let rows: Vec<ArtifactRow> = query.push(") order by a.id < 0, abs(a.id)").all().await?;
        rows.into_iter().map(Artifact::try_from).collect()
    }

    /// The artifact at this key, of the newest build that has it; `None` where no build has.
    pub async fn artifact_by_key(&self, key: &str) -> Result<Option<Artifact>> {
        let query = self.database.query("find artifact", ARTIFACTS).push("a.key = ").bind(key);
        let row: Option<ArtifactRow> = query.push(" order by a.build_id desc, a.id desc limit 1").first().await?;
        row.map(Artifact::try_from).transpose()
    }

    /// Those of `keys` at which an artifact is.
    pub async fn known_artifact_keys(&self, keys: &[&str]) -> Result<HashSet<String>> {
        let Some((first, others)) = keys.split_first() else { return Ok(HashSet::new()) };
        let query = self.database.query("find artifacts", KEYS).bind((*first).to_owned());
        let query = others.iter().fold(query, |query, key| query.push(", ").bind((*key).to_owned()));
        let rows: Vec<(String,)> = query.push(")").unprepared().all().await?;
        Ok(rows.into_iter().map(|(key,)| key).collect())
    }

    /// Artifacts that are kept in storage: at most `limit`, by id, beginning behind `after`.
    pub async fn stored_artifacts(&self, after: Option<ArtifactId>, limit: usize) -> Result<Vec<Artifact>> {
        // Each table is read by its key, and no farther than the limit.
        const SELECT: &str = "select a.id, a.build_id, a.artifact_type, a.key, null as sha256, null as size from \
            (select * from (select id, build_id, artifact_type, key from cs_artifact \
            where id > $1 order by id limit $2) o \
            union all select * from (select id, build_id, artifact_type, key from build_artifact \
            where id > $1 and artifact_type not in ('DIRECTORY', 'CONTAINER_REGISTRY') order by id limit $2) b) a \
            order by a.id limit $2";
        let query = self.database.query("list artifacts", SELECT).value(after.map_or(i32::MIN, |id| id.0));
        let rows: Vec<ArtifactRow> = query.value(i64::try_from(limit).unwrap_or(i64::MAX)).all().await?;
        rows.into_iter().map(Artifact::try_from).collect()
    }

    /// Writes down how far an artifact is, in place of what was known of it. The `status_info` of a completed build then
    /// names every artifact that could not be made, and why.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where there is no such build.
    pub async fn set_artifact_state(&self, build: BuildId, progress: &ArtifactProgress) -> Result<()> {
        const OPERATION: &str = "set the state of an artifact";
        let mut transaction = self.database.begin(OPERATION).await?;
        lock_build(&mut transaction, OPERATION, build).await?;
        write_state(&mut transaction, OPERATION, build, progress).await?;
        write_info(&mut transaction, OPERATION, build).await?;
        transaction.commit(OPERATION).await
    }

    /// Calls off what is still to be made of a build, and answers what that was. It counts as what could not be made.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where there is no such build.
    pub async fn cancel_artifacts(&self, build: BuildId) -> Result<Vec<ArtifactType>> {
        const OPERATION: &str = "cancel artifacts";
        const PENDING: &str = "select artifact_type from cs_artifact_state \
            where build_id = $1 and state = 'PENDING' order by artifact_type";
        let mut transaction = self.database.begin(OPERATION).await?;
        lock_build(&mut transaction, OPERATION, build).await?;
        let pending: Vec<(String,)> = transaction.query(OPERATION, PENDING).value(build).all().await?;
        let parse = |(text,): &(String,)| parse_type("cs_artifact_state", build.0, text);
        let canceled = pending.iter().map(parse).collect::<Result<Vec<_>>>()?;
        for artifact_type in &canceled {
            let (state, message) = (ArtifactState::Failed, Some("it was canceled".to_owned()));
            let failed = ArtifactProgress { state, message, ..ArtifactProgress::pending(*artifact_type) };
            write_state(&mut transaction, OPERATION, build, &failed).await?;
        }
        write_info(&mut transaction, OPERATION, build).await?;
        transaction.commit(OPERATION).await?;
        Ok(canceled)
    }

    /// How far the artifacts of a build are, by type.
    pub async fn artifact_states(&self, build: BuildId) -> Result<Vec<ArtifactProgress>> {
        const SELECT: &str = "select artifact_type, state, message, sha256, size from cs_artifact_state \
            where build_id = $1 order by artifact_type";
        let query = self.database.query("read the states of artifacts", SELECT).value(build);
        let rows: Vec<ProgressRow> = query.all().await?;
        rows.into_iter().map(|row| row.progress(build)).collect()
    }

    /// Artifacts of completed builds that are still to be made: at most `limit`, by build, beginning behind `after`.
    pub async fn pending_artifacts(
        &self,
        after: Option<(BuildId, ArtifactType)>,
        limit: u32,
    ) -> Result<Vec<(BuildId, ArtifactType)>> {
        const SELECT: &str = "select s.build_id, s.artifact_type from cs_artifact_state s \
            join build b on b.id = s.build_id where s.state = 'PENDING' and b.status = 'COMPLETED' \
            and b.deleted_on is null \
            and (s.build_id, s.artifact_type) > ($1, $2) order by s.build_id, s.artifact_type limit $3";
        let (build, artifact) = after.map_or((0, ""), |(build, artifact)| (build.0, artifact.as_str()));
        let query = self.database.query("find pending artifacts", SELECT).value(build).value(artifact);
        let rows: Vec<(i32, String)> = query.value(i64::from(limit)).all().await?;
        rows.into_iter().map(|(id, text)| Ok((BuildId(id), parse_type("cs_artifact_state", id, &text)?))).collect()
    }
}
