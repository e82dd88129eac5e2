//! Several statements that land together: one text, one trip.
//!
//! The server runs the statements of a text one after the other and stops at the first that fails, so the number of
//! results that came before an error says which one that was. What found no row is made to fail by a statement after it,
//! which adds one to the greatest number there is.

use authkit_core::Write;
use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Either, MySqlConnection, mysql::MySqlRow};

use crate::{
    driver::{Step, Stopped, Yield},
    mysql::{
        Changes,
        error::{is_lost_bump, is_out_of_range},
    },
};

/// A statement of a text; the number is the position of its step.
#[derive(Clone, Copy, Debug)]
enum Part {
    Begin,
    Step(usize),
    /// Fails if the step found no row.
    Check(usize),
    End,
}

pub(super) async fn in_one_trip(
    changes: Changes,
    connection: &mut MySqlConnection,
    steps: &[Step<'_>],
) -> Result<Vec<Vec<MySqlRow>>, Stopped> {
    let (text, parts) = text(changes, steps);
    let mut found: Vec<Vec<MySqlRow>> = steps.iter().map(|_| Vec::new()).collect();
    let mut finished = 0;
    let mut results = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(&mut *connection);
    let error = loop {
        match results.try_next().await {
            Ok(Some(Either::Left(_finished))) => finished += 1,
            Ok(Some(Either::Right(row))) => {
                if let Some(Part::Step(step)) = parts.get(finished)
                    && let Some(rows) = found.get_mut(*step)
                {
                    rows.push(row);
                }
            }
            Ok(None) => return Ok(found),
            Err(error) => break error,
        }
    };
    drop(results);
    // The transaction is open still.
    if let Err(error) = sqlx::raw_sql("ROLLBACK").execute(connection).await {
        return Err(Stopped::Failed { step: steps.len(), error });
    }
    Err(match parts.get(finished).copied().unwrap_or(Part::End) {
        Part::Begin => Stopped::Failed { step: 0, error },
        Part::Step(step) if is_lost_bump(&error) && is_bump(steps, step) => Stopped::Lost { step },
        Part::Check(step) if is_out_of_range(&error) => Stopped::Lost { step },
        Part::Step(step) | Part::Check(step) => Stopped::Failed { step, error },
        Part::End => Stopped::Failed { step: steps.len(), error },
    })
}

fn text(changes: Changes, steps: &[Step<'_>]) -> (String, Vec<Part>) {
    let mut text = begin(changes, steps) + ";";
    let mut parts = vec![Part::Begin, Part::Begin];
    for (at, step) in steps.iter().enumerate() {
        text.push_str(&step.sql.text);
        parts.push(Part::Step(at));
        match step.yields {
            Yield::Nothing | Yield::Rows => {}
            Yield::Change => {
                text.push_str(";SELECT 9223372036854775807 + (ROW_COUNT() < 1)");
                parts.push(Part::Check(at));
            }
            Yield::Row => {
                text.push_str(";SELECT 9223372036854775807 + (FOUND_ROWS() < 1)");
                parts.push(Part::Check(at));
            }
        }
        text.push(';');
    }
    text.push_str("COMMIT");
    parts.push(Part::End);
    (text, parts)
}

/// The first statement fails if a transaction is open, which the second one would commit.
pub(super) fn begin(changes: Changes, steps: &[Step<'_>]) -> String {
    format!("SET TRANSACTION ISOLATION LEVEL {};START TRANSACTION", isolation(changes, steps))
}

/// Where a purge is two statements, no row may come between them: gaps are locked to keep them out.
fn isolation(changes: Changes, steps: &[Step<'_>]) -> &'static str {
    let purges = |step: &Step<'_>| matches!(step.op.write, Write::Purge { .. });
    match changes {
        Changes::Read if steps.iter().any(purges) => "REPEATABLE READ",
        _ => "READ COMMITTED",
    }
}

fn is_bump(steps: &[Step<'_>], at: usize) -> bool {
    steps.get(at).is_some_and(|step| matches!(step.op.write, Write::Bump { .. }))
}
