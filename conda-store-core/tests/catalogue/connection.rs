//! Ways to reach a database, and what is said when there is none.

use std::sync::Arc;

use conda_store_core::{
    ErrorKind,
    catalogue::{Catalogue, Database},
    clock::SystemClock,
    testing::service,
};

use crate::support::{both, on_postgres};

#[tokio::test]
async fn sqlite_urls_name_files_as_sqlalchemy_does() {
    let directory = tempfile::tempdir().unwrap();
    let absolute = directory.path().join("store.db");
    for url in [format!("sqlite:{}", absolute.display()), format!("sqlite:///{}", absolute.display())] {
        let database = Database::connect(&url).await.unwrap();
        assert_eq!(database.description(), format!("sqlite:{}", absolute.display()));
        database.close().await;
        assert!(absolute.try_exists().unwrap());
        std::fs::remove_file(&absolute).unwrap();
    }
    for url in ["sqlite::memory:", "sqlite://", "sqlite:///:memory:"] {
        let catalogue = Catalogue::new(Database::connect(url).await.unwrap(), Arc::new(SystemClock));
        catalogue.migrate().await.unwrap();
        catalogue.ensure_namespace(&"default".parse().unwrap()).await.unwrap();
        catalogue.check_schema().await.unwrap();
    }
}

#[tokio::test]
async fn sqlite_keeps_its_promises_on_every_connection() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::connect(&format!("sqlite:{}", directory.path().join("x").display())).await.unwrap();
    let Database::Sqlite(pool) = &database else { panic!("{database:?}") };
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(pool.acquire().await.unwrap());
    }
    for connection in &mut connections {
        let mode: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut **connection).await.unwrap();
        let keys: i64 = sqlx::query_scalar("pragma foreign_keys").fetch_one(&mut **connection).await.unwrap();
        let wait: i64 = sqlx::query_scalar("pragma busy_timeout").fetch_one(&mut **connection).await.unwrap();
        assert_eq!((mode.as_str(), keys, wait), ("wal", 1, 30_000));
    }
}

#[tokio::test]
async fn urls_of_nothing_we_know_are_refused_without_showing_a_password() {
    for url in ["", "mysql://user:hunter2@host/db", "//user:hunter2@host", "/var/lib/store.db", "sqlite:x.db?mode=ro"] {
        let error = Database::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
        assert!(!error.report().contains("hunter2"), "{error:?}");
    }
    let error = Database::connect("postgresql://user:hunter2@host:port/db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_named() {
    let error = Database::connect("sqlite:/no/such/directory/store.db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("/no/such/directory/store.db"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_down_is_named_without_the_password() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for scheme in ["postgresql", "postgres", "postgresql+psycopg2"] {
        let url = format!("{scheme}://user:hunter2@127.0.0.1:{port}/store");
        let error = Database::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.to_string().contains(&format!("postgresql://127.0.0.1:{port}/store")), "{error}");
        assert!(error.report().contains("refused"), "{}", error.report());
        assert!(!error.report().contains("hunter2"), "{}", error.report());
    }
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_no_outage() {
    let Some(url) = service("postgres") else { return };
    let (server, _database) = url.rsplit_once('/').unwrap();
    let error = Database::connect(&format!("{server}/no_such_database")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert!(error.to_string().contains("no_such_database"), "{error}");
}

#[tokio::test]
async fn every_driver_of_sqlalchemy_leads_to_the_server() {
    let Some(url) = service("postgres") else { return };
    let (_scheme, rest) = url.split_once(':').unwrap();
    for scheme in ["postgres", "postgresql", "postgresql+psycopg2"] {
        let database = Database::connect(&format!("{scheme}:{rest}")).await.unwrap();
        Catalogue::new(database, Arc::new(SystemClock)).ping().await.unwrap();
    }
}

#[tokio::test]
async fn connections_that_the_server_ends_are_replaced() {
    let Some(url) = service("postgres") else { return };
    on_postgres(&url, &async |fixture: &crate::support::Fixture| {
        fixture.catalogue.migrate().await.unwrap();
        let Database::Postgres(pool) = &fixture.database else { panic!("{:?}", fixture.database) };

        // In the middle of a transaction the loss shows, as an outage.
        let mut transaction = pool.begin().await.unwrap();
        let victim: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *transaction).await.unwrap();
        fixture.execute(&format!("select pg_terminate_backend({victim}, 5000)")).await;
        sqlx::query("select 1").execute(&mut *transaction).await.unwrap_err();
        drop(transaction);

        // Idle ones are noticed before they are used.
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(pool.acquire().await.unwrap());
        }
        let mut victims = Vec::new();
        for connection in &mut held {
            let id: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut **connection).await.unwrap();
            victims.push(id.to_string());
        }
        let other = Database::connect(&fixture.url).await.unwrap();
        drop(held);
        let Database::Postgres(killer) = &other else { panic!("{other:?}") };
        for victim in victims {
            let kill = sqlx::AssertSqlSafe(format!("select pg_terminate_backend({victim}, 5000)"));
            sqlx::query(kill).execute(killer).await.unwrap();
        }
        for _ in 0..4 {
            fixture.catalogue.ping().await.unwrap();
        }
        fixture.queue("default/web").await;
    })
    .await;
}

#[tokio::test]
async fn a_closed_pool_is_an_outage() {
    both(async |fixture| {
        fixture.catalogue.ping().await.unwrap();
        fixture.database.close().await;
        let error = fixture.catalogue.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains(&fixture.database.description()), "{error}");
    })
    .await;
}
