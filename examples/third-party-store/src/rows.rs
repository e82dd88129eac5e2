//! Reading, inside one transaction of redb.

use crate::key;
use crate::space::{Catalogue, Space, pick};
use crate::{Result, corrupt, failed};
use authkit_core::{Direction, EntityDef, Get, IndexDef, Query, Row, Scope, Timestamp, Value};
use redb::{ReadableTable, TableDefinition};
use std::ops::{Bound, Range};
use std::slice::from_ref;

pub(crate) type Writer<'a, 'txn> = Rows<'a, redb::Table<'txn, &'static [u8], &'static [u8]>>;
pub(crate) type Reader<'a> = Rows<'a, redb::ReadOnlyTable<&'static [u8], &'static [u8]>>;

/// All rows, as JSON, and all index entries.
pub(crate) const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// The rows as one transaction sees them, at one time.
pub(crate) struct Rows<'a, T> {
    pub(crate) entries: T,
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) now: Timestamp,
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Rows<'_, T> {
    pub(crate) fn get(&self, scope: Scope, get: &Get) -> Result<Option<Row>> {
        let space = Space::new(self.catalogue, scope, &get.shape.def)?;
        let Some(row) = self.find(space, get.at.index, &get.at.key)? else { return Ok(None) };
        let joined = match get.shape.join.as_ref().map(|join| (join, row.get(join.via))) {
            Some((join, Some(id @ Value::Id(_)))) => {
                let space = Space::new(self.catalogue, scope, &join.def)?;
                self.find(space, EntityDef::PRIMARY_KEY, from_ref(id))?.map(|other| pick(&other, &join.columns))
            }
            _ => None,
        };
        Ok(Some(Row { tenant: space.tenant, values: pick(&row, &get.shape.columns), joined }))
    }

    pub(crate) fn query(&self, scope: Scope, query: &Query) -> Result<Vec<Row>> {
        let space = Space::new(self.catalogue, scope, &query.shape.def)?;
        let mut keys = self.keys(range(query, &space.prefix(space.index(query.index)?, &query.prefix)))?;
        let mut rows = Vec::new();
        while rows.len() < query.limit
            && let Some(key) = if query.direction == Direction::Ascending { keys.next() } else { keys.next_back() }
        {
            let row = self.row(space, &key?)?;
            if !space.def.is_expired(&row, self.now) && query.filters.iter().all(|filter| filter.holds(&row)) {
                rows.push(Row { tenant: space.tenant, values: pick(&row, &query.shape.columns), joined: None });
            }
        }
        Ok(rows)
    }

    /// The row that has this key in a unique index.
    pub(crate) fn find(&self, space: Space<'_>, index: usize, key: &[Value]) -> Result<Option<Vec<Value>>> {
        let rows = self.under(space, space.index(index)?, key)?;
        Ok(rows.into_iter().find(|row| !space.def.is_expired(row, self.now)))
    }

    /// The rows, expired or not, that have these values in the leading columns of an index.
    pub(crate) fn under(&self, space: Space<'_>, index: &IndexDef, values: &[Value]) -> Result<Vec<Vec<Value>>> {
        let prefix = space.prefix(index, values);
        self.keys(prefix.clone()..key::past(prefix))?.map(|key| self.row(space, &key?)).collect()
    }

    pub(crate) fn row(&self, space: Space<'_>, entry: &[u8]) -> Result<Vec<Value>> {
        let id = Value::Id(key::id_from_end(entry, 0)?);
        let primary = space.prefix(space.index(EntityDef::PRIMARY_KEY)?, &[id.clone(), id]);
        let row = self.entries.get(primary.as_slice()).map_err(failed)?;
        let row = row.ok_or_else(|| corrupt("an entry without a row"))?;
        Ok(complete(space, serde_json::from_slice(row.value()).map_err(corrupt)?))
    }

    pub(crate) fn keys(&self, range: Range<Vec<u8>>) -> Result<impl DoubleEndedIterator<Item = Result<Vec<u8>>>> {
        let end = range.end.as_slice().max(&range.start);
        let entries = self.entries.range(range.start.as_slice()..end).map_err(failed)?;
        Ok(entries.map(|entry| Ok(entry.map_err(failed)?.0.value().to_vec())))
    }
}

/// A row with the defaults of the columns that were added after it was written.
pub(crate) fn complete(space: Space<'_>, mut row: Vec<Value>) -> Vec<Value> {
    let added = space.def.columns.iter().skip(row.len());
    row.extend(added.map(|column| column.default.clone().unwrap_or(Value::Null)));
    row
}

/// The keys that a query runs along: what the prefix, the bounds and the page before leave of the index.
fn range(query: &Query, prefix: &[u8]) -> Range<Vec<u8>> {
    let at = |values: &[Value]| key::with(prefix.to_vec(), values);
    let past = |values: &[Value]| key::past(at(values));
    let start = match &query.from {
        Bound::Included(value) => at(from_ref(value)),
        Bound::Excluded(value) => past(from_ref(value)),
        Bound::Unbounded if query.to == Bound::Unbounded => at(&[]),
        Bound::Unbounded => past(&[Value::Null]),
    };
    let end = match &query.to {
        Bound::Included(value) => past(from_ref(value)),
        Bound::Excluded(value) => at(from_ref(value)),
        Bound::Unbounded => past(&[]),
    };
    match (&query.after, query.direction) {
        (Some(after), Direction::Ascending) => start.max(past(after))..end,
        (Some(after), Direction::Descending) => start..end.min(at(after)),
        (None, _) => start..end,
    }
}
