//! Reading back what the tables are.

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use crate::{
    catalogue::{Catalogue, Described, Index, Reference},
    effect::Named,
};

/// What has a name; SQLite does not tell upper from lower case in it, and triggers have a space of their own.
pub(super) async fn named(connection: &mut SqliteConnection, name: &str) -> Result<Option<Named>, sqlx::Error> {
    let text = "SELECT type, tbl_name FROM sqlite_schema WHERE name = ? COLLATE NOCASE AND type <> 'trigger'";
    let rows = select(connection, text, name).await?;
    rows.first().map(|row| Ok(Named { kind: row.try_get(0)?, table: row.try_get(1)? })).transpose()
}

pub(super) async fn catalogue(connection: &mut SqliteConnection, table: &str) -> Result<Catalogue, sqlx::Error> {
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
