//! Reading back what the tables are. Tables are those of the schema in which new ones are made.

use sqlx::{PgConnection, Row as _, postgres::PgRow};

use crate::{
    catalogue::{Catalogue, Described, Index, Reference},
    effect::Named,
};

/// What has a name, in the space that tables, views, indexes and sequences share.
pub(super) async fn named(connection: &mut PgConnection, name: &str) -> Result<Option<Named>, sqlx::Error> {
    let text = "SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'i' THEN 'index' WHEN 'v' THEN 'view' \
                WHEN 'm' THEN 'materialized view' WHEN 'p' THEN 'partitioned table' WHEN 'S' THEN 'sequence' \
                WHEN 'f' THEN 'foreign table' ELSE 'type' END, coalesce(t.relname, c.relname)::text \
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                LEFT JOIN pg_index x ON x.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = x.indrelid \
                WHERE n.nspname = current_schema() AND c.relname = $1";
    let rows = select(connection, text, name).await?;
    rows.first().map(|row| Ok(Named { kind: row.try_get(0)?, table: row.try_get(1)? })).transpose()
}

pub(super) async fn catalogue(connection: &mut PgConnection, table: &str) -> Result<Catalogue, sqlx::Error> {
    let mut found = Catalogue { columns: columns(connection, table).await?, ..Catalogue::default() };
    if found.columns.is_empty() {
        return Ok(found);
    }
    for row in select(connection, INDEXES, table).await? {
        let (name, column): (String, String) = (row.try_get(0)?, row.try_get(4)?);
        let (unique, primary, finished) = (row.try_get(1)?, row.try_get::<bool, _>(2)?, row.try_get::<bool, _>(3)?);
        if primary {
            found.key.push(column);
            continue;
        }
        let indexes = if finished { &mut found.indexes } else { &mut found.unfinished };
        match indexes.last_mut().filter(|index| index.name == name) {
            Some(index) => index.columns.push(column),
            None => indexes.push(Index { name, unique, columns: vec![column] }),
        }
    }
    let mut last = None;
    for row in select(connection, REFERENCES, table).await? {
        if last.replace(row.try_get::<String, _>(0)?) != row.try_get(0)? {
            let (table, cascades) = (row.try_get(1)?, row.try_get(2)?);
            found.references.push(Reference { table, columns: Vec::new(), cascades });
        }
        if let Some(reference) = found.references.last_mut() {
            reference.columns.push(row.try_get(3)?);
        }
    }
    Ok(found)
}

async fn columns(connection: &mut PgConnection, table: &str) -> Result<Vec<Described>, sqlx::Error> {
    let columns = select(connection, COLUMNS, table).await?;
    let described = columns.iter().map(|row| {
        Ok(Described {
            name: row.try_get(0)?,
            column_type: row.try_get(1)?,
            nullable: row.try_get(2)?,
            default: row.try_get(3)?,
        })
    });
    described.collect()
}

async fn select(connection: &mut PgConnection, text: &'static str, argument: &str) -> Result<Vec<PgRow>, sqlx::Error> {
    sqlx::query(text).bind(argument).fetch_all(connection).await
}

const COLUMNS: &str = "\
    SELECT a.attname::text, translate(format_type(a.atttypid, a.atttypmod), '\"', '') || \
    CASE WHEN a.attcollation = t.typcollation THEN '' ELSE ' COLLATE ' || quote_ident(l.collname) END, NOT a.attnotnull, CASE WHEN a.attgenerated <> '' OR \
    a.attidentity <> '' THEN 'generated' ELSE pg_get_expr(d.adbin, d.adrelid) END \
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation l ON l.oid = a.attcollation \
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE n.nspname = current_schema() AND c.relname = $1 AND c.relkind IN ('r', 'p') AND a.attnum > 0 \
    AND NOT a.attisdropped ORDER BY a.attnum";

/// A row per column of an index that a lookup by equality and order may rest on.
const INDEXES: &str = "\
    SELECT i.relname::text, x.indisunique, x.indisprimary, x.indisvalid AND x.indisready, a.attname::text \
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am m ON m.oid = i.relam \
    JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k (attnum, place) \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
    WHERE n.nspname = current_schema() AND c.relname = $1 AND m.amname = 'btree' AND x.indpred IS NULL \
    AND x.indexprs IS NULL AND NOT x.indnullsnotdistinct AND x.indimmediate AND k.place <= x.indnkeyatts \
    AND NOT EXISTS (SELECT FROM unnest(x.indoption) o WHERE o <> 0) \
    AND NOT EXISTS (SELECT FROM unnest(x.indkey, x.indcollation) AS u (attnum, colloid) JOIN pg_attribute b \
    ON b.attrelid = c.oid AND b.attnum = u.attnum WHERE u.colloid <> b.attcollation) ORDER BY i.relname, k.place";

/// A row per column of a foreign key.
const REFERENCES: &str = "\
    SELECT f.conname::text, CASE WHEN m.nspname = n.nspname THEN r.relname::text ELSE m.nspname || '.' || r.relname END, \
    f.confdeltype = 'c' AND NOT f.condeferrable, a.attname::text \
    FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_class r ON r.oid = f.confrelid JOIN pg_namespace m ON m.oid = r.relnamespace \
    CROSS JOIN LATERAL unnest(f.conkey) WITH ORDINALITY AS k (attnum, place) \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
    WHERE n.nspname = current_schema() AND c.relname = $1 AND f.contype = 'f' ORDER BY f.conname, k.place";
