//! Reading rows.

use authkit_core::{Direction, Get, Id, Join, Query, Row, Scope, Shape, StoreError, TenantId, Timestamp, Value};

use crate::table::{Span, Stored, Tables, meets, owner, pick, referenced};

pub(crate) fn get(tables: &Tables, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
    let shape = &*get.shape;
    let tenant = owner(scope, &shape.def)?;
    let found = tables.get(shape.def.table)?.find(&shape.def, tenant, &get.at, get.now)?;
    let Some((_, stored)) = found else {
        return Ok(None);
    };
    let joined = match &shape.join {
        Some(join) => joined(tables, scope, join, stored, get.now)?,
        None => None,
    };
    Ok(Some(Row { joined, ..row(tenant, shape, stored) }))
}

pub(crate) fn query(tables: &Tables, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
    let def = &query.shape.def;
    let tenant = owner(scope, def)?;
    let table = tables.get(def.table)?;
    let index = table.index(def, query.index)?;

    let span = Span::prefix(tenant, &query.prefix).bounded(&query.from, &query.to);
    let wanted = |key| table.live(key, query.now).filter(|stored| meets(&query.filters, stored));
    let read = |stored: &Stored| row(tenant, &query.shape, stored);
    Ok(match (query.direction, query.after.as_deref()) {
        (Direction::Ascending, after) => {
            let span = match after {
                Some(place) => span.above(tenant, &query.prefix, place),
                None => span,
            };
            table.along(index, span).filter_map(wanted).take(query.limit).map(read).collect()
        }
        (Direction::Descending, after) => {
            let span = match after {
                Some(place) => span.below(tenant, &query.prefix, place),
                None => span,
            };
            table.along(index, span).rev().filter_map(wanted).take(query.limit).map(read).collect()
        }
    })
}

fn joined(
    tables: &Tables,
    scope: &Scope,
    join: &Join,
    stored: &[Value],
    now: Timestamp,
) -> Result<Option<Vec<Value>>, StoreError> {
    let tenant = owner(scope, &join.def)?;
    let table = tables.get(join.def.table)?;
    let key = referenced((tenant, Id::NIL), join.via, stored);
    let other = key.and_then(|key| table.live(key, now));
    Ok(other.map(|other| pick(&join.columns, other)))
}

fn row(tenant: TenantId, shape: &Shape, stored: &[Value]) -> Row {
    Row { tenant, values: pick(&shape.columns, stored), joined: None }
}
