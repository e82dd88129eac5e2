//! Reading rows: one statement a call, on a connection that only reads.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use authkit_core::{Def, Get, Query, Row, Scope, Shape, StoreError};
use sqlx::{AssertSqlSafe, sqlite::SqliteRow};

use crate::{
    error::store_error,
    sql::{Rows, get_text, marker},
    sqlite::{
        DIALECT, Sqlite,
        value::{arguments, values},
    },
};

/// Texts of the statements that read one row.
#[derive(Debug, Default)]
pub(super) struct Reads(RwLock<HashMap<(usize, usize), Read>>);

/// How one shape is read by one index.
#[derive(Clone, Debug)]
struct Read {
    text: Arc<str>,
    /// Position of what tells whether there is a joined row.
    marker: Option<usize>,
    /// Kept so that no other shape comes to lie at its address, by which it is found.
    _shape: Arc<Shape>,
}

impl Reads {
    fn of(&self, shape: &Arc<Shape>, index: usize) -> Read {
        let key = (Arc::as_ptr(shape).addr(), index);
        if let Some(read) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return read.clone();
        }
        let read =
            Read { text: get_text(&DIALECT, shape, index).into(), marker: marker(shape), _shape: Arc::clone(shape) };
        let mut reads = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if reads.len() >= SHAPES {
            reads.clear();
        }
        reads.insert(key, read.clone());
        read
    }
}

impl Sqlite {
    pub(super) async fn read_one(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        let shape = &*get.shape;
        let rows = Rows::of(&DIALECT, scope, &shape.def, get.now)?;
        let read = self.reads.of(&get.shape, get.at.index);
        let args = arguments(rows.get_args(get)).map_err(store_error)?;
        let mut lease = self.readers.lease().await?;
        let found = sqlx::query_with(AssertSqlSafe(read.text), args).fetch_optional(lease.connection().await?).await;
        drop(lease);
        let Some(found) = found.map_err(store_error)? else {
            return Ok(None);
        };

        let mut row = decode(&rows, &shape.def, &shape.columns, &found)?;
        if let (Some(join), Some(marker)) = (&shape.join, read.marker)
            && !is_null(&found, marker)?
        {
            let columns = join.columns.iter().map(|at| join.def.columns.get(*at));
            row.joined = Some(values(&found, shape.columns.len(), columns)?);
        }
        Ok(Some(row))
    }

    pub(super) async fn read_many(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        let shape = &*query.shape;
        let rows = Rows::of(&DIALECT, scope, &shape.def, query.now)?;
        let sql = rows.query(query);
        let args = arguments(sql.args).map_err(store_error)?;
        let mut lease = self.readers.lease().await?;
        let found = sqlx::query_with(AssertSqlSafe(sql.text), args).fetch_all(lease.connection().await?).await;
        drop(lease);
        found.map_err(store_error)?.iter().map(|row| decode(&rows, &shape.def, &shape.columns, row)).collect()
    }
}

/// A row that begins with these columns.
pub(super) fn decode(rows: &Rows<'_>, def: &Def, columns: &[usize], row: &SqliteRow) -> Result<Row, StoreError> {
    let columns = columns.iter().map(|at| def.columns.get(*at));
    Ok(Row { tenant: rows.tenant(), values: values(row, 0, columns)?, joined: None })
}

fn is_null(row: &SqliteRow, at: usize) -> Result<bool, StoreError> {
    use sqlx::{Row as _, ValueRef as _};
    Ok(row.try_get_raw(at).map_err(store_error)?.is_null())
}

/// How many shapes are remembered; applications have some dozens, and one made for every call shall not fill the memory.
const SHAPES: usize = 1024;
