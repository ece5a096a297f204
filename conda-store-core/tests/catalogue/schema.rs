//! Whose tables they are, and that they are the same on both databases.

use std::collections::BTreeSet;

use conda_store_core::{
    ErrorKind,
    auth::Scope,
    catalogue::{Claim, EnvironmentQuery, NamespaceQuery, Order, PageRequest},
    model::{BuildId, BuildStatus},
};

use crate::support::{Fixture, LEASE, both, both_empty};

const COLUMNS_SQLITE: &str = "select m.name || '.' || c.name || case when c.\"notnull\" or c.pk then ' not null' else '' end \
    from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and m.name <> 'cs_migrations'";
const COLUMNS_POSTGRES: &str = "select table_name || '.' || column_name || \
    case when is_nullable = 'NO' then ' not null' else '' end from information_schema.columns \
    where table_schema = current_schema() and table_name <> 'cs_migrations'";

const INDICES_SQLITE: &str = "select m.name || ' on ' || m.tbl_name || ' (' || (select group_concat(name, ', ') from \
    pragma_index_info(m.name)) || ')' from sqlite_master m where m.type = 'index' and m.sql is not null";
const INDICES_POSTGRES: &str = "select indexname || ' on ' || tablename || ' ' || \
    regexp_replace(indexdef, '^.*USING btree (\\([^)]*\\)).*$', '\\1') from pg_indexes \
    where schemaname = current_schema() and (indexname like 'cs\\_%' or indexname like 'ix\\_%') \
    and indexname not like '%\\_pkey'";

/// Everything about the tables that the original has, as text.
const ORIGINAL_SQLITE: &str = "select m.name || ' column ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || \
    coalesce(c.dflt_value, '-') || ' ' || c.pk from sqlite_master m join pragma_table_info(m.name) c \
    where m.type = 'table' and m.name not like 'cs!_%' escape '!' \
    union all select m.name || ' refers ' || k.\"from\" || ' to ' || k.\"table\" || '.' || k.\"to\" || ' ' || k.on_delete \
    from sqlite_master m join pragma_foreign_key_list(m.name) k where m.type = 'table' and m.name not like 'cs!_%' escape '!' \
    union all select m.name || ' index ' || i.\"unique\" || ' ' || (select group_concat(name) from pragma_index_info(i.name)) \
    from sqlite_master m join pragma_index_list(m.name) i where m.type = 'table' and m.name not like 'cs!_%' escape '!'";
const ORIGINAL_POSTGRES: &str = "select table_name || ' column ' || column_name || ' ' || data_type || ' ' || \
    coalesce(character_maximum_length, 0) || ' ' || is_nullable || ' ' || coalesce(column_default, '-') \
    from information_schema.columns where table_schema = current_schema() and table_name not like 'cs\\_%' \
    union all select c.relname || ' constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid) from pg_constraint k \
    join pg_class c on c.oid = k.conrelid where c.relnamespace = current_schema()::regnamespace \
    and c.relname not like 'cs\\_%' \
    union all select tablename || ' index ' || replace(indexdef, current_schema() || '.', '') from pg_indexes \
    where schemaname = current_schema() and tablename not like 'cs\\_%' \
    union all select 'sequence ' || sequencename || ' ' || data_type from pg_sequences where schemaname = current_schema() \
    and sequencename not like 'cs\\_%'";

fn original_dump(fixture: &Fixture) -> &'static str {
    if fixture.is_sqlite() {
        include_str!("../data/original.sqlite.sql")
    } else {
        include_str!("../data/original.postgres.sql")
    }
}

async fn set(fixture: &Fixture, sqlite: &str, postgres: &str) -> BTreeSet<String> {
    fixture.texts(if fixture.is_sqlite() { sqlite } else { postgres }).await.into_iter().collect()
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indices() {
    let found = std::sync::Mutex::new(Vec::new());
    both(async |fixture| {
        let columns = set(fixture, COLUMNS_SQLITE, COLUMNS_POSTGRES).await;
        let indices = set(fixture, INDICES_SQLITE, INDICES_POSTGRES).await;
        assert!(columns.contains("cs_build_run.build_id not null"), "{columns:#?}");
        assert!(indices.contains("cs_build_status on build (status, id)"), "{indices:#?}");
        found.lock().unwrap().push((columns, indices));
    })
    .await;
    let found = found.into_inner().unwrap();
    if let [sqlite, postgres] = found.as_slice() {
        assert_eq!(sqlite, postgres);
    }
}

#[tokio::test]
async fn fresh_tables_are_those_of_the_original() {
    let fresh = std::sync::Mutex::new(Vec::new());
    both(async |fixture| {
        let tables = set(fixture, ORIGINAL_SQLITE, ORIGINAL_POSTGRES).await;
        fresh.lock().unwrap().push(tables);
    })
    .await;
    let adopted = std::sync::Mutex::new(Vec::new());
    both_empty(async |fixture| {
        fixture.execute(original_dump(fixture)).await;
        let before = set(fixture, ORIGINAL_SQLITE, ORIGINAL_POSTGRES).await;
        fixture.catalogue.migrate().await.unwrap();
        let after = set(fixture, ORIGINAL_SQLITE, ORIGINAL_POSTGRES).await;
        adopted.lock().unwrap().push((before, after));
    })
    .await;
    for (fresh, (before, after)) in fresh.into_inner().unwrap().into_iter().zip(adopted.into_inner().unwrap()) {
        assert!(before.len() > 90, "{before:#?}");
        let ours = |line: &&String| line.contains("INDEX cs_") || line.contains(" index 0 ");
        let strip =
            |lines: &BTreeSet<String>| lines.iter().filter(|line| !ours(line)).cloned().collect::<BTreeSet<_>>();
        assert_eq!(strip(&before), strip(&after));
        assert_eq!(fresh, after);
    }
}

#[tokio::test]
async fn a_database_of_the_original_is_taken_over_with_its_rows() {
    both_empty(async |fixture| {
        fixture.execute(original_dump(fixture)).await;
        assert_eq!(fixture.catalogue.check_schema().await.unwrap_err().kind(), ErrorKind::Conflict);
        fixture.catalogue.migrate().await.unwrap();
        fixture.catalogue.migrate().await.unwrap();
        fixture.catalogue.check_schema().await.unwrap();

        let everything = Scope::everything();
        let found = fixture.catalogue.environments(&EnvironmentQuery::new(&everything, 10)).await.unwrap();
        assert_eq!(found.total, 1);
        let environment = &found.items[0];
        assert_eq!((environment.namespace.name.as_str(), environment.name.as_str()), ("data-science", "web"));
        assert_eq!(environment.namespace.metadata, serde_json::json!({"team": "seven"}));
        assert_eq!(environment.current_build_id, Some(BuildId(1)));
        assert_eq!(environment.description.as_deref(), Some("for the web"));

        let build = fixture.catalogue.build(BuildId(1)).await.unwrap().unwrap();
        assert_eq!((build.status, build.size), (BuildStatus::Completed, Some(1_234_567_890_123)));
        assert_eq!(build.scheduled_on.to_string(), "2024-05-01T10:11:12.345678");
        assert_eq!(build.started_on.unwrap().to_string(), "2024-05-01T10:11:13.000001");
        let half = fixture.catalogue.build(BuildId(2)).await.unwrap().unwrap();
        assert_eq!(half.scheduled_on.to_string(), "2024-05-01T11:00:00.500000");
        assert_eq!(fixture.catalogue.artifacts(BuildId(1)).await.unwrap().len(), 1);

        // What the original left behind half done is no lost worker of ours.
        let claim = fixture.catalogue.claim_build(BuildId(2), "worker", LEASE).await.unwrap();
        assert_eq!(claim, Claim::Started { attempt: 1, lost: 0 });
        assert_eq!(fixture.queue("default/new").await.id, BuildId(3));
        let scope = NamespaceQuery { scope: &everything, order: Order::Ascending, page: PageRequest::first(10) };
        let names = fixture.catalogue.namespaces(&scope).await.unwrap().items;
        let names: Vec<&str> = names.iter().map(|namespace| namespace.name.as_str()).collect();
        assert_eq!(names, ["data-science", "default"]);
    })
    .await;
}

#[tokio::test]
async fn another_revision_of_the_original_is_refused_with_what_to_do() {
    both_empty(async |fixture| {
        fixture.execute(original_dump(fixture)).await;
        fixture.execute("update alembic_version set version_num = '0f7e23ff24ee'").await;
        for error in
            [fixture.catalogue.migrate().await.unwrap_err(), fixture.catalogue.check_schema().await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::Conflict);
            let text = error.to_string();
            for part in ["0f7e23ff24ee", "bf065abf375b", "alembic upgrade head", "2024.11"] {
                assert!(text.contains(part), "{text}");
            }
        }
        let tables = set(fixture, COLUMNS_SQLITE, COLUMNS_POSTGRES).await;
        assert!(!tables.iter().any(|column| column.starts_with("cs_")), "{tables:#?}");
    })
    .await;
}

#[tokio::test]
async fn tables_of_something_else_are_refused() {
    both_empty(async |fixture| {
        fixture.execute("create table environment (name text)").await;
        let error = fixture.catalogue.migrate().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    })
    .await;
}

#[tokio::test]
async fn an_unprepared_database_is_told_from_a_prepared_one() {
    both_empty(async |fixture| {
        let error = fixture.catalogue.check_schema().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("not prepared"), "{error}");
        fixture.catalogue.migrate().await.unwrap();
        fixture.catalogue.check_schema().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_prepare_the_database_once() {
    both_empty(async |fixture| {
        let all = (0..4).map(|_| {
            let catalogue = fixture.catalogue.clone();
            tokio::spawn(async move { catalogue.migrate().await })
        });
        for done in futures::future::join_all(all).await {
            done.unwrap().unwrap();
        }
        fixture.catalogue.check_schema().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_database_that_a_newer_version_prepared_is_refused() {
    both(async |fixture| {
        fixture
            .execute(
                "insert into cs_migrations (version, description, success, checksum, execution_time) \
                 select 9000, 'later', success, checksum, 0 from cs_migrations where version = 1",
            )
            .await;
        let error = fixture.catalogue.migrate().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("newer version"), "{error}");
        assert_eq!(fixture.catalogue.check_schema().await.unwrap_err().kind(), ErrorKind::Conflict);
    })
    .await;
}
