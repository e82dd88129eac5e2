//! The statements of an op.
//!
//! What MariaDB returns from a DELETE or an INSERT, MySQL returns from a SELECT beside it. MariaDB too takes a row with a
//! SELECT and a DELETE where they stand in a text of several statements: there, a DELETE that returns rows does not tell
//! the next statement whether it found any.

use authkit_core::{ColumnDef, Op, Write};

use crate::{
    driver::Yield,
    mysql::Changes,
    sql::{Arg, Bump, Rows, Spelling, Statement, index_columns},
};

/// An op that is one statement is prepared; everything else is a text, if the connections are the store's.
pub(super) fn spelling(changes: Changes, alone: Option<&Op>) -> Spelling {
    let prepared = alone.is_some_and(|op| match &op.write {
        Write::Insert { .. } | Write::Update { .. } | Write::Ensure { .. } => true,
        Write::Take { .. } | Write::Purge { .. } => changes == Changes::Returned,
        Write::Bump { index, values, column, by, floor, max } => {
            let bump = Bump { index: *index, values, column: *column, by: *by, floor: *floor, max: *max };
            changes == Changes::Returned && bump.first().is_some()
        }
    });
    if prepared { Spelling::Placeholders } else { Spelling::Literals }
}

pub(super) fn push<'a>(changes: Changes, rows: &Rows<'a>, op: &'a Op, push: &mut impl FnMut(Yield, Statement<'a>)) {
    let alone = match rows.spelling() {
        Spelling::Placeholders => changes,
        Spelling::Literals => Changes::Read,
    };
    match &op.write {
        Write::Insert { values } => push(Yield::Nothing, rows.insert(values)),
        Write::Update { at, guards, set } if !set.is_empty() => push(Yield::Change, rows.update(at, guards, set)),
        Write::Ensure { at, guards } | Write::Update { at, guards, .. } => push(Yield::Row, rows.ensure(at, guards)),
        Write::Take { at, guards } if alone == Changes::Returned => push(Yield::Row, rows.take(at, guards)),
        Write::Take { at, guards } => {
            push(Yield::Row, held(rows, &op.def.columns, |sql| rows.push_row(sql, at, guards)));
            push(Yield::Nothing, removed(rows, |sql| rows.push_row(sql, at, guards)));
        }
        Write::Purge { index, prefix, guards } if changes == Changes::Returned => {
            push(Yield::Rows, rows.purge(*index, prefix, guards));
        }
        Write::Purge { index, prefix, guards } => {
            let id = op.def.columns.get(..1).unwrap_or_default();
            push(Yield::Rows, held(rows, id, |sql| rows.push_rows(sql, *index, prefix, guards)));
            push(Yield::Nothing, removed(rows, |sql| rows.push_rows(sql, *index, prefix, guards)));
        }
        Write::Bump { index, values, column, by, floor, max } => {
            let bump = Bump { index: *index, values, column: *column, by: *by, floor: *floor, max: *max };
            push_bump(rows, &bump, alone, push);
        }
    }
}

/// Reads rows, which nobody else can change until the commit.
fn held<'a>(rows: &Rows<'a>, columns: &[ColumnDef], which: impl FnOnce(&mut Statement<'a>)) -> Statement<'a> {
    let mut sql = rows.statement("SELECT ");
    sql.list(", ", columns, |sql, column| sql.name(column.name)).push(" FROM ").name(rows.def().table);
    which(&mut sql);
    sql.push(" FOR UPDATE");
    sql
}

fn removed<'a>(rows: &Rows<'a>, which: impl FnOnce(&mut Statement<'a>)) -> Statement<'a> {
    let mut sql = rows.statement("DELETE FROM ");
    sql.name(rows.def().table);
    which(&mut sql);
    sql
}

fn push_bump<'a>(rows: &Rows<'a>, bump: &Bump<'a>, changes: Changes, push: &mut impl FnMut(Yield, Statement<'a>)) {
    let def = rows.def();
    let counter = def.columns.get(bump.column).map_or("", |column| column.name);
    match bump.first() {
        Some(first) => {
            let mut sql = made_or_raised(rows, bump, counter, first);
            if changes == Changes::Returned {
                sql.push(" RETURNING ").name(counter);
                return push(Yield::Row, sql);
            }
            push(Yield::Change, sql);
        }
        // A counter that is made would be too great already, so only one that exists can be bumped.
        None => push(Yield::Change, raised(rows, bump, counter)),
    }
    let mut sql = rows.statement("SELECT ");
    sql.name(counter).push(" FROM ").name(def.table);
    rows.push_key(&mut sql, bump.index, bump.key(def));
    push(Yield::Rows, sql);
}

/// Makes a counter, or bumps the one that is there. A guard that is lost writes a NULL, which the column refuses.
///
/// The row that is there may have collided by another key than the counter's, so that is looked at, too.
fn made_or_raised<'a>(rows: &Rows<'a>, bump: &Bump<'a>, counter: &str, first: i64) -> Statement<'a> {
    let count = |(at, arg)| if at == bump.column { Arg::Int(first) } else { arg };
    let mut sql = rows.insert_args(rows.args(bump.values).enumerate().map(count));
    sql.push(" ON DUPLICATE KEY UPDATE ").name(counter).push(" = IF(");
    let key = index_columns(rows.def(), bump.index).zip(bump.key(rows.def()));
    sql.list(" AND ", key, |sql, (column, value)| sql.name(column.name).push(" = ").arg(Arg::new(column.kind, value)));
    push_condition(rows, &mut sql, bump);
    sql.push(", ");
    rows.push_sum(&mut sql, bump);
    sql.push(", NULL)");
    rows.push_expiry(&mut sql, bump);
    sql
}

fn raised<'a>(rows: &Rows<'a>, bump: &Bump<'a>, counter: &str) -> Statement<'a> {
    let mut sql = rows.statement("UPDATE ");
    sql.name(rows.def().table).push(" SET ").name(counter).push(" = ");
    rows.push_sum(&mut sql, bump);
    rows.push_expiry(&mut sql, bump);
    rows.push_key(&mut sql, bump.index, bump.key(rows.def()));
    push_condition(rows, &mut sql, bump);
    sql
}

fn push_condition<'a>(rows: &Rows<'a>, sql: &mut Statement<'a>, bump: &Bump<'a>) {
    rows.push_live(sql, "");
    if let Some(max) = bump.max {
        sql.push(" AND ");
        rows.push_sum(sql, bump);
        sql.push(" <= ").arg(Arg::Int(max));
    }
}
