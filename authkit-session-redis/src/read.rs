//! Gets and queries, as arguments and answers.

use std::{ops::Bound, slice::from_ref};

use authkit_core::{Direction, Get, Query, Row, Scope, StoreError, TenantId, Value};
use redis::Value as Answer;

use crate::{
    arguments::{Arguments, checked},
    encoding::{self, PAST},
    reply::{Reply, list, unexpected, values},
};

pub(crate) fn describe_get(arguments: &mut Arguments, scope: &Scope, get: &Get) -> Result<TenantId, StoreError> {
    let shape = &*get.shape;
    let tenant = arguments.space(scope, &shape.def)?;
    arguments.lookup(&shape.def, &get.at)?;
    arguments.numbers(&shape.columns);
    match &shape.join {
        None => arguments.number(0),
        Some(join) => {
            arguments.number(1);
            arguments.number(join.via);
            arguments.bytes(join.def.table);
            arguments.numbers(&join.columns);
        }
    }
    Ok(tenant)
}

pub(crate) fn found(mut reply: Reply, tenant: TenantId) -> Result<Option<Row>, StoreError> {
    if reply.word != "ok" {
        return Err(unexpected());
    }
    let Some(row) = reply.parts.next() else {
        return Ok(None);
    };
    let joined = match reply.next()? {
        Answer::Nil => None,
        joined => Some(values(joined)?),
    };
    Ok(Some(Row { tenant, values: values(row)?, joined }))
}

pub(crate) fn describe_query(arguments: &mut Arguments, scope: &Scope, query: &Query) -> Result<TenantId, StoreError> {
    let def = &query.shape.def;
    let tenant = arguments.space(scope, def)?;
    arguments.index(def, query.index)?;
    let (from, to) = range(tenant, query)?;
    arguments.bytes(from);
    arguments.bytes(to);
    arguments.bytes(match query.direction {
        Direction::Ascending => "up",
        Direction::Descending => "down",
    });
    arguments.number(query.limit);
    arguments.guards(&query.filters)?;
    arguments.numbers(&query.shape.columns);
    Ok(tenant)
}

/// The first place that a query may find, and the one after the last.
fn range(tenant: TenantId, query: &Query) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let mut start = encoding::id(tenant.into()).into_bytes();
    for value in &query.prefix {
        start.extend(checked(value)?);
    }
    let at = |values: &[Value]| -> Result<Vec<u8>, StoreError> {
        let mut place = start.clone();
        for value in values {
            place.extend(checked(value)?);
        }
        Ok(place)
    };
    let past = |values: &[Value]| {
        at(values).map(|mut place| {
            place.push(PAST);
            place
        })
    };

    let from = match (&query.from, &query.to) {
        (Bound::Included(value), _) => at(from_ref(value))?,
        (Bound::Excluded(value), _) => past(from_ref(value))?,
        (Bound::Unbounded, Bound::Unbounded) => at(&[])?,
        // NULL, which comes first, is within no bound.
        (Bound::Unbounded, _) => past(&[Value::Null])?,
    };
    let to = match &query.to {
        Bound::Included(value) => past(from_ref(value))?,
        Bound::Excluded(value) => at(from_ref(value))?,
        Bound::Unbounded => past(&[])?,
    };
    Ok(match (&query.after, query.direction) {
        (Some(place), Direction::Ascending) => (from.max(past(place)?), to),
        (Some(place), Direction::Descending) => (from, to.min(at(place)?)),
        (None, _) => (from, to),
    })
}

pub(crate) fn listed(mut reply: Reply, tenant: TenantId) -> Result<Vec<Row>, StoreError> {
    if reply.word != "ok" {
        return Err(unexpected());
    }
    let row = |answer| Ok(Row { tenant, values: values(answer)?, joined: None });
    list(reply.next()?)?.map(row).collect()
}
