//! Commits.
//!
//! A commit is made of steps, the statements of its ops in their order. One step is a prepared statement by itself; the
//! driver makes several land together or not at all. An expired row that is in the way is removed by a step of its own
//! before the op, once the op was refused because of it; nobody can tell, since the row was absent before.

use std::{mem, sync::PoisonError};

use authkit_core::{ColumnKind, Done, IndexDef, Lookup, Op, Scope, Set, StoreError, Timestamp, Value, Write};
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _, SqlStr};

use crate::{
    again::Again,
    driver::{Connection, DatabaseRow, Driver, Failure, Role, Step, Stopped, Yield, arguments},
    error::Fault,
    sql::{Arg, Bump, Rows, Spelling, Statement, changed},
    tables::Tables,
};

impl<D: Driver> Tables<D> {
    pub(crate) async fn write(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        let mut cleared = Vec::new();
        let mut again = Again::default();
        loop {
            let plan = self.plan(scope, ops, now, &cleared)?;
            match self.land(plan).await? {
                Outcome::Landed(done) => return Ok(done),
                Outcome::InTheWay { op, index, told } => {
                    // Each way is cleared once, so the rounds come to an end.
                    if cleared.contains(&(op, index)) {
                        return Err(told);
                    }
                    cleared.push((op, index));
                }
                Outcome::Conflict => again.pause().await?,
            }
        }
    }

    /// The statements of a commit, the rows of each op, and how values are spelled in them.
    fn plan<'a>(
        &self,
        scope: &Scope,
        ops: &'a [Op],
        now: Timestamp,
        cleared: &[(usize, usize)],
    ) -> Result<Plan<'a>, StoreError> {
        let alone = match ops {
            [op] if cleared.is_empty() && self.expiring_parents(op).is_empty() => Some(op),
            _ => None,
        };
        let spelling = self.driver.spelling(alone);
        let (mut steps, mut rows) = (Vec::with_capacity(ops.len()), Vec::with_capacity(ops.len()));
        for (number, op) in ops.iter().enumerate() {
            let moves = |set: &Set| changed(set) == 0;
            if matches!(&op.write, Write::Update { set, .. } if set.iter().any(moves)) {
                return Err(Fault::FixedId(op.def.table).into());
            }
            let of = Rows::of(self.driver.dialect(), scope, &op.def, now)?.spelled(spelling);
            let mut push = |role, yields, sql| steps.push(Step { number, op, rows: of, role, yields, sql });
            for (table, expiry, id) in self.expiring_parents(op) {
                push(Role::Before, Yield::Row, of.parent(table, expiry, id));
            }
            for (_, index) in cleared.iter().filter(|(cleared, _)| *cleared == number) {
                if let Some(sql) = of.clear(*index, &op.write) {
                    push(Role::Before, Yield::Nothing, sql);
                }
            }
            self.driver.op(&of, op, &mut |yields, sql| push(Role::Op, yields, sql));
            rows.push(of);
        }
        if steps.iter().any(|step| step.sql.args.iter().any(|arg| matches!(arg, Arg::Misfit))) {
            return Err(Fault::Driver("a value is not of the declared kind").into());
        }
        Ok(Plan { ops, rows, steps, spelling })
    }

    async fn land(&self, plan: Plan<'_>) -> Result<Outcome, StoreError> {
        let Plan { ops, rows, steps, spelling } = plan;
        let parts: Vec<_> = steps.iter().map(|step| (step.number, step.role)).collect();
        let alone = steps.len() == 1 && spelling == Spelling::Placeholders;

        let mut lease = self.writers.lease(&self.driver).await?;
        let connection = lease.live_connection().await?;
        let landed = match alone {
            true => run_each(&self.driver, connection, steps).await,
            false => self.driver.land(connection, steps).await,
        };
        let outcome = match landed {
            Ok(found) => {
                let done = self.done(ops, &rows, parts.iter().zip(&found));
                // It has landed, but what was taken cannot be read and is gone.
                done.map(Outcome::Landed).map_err(|_unreadable| StoreError::Unknown)
            }
            Err(stopped) => self.refused(ops, &parts, stopped).map_err(|told| match told {
                // Nothing took it back, if it had come as far as that.
                StoreError::Unavailable(_) if alone => StoreError::Unknown,
                told => told,
            }),
        };
        match outcome {
            Err(StoreError::Unavailable(_) | StoreError::Unknown) => lease.discard(),
            _ => lease.trust(),
        }
        outcome
    }

    /// What it means that a commit did not land.
    fn refused(&self, ops: &[Op], parts: &[(usize, Role)], stopped: Stopped) -> Result<Outcome, StoreError> {
        let (Stopped::Lost { step } | Stopped::Taken { step, .. } | Stopped::Failed { step, .. }) = stopped;
        let part = parts.get(step).and_then(|(number, role)| Some((*number, *role, ops.get(*number)?)));
        let failure = match stopped {
            Stopped::Lost { .. } => None,
            Stopped::Taken { index, .. } => Some((Some(index), Failure::Duplicate)),
            Stopped::Failed { error, .. } => {
                let index = part.and_then(|(.., op)| self.driver.collided(&op.def, &error));
                Some((index, self.driver.failure(error)))
            }
        };
        let refused = match (part, failure) {
            (Some((op, Role::Op, Op { def, write })), Some((index, Failure::Duplicate))) => {
                let index = index.unwrap_or(def.indexes.len());
                let expires = def.expiry.is_some();
                let told = StoreError::Duplicate { op, index };
                match write {
                    Write::Insert { .. } | Write::Update { .. } if expires => Outcome::InTheWay { op, index, told },
                    _ => return Err(told),
                }
            }
            (Some((op, role, Op { def, write })), None) => {
                let told = StoreError::Guard { op };
                match (role, write) {
                    (Role::Op, Write::Bump { index, .. }) if def.expiry.is_some() => {
                        Outcome::InTheWay { op, index: *index, told }
                    }
                    _ => return Err(told),
                }
            }
            (Some((op, ..)), Some((_, Failure::Orphan))) => return Err(StoreError::Guard { op }),
            // The contract lets no counter leave its range.
            (Some((op, _, Op { write: Write::Bump { .. }, .. })), Some((_, Failure::OutOfRange))) => {
                return Err(StoreError::Guard { op });
            }
            (_, Some((_, Failure::Conflict))) => Outcome::Conflict,
            (_, Some((_, Failure::Lost(_)))) => return Err(StoreError::Unknown),
            (part, Some((_, failure))) => {
                return Err(match failure.told() {
                    StoreError::Unavailable(_) if part.is_none() => StoreError::Unknown,
                    told => told,
                });
            }
            (None, None) => return Err(StoreError::Unknown),
        };
        Ok(refused)
    }

    /// What the ops of a commit did.
    fn done<'f>(
        &self,
        ops: &[Op],
        rows: &[Rows<'_>],
        found: impl Iterator<Item = (&'f (usize, Role), &'f Vec<DatabaseRow<D>>)> + Clone,
    ) -> Result<Vec<Done>, StoreError> {
        let done = ops.iter().zip(rows).enumerate().map(|(number, (op, of))| {
            let found = found.clone().filter(|(part, _)| **part == (number, Role::Op)).flat_map(|(_, found)| found);
            self.done_by(op, of, found)
        });
        done.collect()
    }

    fn done_by<'f>(
        &self,
        op: &Op,
        rows: &Rows<'_>,
        mut found: impl Iterator<Item = &'f DatabaseRow<D>>,
    ) -> Result<Done, StoreError> {
        let lost = || Fault::Driver("a statement returned less than it found");
        match &op.write {
            Write::Insert { .. } | Write::Update { .. } | Write::Ensure { .. } => Ok(Done::Written),
            Write::Take { .. } => {
                let columns: Vec<usize> = (0..op.def.columns.len()).collect();
                self.row(rows, &columns, found.next().ok_or_else(lost)?).map(Done::Taken)
            }
            Write::Purge { .. } => {
                let ids = found.map(|row| match self.value(row, 0, ColumnKind::Id)? {
                    Value::Id(id) => Ok(id),
                    _ => Err(lost().into()),
                });
                ids.collect::<Result<_, _>>().map(Done::Purged)
            }
            Write::Bump { .. } => match self.value(found.next().ok_or_else(lost)?, 0, ColumnKind::Int)? {
                Value::Int(sum) => Ok(Done::Bumped(sum)),
                _ => Err(lost().into()),
            },
        }
    }

    /// The rows to which an op would refer and that can expire: table, expiry column and id.
    fn expiring_parents<'a>(&self, op: &'a Op) -> Vec<(&'static str, &'static str, &'a Value)> {
        let expiries = self.expiries.read().unwrap_or_else(PoisonError::into_inner);
        let value = |column: usize| match &op.write {
            Write::Insert { values } | Write::Bump { values, .. } => values.get(column),
            Write::Update { set, .. } => set.iter().find_map(|set| match set {
                Set::To(at, value) if *at == column => Some(value),
                _ => None,
            }),
            Write::Take { .. } | Write::Purge { .. } | Write::Ensure { .. } => None,
        };
        let references = op.def.references.iter();
        let parents = references
            .filter_map(|reference| Some((reference.table, *expiries.get(reference.table)?, value(reference.column)?)));
        parents.filter(|(.., id)| **id != Value::Null).collect()
    }
}

/// A commit as statements.
struct Plan<'a> {
    ops: &'a [Op],
    /// The rows that each op can reach.
    rows: Vec<Rows<'a>>,
    steps: Vec<Step<'a>>,
    spelling: Spelling,
}

/// What became of a commit.
enum Outcome {
    Landed(Vec<Done>),
    /// A row that may be past its expiry was in the way of an op; `told` if it is not.
    InTheWay {
        op: usize,
        index: usize,
        told: StoreError,
    },
    Conflict,
}

/// Runs prepared statements in a transaction that begins with this text: a trip for each, and two more.
pub(crate) async fn run_in_transaction<D: Driver>(
    driver: &D,
    connection: &mut Connection<D>,
    begin: SqlStr,
    steps: Vec<Step<'_>>,
) -> Result<Vec<Vec<DatabaseRow<D>>>, Stopped> {
    let end = steps.len();
    let begun = connection.begin_with(begin).await;
    let mut transaction = begun.map_err(|error| Stopped::Failed { step: 0, error })?;
    match run_each(driver, &mut transaction, steps).await {
        Ok(found) => {
            transaction.commit().await.map_err(|error| Stopped::Failed { step: end, error })?;
            Ok(found)
        }
        Err(stopped) => {
            // If this fails, the connection is lost or the database ended the transaction by itself.
            transaction.rollback().await.ok();
            Err(stopped)
        }
    }
}

/// Runs prepared statements one after the other.
async fn run_each<D: Driver>(
    driver: &D,
    connection: &mut Connection<D>,
    steps: Vec<Step<'_>>,
) -> Result<Vec<Vec<DatabaseRow<D>>>, Stopped> {
    let mut all = Vec::with_capacity(steps.len());
    for (at, mut step) in steps.into_iter().enumerate() {
        let sql = mem::take(&mut step.sql.text);
        let ran = run(driver, connection, step.yields, sql, &step.sql.args).await;
        match ran {
            Ok(Some(found)) => all.push(found),
            Ok(None) => return Err(Stopped::Lost { step: at }),
            Err(error) if D::NAMES_FIRST_INDEX => return Err(Stopped::Failed { step: at, error }),
            Err(error) => {
                let named = driver.collided(&step.op.def, &error);
                return Err(match first_taken(driver, connection, &step, named).await {
                    Some(index) => Stopped::Taken { step: at, index },
                    None => Stopped::Failed { step: at, error },
                });
            }
        }
    }
    Ok(all)
}

/// The rows that a statement returns; none if it does not bring what it has to.
async fn run<D: Driver>(
    driver: &D,
    connection: &mut Connection<D>,
    yields: Yield,
    text: String,
    args: &[Arg<'_>],
) -> Result<Option<Vec<DatabaseRow<D>>>, sqlx::Error> {
    let args = arguments(driver, args.iter().copied()).map_err(|misfit| sqlx::Error::Encode(misfit.into()))?;
    let text = AssertSqlSafe(text).into_sql_str();
    match yields {
        Yield::Nothing => driver.execute(connection, text, args).await.map(|_changed| Some(Vec::new())),
        Yield::Change => driver.execute(connection, text, args).await.map(|changed| (changed > 0).then(Vec::new)),
        Yield::Rows => driver.fetch(connection, text, args).await.map(Some),
        Yield::Row => driver.fetch(connection, text, args).await.map(|found| (!found.is_empty()).then_some(found)),
    }
}

/// The first index in which another row has the key of an insert, if one before the named one does.
async fn first_taken<D: Driver>(
    driver: &D,
    connection: &mut Connection<D>,
    step: &Step<'_>,
    named: Option<usize>,
) -> Option<usize> {
    let Write::Insert { values } = &step.op.write else {
        return None;
    };
    let earlier = step.op.def.indexes.iter().enumerate().take(named?).filter(|(_, index)| index.unique);
    for (index, IndexDef { columns, .. }) in earlier {
        let at = Lookup { index, key: columns.iter().filter_map(|at| values.get(*at)).cloned().collect() };
        let sql = step.rows.ensure(&at, &[]);
        if run(driver, connection, Yield::Row, sql.text, &sql.args).await.ok()?.is_some() {
            return Some(index);
        }
    }
    None
}

/// The statement of an op, for a database that can return what it changes.
pub(crate) fn statement<'a>(rows: &Rows<'a>, op: &'a Op) -> (Yield, Statement<'a>) {
    match &op.write {
        Write::Insert { values } => (Yield::Nothing, rows.insert(values)),
        Write::Update { at, guards, set } if !set.is_empty() => (Yield::Change, rows.update(at, guards, set)),
        Write::Take { at, guards } => (Yield::Row, rows.take(at, guards)),
        Write::Purge { index, prefix, guards } => (Yield::Rows, rows.purge(*index, prefix, guards)),
        Write::Bump { index, values, column, by, floor, max } => {
            let bump = Bump { index: *index, values, column: *column, by: *by, floor: *floor, max: *max };
            (Yield::Row, rows.bump(&bump))
        }
        Write::Ensure { at, guards } | Write::Update { at, guards, .. } => (Yield::Row, rows.ensure(at, guards)),
    }
}
