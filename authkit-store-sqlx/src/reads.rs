//! Reading rows: one statement a call, on a connection that only reads.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use authkit_core::{ColumnKind, EntityDef, Get, Query, Row, Scope, Shape, StoreError, Value};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::{
    driver::{DatabaseRow, Driver, Failure, arguments},
    error::{Fault, unreadable},
    sql::{Arg, Dialect, Rows, get_text},
    tables::Tables,
};

/// Texts of the statements that read one row.
#[derive(Debug, Default)]
pub(crate) struct Reads(RwLock<HashMap<(usize, usize), Read>>);

/// How one shape is read by one index.
#[derive(Clone, Debug)]
struct Read {
    text: Arc<str>,
    /// Kept so that no other shape comes to lie at its address, by which it is found.
    _shape: Arc<Shape>,
}

impl Reads {
    fn text(&self, dialect: &'static Dialect, shape: &Arc<Shape>, index: usize) -> Arc<str> {
        let key = (Arc::as_ptr(shape).addr(), index);
        if let Some(read) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(&read.text);
        }
        let read = Read { text: get_text(dialect, shape, index).into(), _shape: Arc::clone(shape) };
        let text = Arc::clone(&read.text);
        let mut reads = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if reads.len() >= SHAPES {
            reads.clear();
        }
        reads.insert(key, read);
        text
    }
}

impl<D: Driver> Tables<D> {
    pub(crate) async fn read_one(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        let shape = &*get.shape;
        let rows = Rows::of(self.driver.dialect(), scope, &shape.def, get.now)?;
        let text = self.reads.text(self.driver.dialect(), &get.shape, get.at.index);
        let found = self.read(&text, || rows.get_args(get)).await?;
        let Some(found) = found.first() else {
            return Ok(None);
        };
        let mut row = self.row(&rows, &shape.columns, found)?;
        if let Some(join) = &shape.join {
            row.joined = self.joined(shape, &join.def, &join.columns, found)?;
        }
        Ok(Some(row))
    }

    pub(crate) async fn read_many(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        let rows = Rows::of(self.driver.dialect(), scope, &query.shape.def, query.now)?;
        let sql = rows.query(query);
        let found = self.read(&sql.text.into(), || sql.args.iter().copied()).await?;
        found.iter().map(|row| self.row(&rows, &query.shape.columns, row)).collect()
    }

    /// Reads; once more on a new connection if the one that was there is lost.
    async fn read<'a, A: Iterator<Item = Arg<'a>>>(
        &self,
        text: &Arc<str>,
        args: impl Fn() -> A,
    ) -> Result<Vec<DatabaseRow<D>>, StoreError> {
        let mut lease = self.readers.lease(&self.driver).await?;
        let mut tries = 0;
        loop {
            let args = arguments(&self.driver, args())?;
            let text = AssertSqlSafe(Arc::clone(text)).into_sql_str();
            match self.driver.fetch(lease.connection().await?, text, args).await {
                Ok(found) => {
                    lease.trust();
                    return Ok(found);
                }
                Err(error) => match self.driver.failure(error) {
                    Failure::Lost(_) if tries == 0 => lease.discard(),
                    Failure::Lost(error) => {
                        lease.discard();
                        return Err(error);
                    }
                    failure => {
                        lease.trust();
                        return Err(failure.told());
                    }
                },
            }
            tries += 1;
        }
    }

    /// A row that begins with these columns.
    pub(crate) fn row(&self, rows: &Rows<'_>, columns: &[usize], row: &DatabaseRow<D>) -> Result<Row, StoreError> {
        let values = self.values(rows.def(), columns, 0, row)?;
        Ok(Row { tenant: rows.tenant(), values, joined: None })
    }

    /// The wanted columns of the joined row. It is absent if a column is NULL that never is.
    fn joined(
        &self,
        shape: &Shape,
        def: &EntityDef,
        columns: &[usize],
        row: &DatabaseRow<D>,
    ) -> Result<Option<Vec<Value>>, StoreError> {
        let first = shape.columns.len();
        let joined = self.values(def, columns, first, row)?;
        let telling = columns.iter().position(|at| def.columns.get(*at).is_some_and(|column| !column.nullable));
        let absent = match telling {
            Some(at) => joined.get(at) == Some(&Value::Null),
            // Its id was asked for besides.
            None => self.value(row, first + columns.len(), ColumnKind::Id)? == Value::Null,
        };
        Ok((!absent).then_some(joined))
    }

    /// The values of these columns, which stand in the row from `first` on.
    fn values(
        &self,
        def: &EntityDef,
        columns: &[usize],
        first: usize,
        row: &DatabaseRow<D>,
    ) -> Result<Vec<Value>, StoreError> {
        let mut values = Vec::with_capacity(columns.len());
        for (at, column) in (first..).zip(columns) {
            let column = def.columns.get(*column).ok_or(Fault::Driver("a column that is read is not declared"))?;
            values.push(self.value(row, at, column.kind)?);
        }
        Ok(values)
    }

    pub(crate) fn value(&self, row: &DatabaseRow<D>, at: usize, kind: ColumnKind) -> Result<Value, StoreError> {
        self.driver.value(row, at, kind).map_err(unreadable)
    }
}

/// How many shapes are remembered; applications have some dozens, and one made for every call shall not fill the memory.
const SHAPES: usize = 1024;
