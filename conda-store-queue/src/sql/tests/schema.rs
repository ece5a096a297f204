//! The tables.

use conda_store_core::catalogue::Catalogue;

use super::*;

#[tokio::test]
async fn queue_and_catalogue_share_a_database() {
    let place = file();
    migrate_beside_the_catalogue(&place.connect().await).await;
    #[cfg(feature = "postgres")]
    if let Some(place) = schema().await {
        migrate_beside_the_catalogue(&place.connect().await).await;
    }
}

async fn migrate_beside_the_catalogue(database: &Database) {
    let catalogue = Catalogue::new(database.clone(), system_clock());
    for _ in 0..2 {
        SqlQueue::migrate(database).await.unwrap();
        catalogue.migrate().await.unwrap();
    }
    let queue = SqlQueue::new(database.clone(), system_clock()).unwrap();
    assert_eq!(queue.depth().await.unwrap(), QueueDepth::default());
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[tokio::test]
async fn both_databases_have_the_same_columns() {
    let Some(place) = schema().await else { return };
    let Pool::Postgres(pool) = place.queue().await.store.pool else { panic!("not PostgreSQL") };
    let in_postgres: Vec<(String, bool)> = sqlx::query_as(
        "select column_name::text, is_nullable = 'NO' from information_schema.columns
         where table_schema = current_schema() and table_name = 'cs_queue_job' order by ordinal_position",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let file = file();
    let Pool::Sqlite(pool) = file.queue().await.store.pool else { panic!("not SQLite") };
    let columns = sqlx::query_as("select name, \"notnull\" or pk from pragma_table_info('cs_queue_job') order by cid");
    let in_sqlite: Vec<(String, bool)> = columns.fetch_all(&pool).await.unwrap();
    assert_eq!(in_sqlite, in_postgres);
    assert_eq!(in_sqlite.len(), 15);
}
