//! Applying migrations, and reading back what the tables are.

use authkit_core::{Def, StoreError};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection, sqlite::SqliteRow};

use crate::{
    catalogue::{Catalogue, Described, Index, Reference, verify},
    ddl::{Planned, history_table, record},
    effect::{Effect, Named, Standing},
    error::{Fault, commit_error, store_error},
    migrate::{Record, is_left},
    sqlite::{DIALECT, Sqlite},
};

impl Sqlite {
    /// Applies what is left of a plan, one transaction a migration. SQLite makes and changes tables in transactions.
    ///
    /// Where nothing is left, nothing is written: the application needs no right to change tables.
    pub(super) async fn apply(&self, plan: &[Planned]) -> Result<(), StoreError> {
        let mut lease = self.readers.lease().await?;
        let history = history(lease.connection().await?).await?;
        drop(lease);
        for planned in plan {
            if is_left(planned, &history)? {
                self.apply_one(planned).await?;
            }
        }
        Ok(())
    }

    async fn apply_one(&self, planned: &Planned) -> Result<(), StoreError> {
        let mut lease = self.writer.lease().await?;
        let connection = lease.connection().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        // Another node may have been faster.
        if !is_left(planned, &history(&mut transaction).await?)? {
            return Ok(());
        }
        make(&mut transaction, planned).await.map_err(|error| match error {
            StoreError::Corrupt(source) => {
                let Planned { plugin, number, table, .. } = *planned;
                Fault::Refused { plugin, number, table, source }.into()
            }
            other => other,
        })?;
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

/// Runs what is left of a migration and records it, unless something else has one of its names.
async fn make(connection: &mut SqliteConnection, planned: &Planned) -> Result<(), StoreError> {
    run(connection, history_table(&DIALECT).text).await?;
    for change in &planned.changes {
        if is_undone(connection, &change.effect).await? {
            run(connection, change.text.clone()).await?;
        }
    }
    for change in &planned.changes {
        if is_undone(connection, &change.effect).await? {
            return Err(Fault::Driver("a statement did not do what it says; is there a temporary table?").into());
        }
    }
    run(connection, record(&DIALECT, planned)).await
}

async fn run(connection: &mut SqliteConnection, text: String) -> Result<(), StoreError> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await.map_err(store_error)?;
    Ok(())
}

/// Whether a statement is left to run; refused if something else is in its way.
async fn is_undone(connection: &mut SqliteConnection, effect: &Effect) -> Result<bool, StoreError> {
    let named = named(connection, effect.name()).await.map_err(store_error)?;
    let found = catalogue(connection, effect.table()).await.map_err(store_error)?;
    match effect.standing(named.as_ref(), &found) {
        Standing::Left => Ok(true),
        Standing::Done => Ok(false),
        Standing::Foreign(problem) => Err(effect.in_the_way(problem).into()),
    }
}

async fn history(connection: &mut SqliteConnection) -> Result<Vec<Record>, StoreError> {
    if is_undone(connection, &history_table(&DIALECT).effect).await? {
        return Ok(Vec::new());
    }
    let rows = sqlx::query("SELECT plugin, number, checksum, state FROM authkit_migrations");
    let rows = rows.fetch_all(connection).await.map_err(store_error)?;
    let records = rows.iter().map(|row| {
        Ok(Record {
            plugin: row.try_get(0)?,
            number: row.try_get(1)?,
            checksum: row.try_get(2)?,
            state: row.try_get(3)?,
        })
    });
    records.collect::<Result<_, _>>().map_err(store_error)
}

/// What has a name; SQLite does not tell upper from lower case in it, and triggers have a space of their own.
async fn named(connection: &mut SqliteConnection, name: &str) -> Result<Option<Named>, sqlx::Error> {
    let text = "SELECT type, tbl_name FROM sqlite_schema WHERE name = ? COLLATE NOCASE AND type <> 'trigger'";
    let rows = select(connection, text, name).await?;
    rows.first().map(|row| Ok(Named { kind: row.try_get(0)?, table: row.try_get(1)? })).transpose()
}

async fn catalogue(connection: &mut SqliteConnection, table: &str) -> Result<Catalogue, sqlx::Error> {
    let columns = "SELECT name, type, \"notnull\", CASE hidden WHEN 0 THEN dflt_value ELSE 'generated' END, pk \
                   FROM pragma_table_xinfo(?)";
    let mut found = Catalogue::default();
    let mut key: Vec<(i64, String)> = Vec::new();
    for row in select(connection, columns, table).await? {
        let name: String = row.try_get(0)?;
        let place: i64 = row.try_get(4)?;
        if place > 0 {
            key.push((place, name.clone()));
        }
        let (column_type, required, default) = (row.try_get(1)?, row.try_get::<bool, _>(2)?, row.try_get(3)?);
        found.columns.push(Described { name, column_type, nullable: !required, default });
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
