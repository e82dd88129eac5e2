//! Commits: ops as arguments, and answers as what each op did.

use authkit_core::{Def, Done, Op, Row, Scope, Set, StoreError, TenantId, Value, Write};
use redis::Value as Answer;

use crate::{
    arguments::{Arguments, checked, fits},
    encoding,
    error::Fault,
    reply::{Reply, ids, unexpected, value, values},
};

/// Adds the ops and says whose rows each is about.
pub(crate) fn describe(arguments: &mut Arguments, scope: &Scope, ops: &[Op]) -> Result<Vec<TenantId>, StoreError> {
    arguments.number(ops.len());
    ops.iter().map(|op| describe_op(arguments, scope, op)).collect()
}

fn describe_op(arguments: &mut Arguments, scope: &Scope, Op { def, write }: &Op) -> Result<TenantId, StoreError> {
    arguments.bytes(kind(write));
    let tenant = arguments.space(scope, def)?;
    match write {
        Write::Insert { values } => {
            if !matches!(values.first(), Some(Value::Id(_))) {
                return Err(Fault::Misfit { table: def.table, column: "id".to_owned() }.into());
            }
            arguments.row(def, values)?;
        }
        Write::Update { at, guards, set } => {
            arguments.lookup(def, at)?;
            arguments.guards(guards)?;
            arguments.number(set.len());
            set.iter().try_for_each(|set| describe_set(arguments, def, set))?;
        }
        Write::Take { at, guards } => {
            arguments.lookup(def, at)?;
            arguments.guards(guards)?;
            arguments.numbers(&(0..def.columns.len()).collect::<Vec<_>>());
        }
        Write::Purge { index, prefix, guards } => {
            arguments.index(def, *index)?;
            arguments.values(prefix)?;
            arguments.guards(guards)?;
        }
        Write::Bump { index, values, column, by, floor, max } => {
            let mut values = values.clone();
            if let Some(counter) = values.get_mut(*column) {
                *counter = Value::Int(0);
            }
            arguments.index(def, *index)?;
            arguments.row(def, &values)?;
            arguments.number(*column);
            arguments.value(&Value::Int(*by))?;
            for bound in [floor, max] {
                arguments.bytes(bound.map(|bound| encoding::encoded(&Value::Int(bound))).unwrap_or_default());
            }
        }
        Write::Ensure { at, guards } => {
            arguments.lookup(def, at)?;
            arguments.guards(guards)?;
        }
    }
    Ok(tenant)
}

fn describe_set(arguments: &mut Arguments, def: &Def, set: &Set) -> Result<(), StoreError> {
    let (column, way, value) = match set {
        Set::To(column, value) => {
            (*column, "to", checked(value).and_then(|bytes| fits(def, *column, value).map(|()| bytes))?)
        }
        Set::Add(column, by) => (*column, "add", encoding::encoded(&Value::Int(*by))),
    };
    arguments.number(column);
    arguments.bytes(way);
    arguments.bytes(value);
    Ok(())
}

fn kind(write: &Write) -> &'static str {
    match write {
        Write::Insert { .. } => "insert",
        Write::Update { .. } => "update",
        Write::Take { .. } => "take",
        Write::Purge { .. } => "purge",
        Write::Bump { .. } => "bump",
        Write::Ensure { .. } => "ensure",
    }
}

/// What became of the ops.
///
/// The answer to a commit that landed is [`StoreError::Unknown`] if it cannot be read.
pub(crate) fn outcome(mut reply: Reply, ops: &[Op], tenants: &[TenantId]) -> Result<Vec<Done>, StoreError> {
    match reply.word.as_str() {
        "ok" => {
            let done = |(op, tenant): (&Op, &TenantId)| done(&op.write, *tenant, reply.next()?);
            let done: Result<_, StoreError> = ops.iter().zip(tenants).map(done).collect();
            done.map_err(|_unreadable| StoreError::Unknown)
        }
        "guard" => Err(StoreError::Guard { op: reply.number()? }),
        "duplicate" => {
            let op: usize = reply.number()?;
            let (def, name) = (ops.get(op).map(|op| &op.def).ok_or_else(unexpected)?, reply.text()?);
            let index = def.indexes.iter().position(|index| index.name == name).unwrap_or(def.indexes.len());
            Err(StoreError::Duplicate { op, index })
        }
        _ => Err(unexpected()),
    }
}

fn done(write: &Write, tenant: TenantId, answer: Answer) -> Result<Done, StoreError> {
    Ok(match write {
        Write::Insert { .. } | Write::Update { .. } | Write::Ensure { .. } => Done::Written,
        Write::Take { .. } => Done::Taken(Row { tenant, values: values(answer)?, joined: None }),
        Write::Purge { .. } => Done::Purged(ids(answer)?),
        Write::Bump { .. } => match value(answer)? {
            Value::Int(count) => Done::Bumped(count),
            _ => return Err(Fault::Answer("a count is none").into()),
        },
    })
}
