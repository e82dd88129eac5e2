//! Several statements as one text.
//!
//! PostgreSQL runs the statements of a simple query in their order, each with what those before it did in sight, and as
//! one transaction that ends with the last. It answers each as it goes, so an error is that of the statement after the
//! last answer. A lost guard is made an error: a number is divided by the count of the rows that were found.

use authkit_core::{ColumnKind, EntityDef, Write};
use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Either, PgConnection, postgres::PgRow};

use crate::driver::{Role, Step, Stopped, Yield};

pub(super) async fn land(connection: &mut PgConnection, steps: &[Step<'_>]) -> Result<Vec<Vec<PgRow>>, Stopped> {
    let text = text(steps);
    let mut answers = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(connection);
    let mut all = Vec::with_capacity(steps.len());
    let mut rows = Vec::new();
    loop {
        match answers.try_next().await {
            Ok(Some(Either::Right(row))) => rows.push(row),
            Ok(Some(Either::Left(_answered))) => all.push(std::mem::take(&mut rows)),
            Ok(None) => return Ok(all),
            Err(error) => return Err(stopped(all.len(), error)),
        }
    }
}

fn stopped(step: usize, error: sqlx::Error) -> Stopped {
    match error.as_database_error().and_then(|error| error.code()).as_deref() {
        Some(DIVISION_BY_ZERO) => Stopped::Lost { step },
        _ => Stopped::Failed { step, error },
    }
}

pub(super) fn text(steps: &[Step<'_>]) -> String {
    let mut text = String::with_capacity(steps.iter().map(|step| step.sql.text.len() + 64).sum());
    for step in steps {
        push(&mut text, step);
        text.push_str(";\n");
    }
    text
}

/// Appends a statement, and what fails if it finds no row where it has to.
fn push(text: &mut String, Step { op, role, yields, sql, .. }: &Step<'_>) {
    let returning = match yields {
        Yield::Nothing | Yield::Rows => {
            text.push_str(&sql.text);
            return;
        }
        Yield::Change => " RETURNING 1",
        Yield::Row => "",
    };
    text.push_str("WITH o AS (");
    text.push_str(&sql.text);
    text.push_str(returning);
    text.push_str(") SELECT ");
    match (role, &op.write) {
        (Role::Op, Write::Take { .. }) => {
            push_columns(text, &op.def);
            text.push_str("n FROM (SELECT 1 / count(*) AS n FROM o) AS found LEFT JOIN o ON TRUE");
        }
        (Role::Op, Write::Bump { column, .. }) => {
            text.push_str("max(\"");
            text.push_str(op.def.columns.get(*column).map_or("", |column| column.name));
            text.push_str("\"), 1 / count(*) FROM o");
        }
        _ => text.push_str("1 / count(*) FROM o"),
    }
}

/// The columns in a form that no setting of the session changes.
fn push_columns(text: &mut String, def: &EntityDef) {
    for column in &def.columns {
        let (before, after) = match column.kind {
            ColumnKind::Time => ("(extract(epoch FROM o.\"", "\") * 1000)::int8, "),
            ColumnKind::Bytes => ("encode(o.\"", "\", 'hex'), "),
            _ => ("o.\"", "\", "),
        };
        text.push_str(before);
        text.push_str(column.name);
        text.push_str(after);
    }
}

const DIVISION_BY_ZERO: &str = "22012";
