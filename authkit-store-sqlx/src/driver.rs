//! What the store asks of one kind of database. Everything else is written once, above this trait.
//!
//! A driver is a value, because what a server can do may be known only once it was asked.

use std::future::Future;

use authkit_core::{ColumnKind, EntityDef, Op, StoreError, Value};
use sqlx::{Database, SqlStr, error::BoxDynError};

use crate::{
    catalogue::Catalogue,
    ddl::Planned,
    effect::Named,
    sql::{Arg, Dialect, Rows, Spelling, Statement},
};

pub(crate) type Arguments<D> = <<D as Driver>::Database as Database>::Arguments;
pub(crate) type Connection<D> = <<D as Driver>::Database as Database>::Connection;
pub(crate) type DatabaseRow<D> = <<D as Driver>::Database as Database>::Row;

/// One kind of database, reached through sqlx.
pub(crate) trait Driver: Send + Sync + Sized + 'static {
    type Database: Database;

    /// Whether what a dropped call has begun is ended before anything that is sent next on its connection.
    ///
    /// Where it is not, the connection of a call that was dropped is closed.
    const ENDS_DROPPED_CALLS: bool;

    /// Whether the first of several unique indexes is named that have the key already.
    const NAMES_FIRST_INDEX: bool;

    fn dialect(&self) -> &'static Dialect;

    /// Makes a connection that the store just opened ready; `access` says for what.
    fn prepare(
        &self,
        connection: &mut Connection<Self>,
        access: Access,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Refuses a connection of the application's pool, which was just taken, if something could be lost on it.
    fn inspect(
        &self,
        connection: &mut Connection<Self>,
        access: Access,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Adds what the next placeholder stands for.
    fn bind(&self, arguments: &mut Arguments<Self>, arg: Arg<'_>) -> Result<(), BoxDynError>;

    /// Runs a prepared statement; returns the number of rows that were found to be changed.
    fn execute(
        &self,
        connection: &mut Connection<Self>,
        text: SqlStr,
        arguments: Arguments<Self>,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;

    /// Runs a prepared statement; returns all its rows.
    fn fetch(
        &self,
        connection: &mut Connection<Self>,
        text: SqlStr,
        arguments: Arguments<Self>,
    ) -> impl Future<Output = Result<Vec<DatabaseRow<Self>>, sqlx::Error>> + Send;

    /// Runs statements that have no arguments and whose rows nobody reads.
    fn run(
        &self,
        connection: &mut Connection<Self>,
        text: SqlStr,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Reads a column of a row, which may have come from [`Driver::fetch`] or from [`Driver::land`].
    fn value(&self, row: &DatabaseRow<Self>, at: usize, kind: ColumnKind) -> Result<Value, sqlx::Error>;

    /// What an error means.
    fn failure(&self, error: sqlx::Error) -> Failure;

    /// Which unique index of the entity has the key already, if the declaration has it.
    fn collided(&self, def: &EntityDef, error: &sqlx::Error) -> Option<usize>;

    /// How the values of a commit are spelled; `alone` is its op if nothing else is needed beside it.
    fn spelling(&self, alone: Option<&Op>) -> Spelling;

    /// Appends the statements of one op; those of [`Yield::Rows`] and [`Yield::Row`] return what the op does.
    fn op<'a>(&self, rows: &Rows<'a>, op: &'a Op, push: &mut impl FnMut(Yield, Statement<'a>));

    /// Makes several statements land together, or none; returns the rows of each.
    ///
    /// Each statement sees what those before it did. What a statement yields decides whether the next one is run.
    fn land(
        &self,
        connection: &mut Connection<Self>,
        steps: Vec<Step<'_>>,
    ) -> impl Future<Output = Result<Vec<Vec<DatabaseRow<Self>>>, Stopped>> + Send;

    /// Applies what is left of a plan with [`apply`](crate::migrate::apply), while no other node does.
    fn migrate(
        &self,
        connection: &mut Connection<Self>,
        plan: &[Planned],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What the database has by this name, in the space that tables and indexes share with others.
    ///
    /// Where indexes have names of their own per table, `table` says which.
    fn named(
        &self,
        connection: &mut Connection<Self>,
        table: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<Named>, sqlx::Error>> + Send;

    /// What a table is; without columns if there is none.
    fn catalogue(
        &self,
        connection: &mut Connection<Self>,
        table: &str,
    ) -> impl Future<Output = Result<Catalogue, sqlx::Error>> + Send;
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// One statement of a commit.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// Position of the op in the commit.
    pub(crate) number: usize,
    pub(crate) op: &'a Op,
    /// The rows that the op can reach.
    pub(crate) rows: Rows<'a>,
    pub(crate) role: Role,
    pub(crate) yields: Yield,
    pub(crate) sql: Statement<'a>,
}

/// What a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It removes an expired row that is in the way, or finds out that a parent is alive.
    Before,
    /// It is the op, or a part of it.
    Op,
}

/// What a statement changes and returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yield {
    /// It changes what it changes and returns nothing.
    Nothing,
    /// It returns nothing, and the guard of its op is lost if it finds no row to change.
    Change,
    /// It returns rows, or none.
    Rows,
    /// It returns rows, and the guard of its op is lost if there are none.
    Row,
}

/// Why a commit did not land.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The statement at this position found no row.
    Lost { step: usize },
    /// The statement at this position found a row that has its key in this index.
    Taken { step: usize, index: usize },
    /// The statement at this position failed; one past the last is the end of the transaction.
    Failed { step: usize, error: sqlx::Error },
}

/// What an error of a database means.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A row has a key of the op's already.
    Duplicate,
    /// A row that is referred to is absent.
    Orphan,
    /// A number left its range.
    OutOfRange,
    /// Two transactions were in each other's way; made again, this one may land.
    Conflict,
    /// Others held what was needed for too long.
    Busy,
    /// The connection is gone, and nobody knows how far the statement came.
    Lost(StoreError),
    /// Nothing else to do but to report it.
    Final(StoreError),
}

impl Failure {
    /// What it means for a call that is not made again.
    pub(crate) fn told(self) -> StoreError {
        match self {
            Self::Conflict | Self::Busy => StoreError::Busy,
            Self::Lost(error) | Self::Final(error) => error,
            Self::Duplicate | Self::Orphan => {
                crate::error::Fault::Driver("a row breaks a constraint of its table").into()
            }
            Self::OutOfRange => crate::error::Fault::Driver("a number is out of range").into(),
        }
    }
}

/// What the placeholders of a statement stand for, in order.
pub(crate) fn arguments<'a, D: Driver>(
    driver: &D,
    args: impl IntoIterator<Item = Arg<'a>>,
) -> Result<Arguments<D>, StoreError> {
    let mut arguments = Arguments::<D>::default();
    for arg in args {
        let added = driver.bind(&mut arguments, arg);
        added.map_err(|_misfit| crate::error::Fault::Driver("a value is not of the declared kind"))?;
    }
    Ok(arguments)
}
