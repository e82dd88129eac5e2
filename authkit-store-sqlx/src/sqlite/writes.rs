//! Writing rows: everything or nothing.
//!
//! A commit of one op is one statement, which SQLite makes whole by itself. Any other is a transaction that begins with
//! the write lock in hand, so that what it reads stays true until it lands. Waiting for the lock is left to SQLite and
//! bounded by the busy timeout. An expired row that is in the way is removed and the op made again; nobody can tell,
//! since the row was absent before.
//!
//! A commit may be dropped wherever it waits. Statements run on the connection's own thread in the order in which they
//! were sent, and dropping the transaction sends a rollback after them.

use std::sync::{Arc, PoisonError};

use authkit_core::{Done, Id, Lookup, Op, Scope, Set, StoreError, Timestamp, Value, Write};
use sqlx::{
    AssertSqlSafe, Connection as _, SqliteConnection,
    sqlite::{SqliteQueryResult, SqliteRow},
};

use crate::{
    error::{Fault, code, commit_error, store_error},
    names::expiry_index_name,
    sql::{Bump, Rows, Statement, changed, index_columns},
    sqlite::{
        DIALECT, Sqlite,
        reads::decode,
        value::{arguments, required, values},
    },
};

impl Sqlite {
    pub(super) async fn write(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        let works = ops.iter().enumerate().map(|(number, op)| Work::new(scope, number, op, now));
        let works = works.collect::<Result<Vec<_>, _>>()?;
        let mut lease = self.writer.lease().await?;
        let outcome = self.land(lease.connection().await?, &works).await;
        if matches!(outcome, Err(StoreError::Unavailable(_) | StoreError::Unknown)) {
            // SQLite may have ended the transaction by itself, of which the driver knows nothing.
            lease.discard();
        }
        outcome
    }

    async fn land(&self, connection: &mut SqliteConnection, works: &[Work<'_>]) -> Result<Vec<Done>, StoreError> {
        if let [work] = works
            && !self.has_expiring_parents(connection, work).await?
        {
            return Ok(vec![make(connection, work, Landing::ByItself).await?]);
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let mut done = Vec::with_capacity(works.len());
        for work in works {
            self.check_parents(&mut transaction, work).await?;
            done.push(make(&mut transaction, work, Landing::InTransaction).await?);
        }
        transaction.commit().await.map_err(commit_error)?;
        Ok(done)
    }

    async fn has_expiring_parents(
        &self,
        connection: &mut SqliteConnection,
        work: &Work<'_>,
    ) -> Result<bool, StoreError> {
        for (table, _) in work.parents() {
            if self.expiry(connection, table).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refuses to refer to a row past its expiry; that the row is there at all is checked by the foreign key.
    async fn check_parents(&self, connection: &mut SqliteConnection, work: &Work<'_>) -> Result<(), StoreError> {
        for (table, id) in work.parents() {
            if let Some(expiry) = self.expiry(connection, table).await? {
                let expired = fetch(connection, work.rows.expired_parent(table, &expiry, id)).await;
                if !expired.map_err(store_error)?.is_empty() {
                    return Err(StoreError::Guard { op: work.number });
                }
            }
        }
        Ok(())
    }

    /// Name of the column by which rows of a table expire: the one of its expiry index.
    async fn expiry(
        &self,
        connection: &mut SqliteConnection,
        table: &'static str,
    ) -> Result<Option<Arc<str>>, StoreError> {
        if let Some(known) = self.expiries.read().unwrap_or_else(PoisonError::into_inner).get(table) {
            return Ok(known.clone());
        }
        let column = sqlx::query_scalar::<_, String>("SELECT name FROM pragma_index_info(?)")
            .bind(expiry_index_name(table))
            .fetch_optional(connection)
            .await
            .map_err(store_error)?
            .map(Arc::<str>::from);
        self.expiries.write().unwrap_or_else(PoisonError::into_inner).insert(table, column.clone());
        Ok(column)
    }
}

/// When what a statement did becomes lasting.
#[derive(Clone, Copy)]
enum Landing {
    ByItself,
    InTransaction,
}

async fn make(connection: &mut SqliteConnection, work: &Work<'_>, landing: Landing) -> Result<Done, StoreError> {
    loop {
        let refused = match (work.run(connection).await, landing) {
            (Ok(done), _) => return Ok(done),
            (Err(Refusal::Driver(error)), Landing::ByItself) => return Err(commit_error(error)),
            (Err(Refusal::Driver(error)), Landing::InTransaction) => return Err(store_error(error)),
            // The row that cannot be read is removed already.
            (Err(Refusal::Unreadable(_)), Landing::ByItself) => return Err(StoreError::Unknown),
            (Err(Refusal::Unreadable(error)), Landing::InTransaction) => return Err(error),
            (Err(Refusal::Foreseen(refused)), _) => refused,
        };
        // Every round removes a row, so they come to an end.
        if let Some(index) = work.contested(&refused)
            && work.make_way(connection, index).await?
        {
            continue;
        }
        return match refused {
            StoreError::Duplicate { op, index } => {
                let index = work.first_taken(connection, index).await?;
                Err(StoreError::Duplicate { op, index })
            }
            refused => Err(refused),
        };
    }
}

/// One op of a commit.
struct Work<'a> {
    number: usize,
    op: &'a Op,
    rows: Rows<'a>,
}

/// Why a statement did not do what it should.
enum Refusal {
    /// The contract foresees it; the statement wrote nothing.
    Foreseen(StoreError),
    /// What the statement returned is not of the declared form.
    Unreadable(StoreError),
    Driver(sqlx::Error),
}

impl<'a> Work<'a> {
    fn new(scope: &Scope, number: usize, op: &'a Op, now: Timestamp) -> Result<Self, StoreError> {
        let moves = |set: &Set| changed(set) == 0;
        if matches!(&op.write, Write::Update { set, .. } if set.iter().any(moves)) {
            return Err(Fault::FixedId(op.def.table).into());
        }
        Ok(Self { number, op, rows: Rows::of(&DIALECT, scope, &op.def, now)? })
    }

    async fn run(&self, connection: &mut SqliteConnection) -> Result<Done, Refusal> {
        let lost = || Refusal::Foreseen(StoreError::Guard { op: self.number });
        match &self.op.write {
            Write::Insert { values } => {
                self.execute(connection, self.rows.insert(values)).await?;
                Ok(Done::Written)
            }
            Write::Update { at, guards, set } if !set.is_empty() => {
                let done = self.execute(connection, self.rows.update(at, guards, set)).await?;
                if done.rows_affected() == 0 { Err(lost()) } else { Ok(Done::Written) }
            }
            Write::Take { at, guards } => {
                let taken = self.fetch(connection, self.rows.take(at, guards)).await?;
                let columns: Vec<usize> = (0..self.op.def.columns.len()).collect();
                let row = decode(&self.rows, &self.op.def, &columns, taken.first().ok_or_else(lost)?);
                row.map(Done::Taken).map_err(Refusal::Unreadable)
            }
            Write::Purge { index, prefix, guards } => {
                let purged = self.fetch(connection, self.rows.purge(*index, prefix, guards)).await?;
                let ids = purged.iter().map(id).collect::<Result<_, _>>();
                ids.map(Done::Purged).map_err(Refusal::Unreadable)
            }
            Write::Bump { index, values, column, by, floor, max } => {
                let bump = Bump { index: *index, values, column: *column, by: *by, floor: *floor, max: *max };
                let bumped = self.fetch(connection, self.rows.bump(&bump)).await?;
                required(bumped.first().ok_or_else(lost)?, 0).map(Done::Bumped).map_err(Refusal::Unreadable)
            }
            Write::Ensure { at, guards } | Write::Update { at, guards, .. } => {
                let found = self.fetch(connection, self.rows.ensure(at, guards)).await?;
                if found.is_empty() { Err(lost()) } else { Ok(Done::Written) }
            }
        }
    }

    async fn execute(
        &self,
        connection: &mut SqliteConnection,
        sql: Statement<'_>,
    ) -> Result<SqliteQueryResult, Refusal> {
        execute(connection, sql).await.map_err(|error| self.refusal(error))
    }

    async fn fetch(&self, connection: &mut SqliteConnection, sql: Statement<'_>) -> Result<Vec<SqliteRow>, Refusal> {
        fetch(connection, sql).await.map_err(|error| self.refusal(error))
    }

    /// What it means that this op's statement failed. The codes: <https://sqlite.org/rescode.html>.
    fn refusal(&self, error: sqlx::Error) -> Refusal {
        let Some(answer) = error.as_database_error() else {
            return Refusal::Driver(error);
        };
        match (code(answer), &self.op.write) {
            (UNIQUE | PRIMARY_KEY, _) => match self.index_of(answer.message()) {
                Some(index) => Refusal::Foreseen(StoreError::Duplicate { op: self.number, index }),
                None => Refusal::Driver(error),
            },
            // A counter beyond 64 bits would no longer be an integer.
            (FOREIGN_KEY, _) | (DATATYPE, Write::Bump { .. }) => {
                Refusal::Foreseen(StoreError::Guard { op: self.number })
            }
            _ => Refusal::Driver(error),
        }
    }

    /// Position of the index of which SQLite says `UNIQUE constraint failed: table.column, table.column`.
    fn index_of(&self, message: &str) -> Option<usize> {
        let (_, columns) = message.split_once(": ")?;
        let columns = columns.split(", ").filter_map(|column| Some(column.split_once('.')?.1));
        let columns: Vec<&str> = columns.filter(|column| *column != "tenant_id").collect();
        let is_it = |at: usize| index_columns(&self.op.def, at).map(|column| column.name).eq(columns.iter().copied());
        (0..self.op.def.indexes.len()).find(|at| is_it(*at))
    }

    /// The unique index in which an expired row may have been in the way.
    fn contested(&self, refused: &StoreError) -> Option<usize> {
        self.op.def.expiry?;
        match (&self.op.write, refused) {
            (Write::Insert { .. } | Write::Update { .. }, StoreError::Duplicate { index, .. }) => Some(*index),
            (Write::Bump { index, .. }, StoreError::Guard { .. }) => Some(*index),
            _ => None,
        }
    }

    /// Removes the row that has the op's key in this index, if it is past its expiry, and says whether it did.
    async fn make_way(&self, connection: &mut SqliteConnection, index: usize) -> Result<bool, StoreError> {
        let key = self.key(connection, index).await?;
        let Some(sql) = self.rows.clear(index, &key) else {
            return Ok(false);
        };
        Ok(execute(connection, sql).await.map_err(store_error)?.rows_affected() > 0)
    }

    /// The first index whose key another row has. SQLite names the last one, other databases the first.
    async fn first_taken(&self, connection: &mut SqliteConnection, named: usize) -> Result<usize, StoreError> {
        if !matches!(self.op.write, Write::Insert { .. }) {
            return Ok(named);
        }
        let earlier = self.op.def.indexes.iter().enumerate().take(named).filter(|(_, index)| index.unique);
        for (index, _) in earlier {
            let at = Lookup { index, key: self.key(connection, index).await? };
            if !fetch(connection, self.rows.ensure(&at, &[])).await.map_err(store_error)?.is_empty() {
                return Ok(index);
            }
        }
        Ok(named)
    }

    /// The values that the op would put into the columns of an index.
    async fn key(&self, connection: &mut SqliteConnection, index: usize) -> Result<Vec<Value>, StoreError> {
        let positions = self.op.def.indexes.get(index).map(|index| index.columns.as_slice()).unwrap_or_default();
        let (at, set) = match &self.op.write {
            Write::Insert { values } | Write::Bump { values, .. } => {
                return Ok(positions.iter().filter_map(|at| values.get(*at)).cloned().collect());
            }
            Write::Update { at, set, .. } => (at, set),
            Write::Take { .. } | Write::Purge { .. } | Write::Ensure { .. } => return Ok(Vec::new()),
        };
        let rows = fetch(connection, self.rows.columns_of(index, at)).await.map_err(store_error)?;
        let Some(row) = rows.first() else {
            return Ok(Vec::new());
        };
        let mut key = values(row, 0, positions.iter().map(|at| self.op.def.columns.get(*at)))?;
        for set in set {
            for (_, value) in positions.iter().zip(&mut key).filter(|(at, _)| **at == changed(set)) {
                match (set, &mut *value) {
                    (Set::To(_, new), _) => *value = new.clone(),
                    (Set::Add(_, by), Value::Int(old)) => *old = old.saturating_add(*by),
                    (Set::Add(..), _) => {}
                }
            }
        }
        Ok(key)
    }

    /// The rows to which the op would refer: table and id.
    fn parents(&self) -> impl Iterator<Item = (&'static str, &'a Value)> {
        let op = self.op;
        let value = move |column: usize| match &op.write {
            Write::Insert { values } | Write::Bump { values, .. } => values.get(column),
            Write::Update { set, .. } => set.iter().find_map(|set| match set {
                Set::To(at, value) if *at == column => Some(value),
                _ => None,
            }),
            Write::Take { .. } | Write::Purge { .. } | Write::Ensure { .. } => None,
        };
        let parents = op.def.references.iter();
        let parents = parents.filter_map(move |reference| Some((reference.table, value(reference.column)?)));
        parents.filter(|(_, id)| **id != Value::Null)
    }
}

async fn execute(connection: &mut SqliteConnection, sql: Statement<'_>) -> Result<SqliteQueryResult, sqlx::Error> {
    sqlx::query_with(AssertSqlSafe(sql.text), arguments(sql.args)?).execute(connection).await
}

/// Reads to the end even where one row is expected: a statement that is left early hides that it could not land.
async fn fetch(connection: &mut SqliteConnection, sql: Statement<'_>) -> Result<Vec<SqliteRow>, sqlx::Error> {
    sqlx::query_with(AssertSqlSafe(sql.text), arguments(sql.args)?).fetch_all(connection).await
}

fn id(row: &SqliteRow) -> Result<Id, StoreError> {
    let text: &str = required(row, 0)?;
    text.parse().map_err(|_invalid| Fault::Driver("a stored id is not a UUID").into())
}

const FOREIGN_KEY: i32 = 787;
const PRIMARY_KEY: i32 = 1555;
const UNIQUE: i32 = 2067;
const DATATYPE: i32 = 3091;
