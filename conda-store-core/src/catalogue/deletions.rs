//! Deleting builds: marked at once, so that nobody is offered them any more, and removed by a worker later.
//!
//! Whoever takes both locks the rows of builds first and the row of their environment then, as the worker does that
//! completes a build.

use super::{
    Catalogue,
    environments::{self, missing},
    execution::lock,
    query::{Query, Transaction},
    role_mappings, settings,
};
use crate::{
    Error, ErrorKind, Result,
    clock::Timestamp,
    model::{Artifact, BuildId, EnvironmentName, NamespaceName},
    settings::SettingPlace,
};

/// What is to be done about what a build left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// Nothing: the build is not deleted, or everything is removed.
    None,
    /// A worker that was told to stop may still write; its claim ends then, if it does not give it up before.
    Busy {
        /// When the claim ends.
        until: Timestamp,
    },
    /// It can be removed.
    Due,
}

/// Which builds of the table `b` are marked.
#[derive(Clone, Copy)]
enum Marked {
    /// Those of this environment.
    Environment(i32),
    /// Those of all environments in this namespace.
    Namespace(i32),
}

impl Marked {
    fn builds(self, query: Query<'_>) -> Query<'_> {
        match self {
            Self::Environment(id) => query.push("environment_id = ").bind(id),
            Self::Namespace(id) => {
                query.push("environment_id in (select id from environment where namespace_id = ").bind(id).push(")")
            }
        }
    }

    fn environments(self, query: Query<'_>) -> Query<'_> {
        match self {
            Self::Environment(id) => query.push("id = ").bind(id),
            Self::Namespace(id) => query.push("namespace_id = ").bind(id),
        }
    }
}

/// Marks environments and their builds as deleted. Builds that are not over are called off.
async fn mark(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    marked: Marked,
    now: Timestamp,
) -> Result<()> {
    mark_builds(transaction, operation, marked, now).await?;
    let update = transaction.query(operation, "update environment set deleted_on = ").bind(now);
    marked.environments(update.push(" where deleted_on is null and ")).run().await?;
    // Those that were asked for while the first were marked; from here on a new one revives the environment.
    mark_builds(transaction, operation, marked, now).await?;
    let insert = transaction.query(operation, "insert into cs_build_deletion (build_id) select id from build where ");
    let insert = marked.builds(insert.push("deleted_on = ").bind(now).push(" and "));
    insert.push(" on conflict (build_id) do nothing").run().await?;
    Ok(())
}

async fn mark_builds(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    marked: Marked,
    now: Timestamp,
) -> Result<()> {
    let update = transaction.query(operation, "update build set deleted_on = ").bind(now);
    let update = update.push(", ended_on = coalesce(ended_on, ").bind(now).push(
        "), status = case when status in ('QUEUED', 'BUILDING') then 'CANCELED' else status end \
         where deleted_on is null and ",
    );
    marked.builds(update).run().await?;
    Ok(())
}

impl Catalogue {
    /// Marks a build as deleted. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is no such build; [`ErrorKind::Conflict`] where it is not over, or is the current
    /// one of its environment.
    pub async fn delete_build(&self, id: BuildId) -> Result<()> {
        const OPERATION: &str = "delete build";
        const MARK: &str = "update build set deleted_on = $1 where id = $2 and deleted_on is null";
        let mut transaction = self.database.begin(OPERATION).await?;
        let Some(run) = lock(&mut transaction, OPERATION, id).await? else {
            return Err(Error::not_found(OPERATION, "build does not exist").with("build", id));
        };
        let refused = |message: String| Err(Error::new(ErrorKind::Conflict, OPERATION, message));
        if !run.status.is_final() {
            return refused(format!("build {id} is {}: cancel it before it is deleted", run.status));
        }
        if is_current(&mut transaction, OPERATION, id).await? {
            return refused(format!(
                "build {id} is the current build of its environment: make another one current before it is deleted"
            ));
        }
        let marked = transaction.query(OPERATION, MARK).value(self.clock.now()).value(id).run().await?;
        if marked > 0 {
            let insert = transaction.query(OPERATION, "insert into cs_build_deletion (build_id) values ($1)");
            insert.value(id).run().await?;
        }
        transaction.commit(OPERATION).await
    }

    /// Marks an environment and all of its builds as deleted; builds that are not over are called off.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is no such environment.
    pub async fn delete_environment(&self, namespace: &NamespaceName, name: &EnvironmentName) -> Result<()> {
        const OPERATION: &str = "delete environment";
        let mut transaction = self.database.begin(OPERATION).await?;
        let id = environments::find(&mut transaction, OPERATION, namespace, name).await?;
        let id = id.ok_or_else(|| missing(OPERATION, namespace, name))?;
        mark(&mut transaction, OPERATION, Marked::Environment(id), self.clock.now()).await?;
        settings::forget(&mut transaction, OPERATION, SettingPlace::Environment(namespace, name)).await?;
        transaction.commit(OPERATION).await
    }

    /// Marks a namespace as deleted, and all environments and builds below it; builds that are not over are called off. The
    /// roles in which it has a part are taken away, so that another one of the same name begins without them.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is no such namespace.
    pub async fn delete_namespace(&self, name: &NamespaceName) -> Result<()> {
        const OPERATION: &str = "delete namespace";
        const MARK: &str = "update namespace set deleted_on = $1 where name = $2 and deleted_on is null returning id";
        let mut transaction = self.database.begin(OPERATION).await?;
        let now = self.clock.now();
        let row: Option<(i32,)> = transaction.query(OPERATION, MARK).value(now).value(name.as_str()).first().await?;
        let (id,) =
            row.ok_or_else(|| Error::not_found(OPERATION, "namespace does not exist").with("namespace", name))?;
        mark(&mut transaction, OPERATION, Marked::Namespace(id), now).await?;
        role_mappings::forget(&mut transaction, OPERATION, id).await?;
        settings::forget(&mut transaction, OPERATION, SettingPlace::Namespace(name)).await?;
        transaction.commit(OPERATION).await
    }

    /// What is to be done about what the build left behind.
    pub async fn deletion(&self, id: BuildId) -> Result<Deletion> {
        const SELECT: &str = "select r.lease_expires from cs_build_deletion d \
            left join cs_build_run r on r.build_id = d.build_id where d.build_id = $1";
        let query = self.database.query("look at the deletion of a build", SELECT).value(id);
        let row: Option<(Option<Timestamp>,)> = query.first().await?;
        let now = self.clock.now();
        Ok(match row {
            None => Deletion::None,
            Some((Some(until),)) if until > now => Deletion::Busy { until },
            Some(_) => Deletion::Due,
        })
    }

    /// Deleted builds that left something behind: at most `limit`, by id, beginning behind `after`.
    pub async fn unfinished_deletions(&self, after: Option<BuildId>, limit: u32) -> Result<Vec<BuildId>> {
        const SELECT: &str = "select build_id from cs_build_deletion where build_id > $1 order by build_id limit $2";
        let query = self.database.query("find unfinished deletions", SELECT).value(after.map_or(0, |id| id.0));
        let rows: Vec<(BuildId,)> = query.value(i64::from(limit)).all().await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Writes down that nothing of a deleted build is left to be removed.
    pub async fn finish_deletion(&self, id: BuildId) -> Result<()> {
        const OPERATION: &str = "finish the deletion of a build";
        // What was still to be made never will be.
        const STATES: &str = "delete from cs_artifact_state where build_id = $1 and state = 'PENDING'";
        const DELETE: &str = "delete from cs_build_deletion where build_id = $1";
        let mut transaction = self.database.begin(OPERATION).await?;
        for statement in [STATES, DELETE] {
            transaction.query(OPERATION, statement).value(id).run().await?;
        }
        transaction.commit(OPERATION).await
    }

    /// Whether another build has an artifact at the same place.
    pub async fn is_shared_artifact(&self, artifact: &Artifact) -> Result<bool> {
        const SELECT: &str = "select count(*) from (select build_id, key from build_artifact \
            union all select build_id, key from cs_artifact) a where key = $1 and build_id <> $2";
        let query = self.database.query("look for other builds with an artifact", SELECT);
        let (others,): (i64,) = query.value(artifact.key.as_str()).value(artifact.build_id).one().await?;
        Ok(others > 0)
    }

    /// Forgets an artifact, and how far the making of it was, unless the build has another one of its type.
    pub async fn remove_artifact(&self, artifact: &Artifact) -> Result<()> {
        const OPERATION: &str = "remove artifact";
        const STATE: &str = "delete from cs_artifact_state where build_id = $1 and artifact_type = $2 \
            and not exists (select 1 from build_artifact where build_id = $1 and artifact_type = $2) \
            and not exists (select 1 from cs_artifact where build_id = $1 and artifact_type = $2)";
        let mut transaction = self.database.begin(OPERATION).await?;
        let row = if artifact.artifact_type.is_original() {
            "delete from build_artifact where id = $1"
        } else {
            "delete from cs_artifact where id = $1"
        };
        transaction.query(OPERATION, row).value(artifact.id).run().await?;
        let state = transaction.query(OPERATION, STATE).value(artifact.build_id);
        state.value(artifact.artifact_type.as_str()).run().await?;
        transaction.commit(OPERATION).await
    }
}

/// Whether the build is the one that users of its environment get, which nobody changes before the end of the transaction.
async fn is_current(transaction: &mut Transaction<'_>, operation: &'static str, id: BuildId) -> Result<bool> {
    const SELECT: &str = "select e.current_build_id from environment e join build b on b.environment_id = e.id \
        where e.deleted_on is null and b.id = ";
    let query = transaction.query(operation, SELECT).bind(id).push_either("", " for no key update of e");
    let row: Option<(Option<BuildId>,)> = query.first().await?;
    Ok(row.is_some_and(|(current,)| current == Some(id)))
}
