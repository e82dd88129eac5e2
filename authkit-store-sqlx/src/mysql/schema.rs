//! Reading back what the tables are.

use sqlx::{MySqlConnection, Row as _, mysql::MySqlRow};

use crate::{
    catalogue::{Catalogue, Described, Index, Reference},
    effect::Named,
    mysql::{Flavour, value::quoted},
};

/// What has a name: a table, or an index of the table, which has names of its own.
pub(super) async fn named(
    connection: &mut MySqlConnection,
    table: &str,
    name: &str,
) -> Result<Option<Named>, sqlx::Error> {
    let rows = if table == name {
        let text = "SELECT IF(table_type = 'BASE TABLE', 'table', LOWER(table_type)), table_name \
                    FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?";
        sqlx::query(text).bind(table).fetch_all(connection).await?
    } else {
        let text = "SELECT 'index', table_name FROM information_schema.statistics \
                    WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ? LIMIT 1";
        sqlx::query(text).bind(table).bind(name).fetch_all(connection).await?
    };
    rows.first().map(|row| Ok(Named { kind: text(row, 0)?, table: text(row, 1)? })).transpose()
}

pub(super) async fn catalogue(
    flavour: Flavour,
    connection: &mut MySqlConnection,
    table: &str,
) -> Result<Catalogue, sqlx::Error> {
    let mut found = Catalogue::default();
    let columns = "SELECT column_name, column_type, collation_name, is_nullable = 'YES', column_default, extra \
                   FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? \
                   ORDER BY ordinal_position";
    for row in select(connection, columns, table).await? {
        let column_type = declared_type(flavour, &text(&row, 1)?, maybe(&row, 2)?.as_deref());
        let default = match (maybe(&row, 4)?, text(&row, 5)?.to_ascii_lowercase()) {
            (_, extra) if extra == "auto_increment" || extra.ends_with(" generated") => Some("generated".to_owned()),
            (Some(shown), extra) => declared_default(flavour, &column_type, &shown, &extra),
            (None, _) => None,
        };
        found.columns.push(Described { name: text(&row, 0)?, column_type, nullable: row.try_get(3)?, default });
    }

    // Of an index that serves only the beginning of a column, or nobody, the columns are named so that none is found.
    let indexes = "SELECT index_name, non_unique = 0, \
                   IF(sub_part IS NULL AND collation = 'A' AND index_type = 'BTREE', column_name, '') \
                   FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? \
                   ORDER BY index_name, seq_in_index";
    for row in select(connection, indexes, table).await? {
        let (name, column) = (text(&row, 0)?, maybe(&row, 2)?.unwrap_or_default());
        if name == "PRIMARY" {
            found.key.push(column);
            continue;
        }
        match found.indexes.last_mut().filter(|index| index.name == name) {
            Some(index) => index.columns.push(column),
            None => found.indexes.push(Index { name, unique: row.try_get(1)?, columns: vec![column] }),
        }
    }

    let references = "SELECT k.constraint_name, k.referenced_table_name, k.column_name, r.delete_rule = 'CASCADE' \
                      FROM information_schema.key_column_usage AS k \
                      JOIN information_schema.referential_constraints AS r ON r.constraint_name = k.constraint_name \
                      WHERE k.table_schema = DATABASE() AND k.table_name = ? AND k.referenced_table_name IS NOT NULL \
                      AND r.constraint_schema = DATABASE() AND r.table_name = ? \
                      ORDER BY k.constraint_name, k.ordinal_position";
    // Constants for both: a join would have the server open every table of every database.
    let references = sqlx::query(references).bind(table).bind(table).fetch_all(connection).await?;
    let mut last = String::new();
    for row in references {
        let name = text(&row, 0)?;
        if last != name {
            found.references.push(Reference { table: text(&row, 1)?, columns: Vec::new(), cascades: row.try_get(3)? });
            last = name;
        }
        if let Some(reference) = found.references.last_mut() {
            reference.columns.push(text(&row, 2)?);
        }
    }
    Ok(found)
}

/// A type as a column is declared that is in no index; the same for a text or bytes that are in one.
fn declared_type(flavour: Flavour, found: &str, collation: Option<&str>) -> String {
    match (found, collation) {
        // Old versions tell a width, which means nothing.
        ("bigint(20)", _) => "bigint".to_owned(),
        ("tinyint(1)", _) => "boolean".to_owned(),
        ("varbinary(255)", _) => "longblob".to_owned(),
        ("longtext" | "varchar(255)", Some(found)) if found == flavour.collation() => {
            format!("longtext CHARACTER SET utf8mb4 COLLATE {found}")
        }
        (found, Some(collation)) => format!("{found} COLLATE {collation}"),
        (found, None) => found.to_owned(),
    }
}

/// A default as [`super::value::default`] spells it.
///
/// MariaDB shows an expression of which it makes literals: `'it\'s'`, `unhex('00ff')`, `42`. MySQL shows the bare value
/// of a literal, and an expression with its quotes escaped once more: `_utf8mb4\'it\\\'s\'`.
fn declared_default(flavour: Flavour, column_type: &str, shown: &str, extra: &str) -> Option<String> {
    let shown = match flavour {
        Flavour::MariaDb if shown == "NULL" => return None,
        Flavour::MariaDb => shown.to_owned(),
        Flavour::MySql if extra == "default_generated" => unescaped(shown).replace("_utf8mb4'", "'"),
        Flavour::MySql if column_type == "datetime(3)" => quoted(shown),
        Flavour::MySql => shown.to_owned(),
    };
    let literal = shown.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    Some(match literal {
        Some(literal) if column_type.starts_with("longtext") => format!("({})", quoted(&unescaped(literal))),
        Some(literal) => quoted(&unescaped(literal)),
        None if shown.starts_with("unhex(") || shown.starts_with("convert(") => format!("({shown})"),
        None => shown,
    })
}

/// What stands between the quotes of a literal, as it is meant.
fn unescaped(literal: &str) -> String {
    let mut text = String::with_capacity(literal.len());
    let mut rest = literal.chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => text.extend(rest.next().map(|escaped| match escaped {
                '0' => '\0',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'Z' => '\u{1a}',
                other => other,
            })),
            // A quote is doubled.
            '\'' => {
                rest.next();
                text.push('\'');
            }
            other => text.push(other),
        }
    }
    text
}

async fn select(
    connection: &mut MySqlConnection,
    query: &'static str,
    table: &str,
) -> Result<Vec<MySqlRow>, sqlx::Error> {
    sqlx::query(query).bind(table).fetch_all(connection).await
}

/// Texts of the catalogue, which some versions describe as bytes.
fn text(row: &MySqlRow, at: usize) -> Result<String, sqlx::Error> {
    row.try_get_unchecked(at)
}

fn maybe(row: &MySqlRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    row.try_get_unchecked(at)
}
