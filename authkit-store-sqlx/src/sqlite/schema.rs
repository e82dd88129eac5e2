//! Applying migrations, and reading back what the tables are.

use authkit_core::{Def, StoreError};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection, sqlite::SqliteRow};

use crate::{
    ddl::{Planned, history_table, record},
    error::{Fault, commit_error, store_error},
    migrate::{Catalogue, Content, Described, Index, Record, Reference, next, verify},
    sqlite::{DIALECT, Sqlite},
};

impl Sqlite {
    /// Applies what is left of a plan, one transaction a migration. SQLite makes and changes tables in transactions.
    ///
    /// Where nothing is left, nothing is written: the application needs no right to change tables.
    pub(super) async fn apply(&self, plan: &[Planned]) -> Result<(), StoreError> {
        let mut lease = self.readers.lease().await?;
        let history = history(lease.connection().await?).await.map_err(store_error)?;
        drop(lease);
        for planned in plan {
            if next(planned, &history)?.is_some() {
                self.apply_one(planned).await?;
            }
        }
        Ok(())
    }

    async fn apply_one(&self, planned: &Planned) -> Result<(), StoreError> {
        let refused = |error| match store_error(error) {
            source @ StoreError::Corrupt(_) => {
                let (plugin, number) = (planned.plugin, planned.number);
                Fault::Refused { plugin, number, source: Box::new(source) }.into()
            }
            other => other,
        };
        let mut lease = self.writer.lease().await?;
        let connection = lease.connection().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        // Another node may have been faster.
        let history = history(&mut transaction).await.map_err(refused)?;
        let Some(first) = next(planned, &history)? else {
            return Ok(());
        };
        run(&mut transaction, history_table(&DIALECT)).await.map_err(refused)?;
        for change in planned.changes.iter().skip(first) {
            let there = match change.adds {
                Some((table, column)) => has_column(&mut transaction, table, column).await.map_err(refused)?,
                None => false,
            };
            if !there {
                run(&mut transaction, change.text.clone()).await.map_err(refused)?;
            }
        }
        run(&mut transaction, record(&DIALECT, planned)).await.map_err(refused)?;
        transaction.commit().await.map_err(commit_error)
    }

    /// Compares the tables with what is declared.
    pub(super) async fn verify(&self, defs: &[Def]) -> Result<(), StoreError> {
        let mut lease = self.readers.lease().await?;
        let connection = lease.connection().await?;
        for def in defs {
            let found = catalogue(connection, def.table).await.map_err(store_error)?;
            verify(&DIALECT, def, &found)?;
        }
        Ok(())
    }
}

async fn run(connection: &mut SqliteConnection, text: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await?;
    Ok(())
}

async fn history(connection: &mut SqliteConnection) -> Result<Vec<Record>, sqlx::Error> {
    if select(connection, "SELECT 1 FROM sqlite_schema WHERE name = ?", "authkit_migrations").await?.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query("SELECT plugin, number, checksum, state, position FROM authkit_migrations");
    let rows = rows.fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(Record {
                plugin: row.try_get(0)?,
                number: row.try_get(1)?,
                checksum: row.try_get(2)?,
                state: row.try_get(3)?,
                position: row.try_get(4)?,
            })
        })
        .collect()
}

async fn has_column(connection: &mut SqliteConnection, table: &str, column: &str) -> Result<bool, sqlx::Error> {
    let columns = select(connection, "SELECT name FROM pragma_table_xinfo(?)", table).await?;
    let names = columns.iter().map(|row| row.try_get::<String, _>(0));
    Ok(names.collect::<Result<Vec<_>, _>>()?.iter().any(|name| name == column))
}

async fn catalogue(connection: &mut SqliteConnection, table: &str) -> Result<Catalogue, sqlx::Error> {
    let columns = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL OR hidden > 0, pk FROM pragma_table_xinfo(?)";
    let mut found = Catalogue::default();
    let mut key: Vec<(i64, String)> = Vec::new();
    for row in select(connection, columns, table).await? {
        let content = match (row.try_get(2)?, row.try_get(3)?) {
            (false, _) => Content::Nullable,
            (true, true) => Content::Default,
            (true, false) => Content::Required,
        };
        let name: String = row.try_get(0)?;
        let place: i64 = row.try_get(4)?;
        if place > 0 {
            key.push((place, name.clone()));
        }
        found.columns.push(Described { name, column_type: row.try_get(1)?, content });
    }
    key.sort();
    found.key = key.into_iter().map(|(_, name)| name).collect();

    let indexes = "SELECT name, \"unique\" FROM pragma_index_list(?) WHERE origin = 'c' AND partial = 0";
    for row in select(connection, indexes, table).await? {
        let name: String = row.try_get(0)?;
        let columns =
            "SELECT coalesce(name, '') FROM pragma_index_xinfo(?) WHERE key = 1 AND coll = 'BINARY' ORDER BY seqno";
        let columns = select(connection, columns, &name).await?;
        let columns = columns.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        found.indexes.push(Index { name, unique: row.try_get(1)?, columns });
    }

    let references = "SELECT id, \"table\", \"from\", on_delete FROM pragma_foreign_key_list(?) ORDER BY id, seq";
    let mut last = None;
    for row in select(connection, references, table).await? {
        let id: i64 = row.try_get(0)?;
        if last.replace(id) != Some(id) {
            let cascades = row.try_get::<String, _>(3)? == "CASCADE";
            found.references.push(Reference { table: row.try_get(1)?, columns: Vec::new(), cascades });
        }
        if let Some(reference) = found.references.last_mut() {
            reference.columns.push(row.try_get(2)?);
        }
    }
    Ok(found)
}

async fn select(
    connection: &mut SqliteConnection,
    text: &'static str,
    argument: &str,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    sqlx::query(text).bind(argument).fetch_all(connection).await
}
