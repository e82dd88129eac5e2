//! What was applied, what is left to do, and doing it.

use authkit_core::{ColumnKind, Def, StoreError, Value};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::{
    catalogue::{Catalogue, verify},
    ddl::{Change, Planned, State, history_table, record},
    driver::{Connection, Driver, arguments},
    effect::{Effect, Standing},
    error::{Fault, unreadable},
    tables::Tables,
};

impl<D: Driver> Tables<D> {
    /// Applies what is left of a plan. Where nothing is left, nothing is written and no right to change tables is needed.
    pub(crate) async fn apply(&self, plan: &[Planned]) -> Result<(), StoreError> {
        let mut lease = self.readers.lease(&self.driver).await?;
        let history = history(&self.driver, lease.connection().await?).await?;
        lease.trust();
        drop(lease);
        if !any_left(plan, &history)? {
            return Ok(());
        }
        // Not trusted afterwards: what a server's session was set to for this ends with its connection.
        let mut lease = self.writers.lease(&self.driver).await?;
        self.driver.migrate(lease.live_connection().await?, plan).await
    }

    /// Compares the tables with what is declared.
    pub(crate) async fn verify(&self, defs: &[Def]) -> Result<(), StoreError> {
        let mut lease = self.readers.lease(&self.driver).await?;
        let connection = lease.connection().await?;
        for def in defs {
            let found = self.driver.catalogue(connection, def.table).await;
            let found = found.map_err(|error| self.driver.failure(error).told())?;
            verify(self.driver.dialect(), def, &found)?;
        }
        lease.trust();
        Ok(())
    }
}

/// Applies what is left of a plan; called by [`Driver::migrate`].
///
/// Each statement is recorded before it is run, and what it brought about is looked at afterwards. A process that was
/// killed anywhere is gone on with from there.
pub(crate) async fn apply<D: Driver>(
    driver: &D,
    connection: &mut Connection<D>,
    plan: &[Planned],
) -> Result<(), StoreError> {
    // Another node may have been faster.
    let history = history(driver, connection).await?;
    if !any_left(plan, &history)? {
        return Ok(());
    }
    for planned in plan {
        if is_left(planned, &history)? {
            apply_one(driver, connection, planned).await.map_err(|error| match error {
                StoreError::Corrupt(source) => {
                    let Planned { plugin, number, table, .. } = *planned;
                    Fault::Refused { plugin, number, table, source }.into()
                }
                other => other,
            })?;
        }
    }
    Ok(())
}

async fn apply_one<D: Driver>(driver: &D, connection: &mut Connection<D>, planned: &Planned) -> Result<(), StoreError> {
    // Looked at as a whole before anything is changed, so that a step which is refused leaves no trace.
    let before = standings(driver, connection, planned).await?;
    run(driver, connection, &history_table(driver.dialect()).text).await?;
    for (position, (Change { text, effect }, standing)) in planned.changes.iter().zip(&before).enumerate() {
        if *standing == Standing::Done {
            continue;
        }
        run(driver, connection, &record(driver.dialect(), planned, State::Started(position))).await?;
        if let (Standing::Broken, Some(text)) = (standing, effect.removal(driver.dialect())) {
            run(driver, connection, &text).await?;
        }
        run(driver, connection, text).await?;
    }
    let is_done = |standing: &Standing| *standing == Standing::Done;
    if !before.iter().all(is_done) && !standings(driver, connection, planned).await?.iter().all(is_done) {
        return Err(Fault::Driver("a statement did not do what it says; is there a temporary table?").into());
    }
    run(driver, connection, &record(driver.dialect(), planned, State::Applied)).await
}

async fn run<D: Driver>(driver: &D, connection: &mut Connection<D>, text: &str) -> Result<(), StoreError> {
    let ran = driver.run(connection, AssertSqlSafe(text).into_sql_str()).await;
    ran.map_err(|error| driver.failure(error).told())
}

/// How far each statement of a migration is brought about; refused if something else is in the way of one.
async fn standings<D: Driver>(
    driver: &D,
    connection: &mut Connection<D>,
    planned: &Planned,
) -> Result<Vec<Standing>, StoreError> {
    let found = driver.catalogue(connection, planned.table).await;
    let found = found.map_err(|error| driver.failure(error).told())?;
    let mut standings = Vec::with_capacity(planned.changes.len());
    for Change { effect, .. } in &planned.changes {
        standings.push(standing(driver, connection, effect, &found).await?);
    }
    Ok(standings)
}

async fn standing<D: Driver>(
    driver: &D,
    connection: &mut Connection<D>,
    effect: &Effect,
    found: &Catalogue,
) -> Result<Standing, StoreError> {
    let named = driver.named(connection, effect.table(), effect.name()).await;
    let named = named.map_err(|error| driver.failure(error).told())?;
    match effect.standing(named.as_ref(), found) {
        Standing::Foreign(problem) => Err(effect.in_the_way(problem).into()),
        standing => Ok(standing),
    }
}

async fn history<D: Driver>(driver: &D, connection: &mut Connection<D>) -> Result<Vec<Record>, StoreError> {
    let made = history_table(driver.dialect()).effect;
    let told = |error| driver.failure(error).told();
    // Another node may make the table between the two questions, and then it is not there yet.
    if driver.named(connection, made.table(), made.name()).await.map_err(told)?.is_none() {
        return Ok(Vec::new());
    }
    let found = driver.catalogue(connection, made.table()).await.map_err(told)?;
    if standing(driver, connection, &made, &found).await? != Standing::Done {
        return Ok(Vec::new());
    }
    let text = "SELECT plugin, number, checksum, state FROM authkit_migrations".into_sql_str();
    let rows = driver.fetch(connection, text, arguments(driver, [])?).await;
    let rows = rows.map_err(|error| driver.failure(error).told())?;
    let text = |row, at| match driver.value(row, at, ColumnKind::Text).map_err(unreadable)? {
        Value::Text(text) => Ok(text),
        _ => Err(StoreError::from(Fault::Driver("a record of a migration is not complete"))),
    };
    let records = rows.iter().map(|row| {
        let Value::Int(number) = driver.value(row, 1, ColumnKind::Int).map_err(unreadable)? else {
            return Err(Fault::Driver("a record of a migration is not complete").into());
        };
        Ok(Record { plugin: text(row, 0)?, number, checksum: text(row, 2)?, state: text(row, 3)? })
    });
    records.collect()
}

fn any_left(plan: &[Planned], history: &[Record]) -> Result<bool, StoreError> {
    let mut any = false;
    for planned in plan {
        any |= is_left(planned, history)?;
    }
    Ok(any)
}

/// A row of `authkit_migrations`.
#[derive(Debug)]
struct Record {
    plugin: String,
    number: i64,
    checksum: String,
    /// `started` or `applied`.
    state: String,
}

/// Whether a migration is not applied yet. How far one got that was started, the tables tell.
fn is_left(planned: &Planned, history: &[Record]) -> Result<bool, StoreError> {
    let (plugin, number) = (planned.plugin, planned.number);
    let is_it = |record: &&Record| record.plugin == plugin && record.number == i64::from(number);
    let Some(record) = history.iter().find(is_it) else {
        return Ok(true);
    };
    if record.checksum != planned.checksum {
        return Err(Fault::Edited { plugin, number }.into());
    }
    Ok(record.state != "applied")
}
