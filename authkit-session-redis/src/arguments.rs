//! What a script is called with. Scripts read it from front to back, so nothing in it can be taken for something else.

use authkit_core::{Comparison, EntityDef, Guard, Lookup, Reach, Scope, StoreError, TenantId, Timestamp, Value};

use crate::{encoding, error::Fault};

/// The arguments of one call.
pub(crate) struct Arguments(pub(crate) Vec<Vec<u8>>);

impl Arguments {
    /// Begins as every script expects it.
    pub(crate) fn new(prefix: &str, now: Timestamp) -> Self {
        Self(vec![format!("{prefix}:").into_bytes(), encoding::encoded(&Value::Time(now))])
    }

    pub(crate) fn bytes(&mut self, bytes: impl Into<Vec<u8>>) {
        self.0.push(bytes.into());
    }

    pub(crate) fn number(&mut self, number: usize) {
        self.bytes(number.to_string());
    }

    pub(crate) fn numbers(&mut self, numbers: &[usize]) {
        self.number(numbers.len());
        numbers.iter().for_each(|number| self.number(*number));
    }

    /// Table and tenant.
    pub(crate) fn space(&mut self, scope: &Scope, def: &EntityDef) -> Result<TenantId, StoreError> {
        let tenant = owner(scope, def)?;
        self.bytes(def.table);
        self.bytes(encoding::id(tenant.into()));
        Ok(tenant)
    }

    /// The name of the index that has this position in the caller's declaration.
    pub(crate) fn index(&mut self, def: &EntityDef, index: usize) -> Result<(), StoreError> {
        let named = def.indexes.get(index).ok_or(Fault::NoIndex { table: def.table, index })?;
        self.bytes(named.name);
        Ok(())
    }

    pub(crate) fn value(&mut self, value: &Value) -> Result<(), StoreError> {
        self.bytes(checked(value)?);
        Ok(())
    }

    pub(crate) fn values(&mut self, values: &[Value]) -> Result<(), StoreError> {
        self.number(values.len());
        values.iter().try_for_each(|value| self.value(value))
    }

    /// The values of a row, which have to fit its table.
    pub(crate) fn row(&mut self, def: &EntityDef, values: &[Value]) -> Result<(), StoreError> {
        for (column, value) in values.iter().enumerate() {
            fits(def, column, value)?;
        }
        self.values(values)
    }

    pub(crate) fn lookup(&mut self, def: &EntityDef, at: &Lookup) -> Result<(), StoreError> {
        self.index(def, at.index)?;
        self.values(&at.key)
    }

    pub(crate) fn guards(&mut self, guards: &[Guard]) -> Result<(), StoreError> {
        self.number(guards.len());
        guards.iter().try_for_each(|guard| {
            self.number(guard.column);
            self.bytes(comparison(guard.comparison));
            self.value(&guard.value)
        })
    }
}

/// Whose rows of this entity a call may reach.
fn owner(scope: &Scope, def: &EntityDef) -> Result<TenantId, StoreError> {
    match (def.reach, scope) {
        (Reach::Global, _) => Ok(TenantId::DEFAULT),
        (Reach::Tenant, Scope::Tenant(tenant)) => Ok(*tenant),
        (Reach::Tenant, Scope::Global) => Err(Fault::NeedsTenant(def.table).into()),
    }
}

/// A value as bytes. U+0000 ends a text, so one inside would begin another value.
pub(crate) fn checked(value: &Value) -> Result<Vec<u8>, StoreError> {
    match value {
        Value::Text(text) if text.contains('\0') => Err(Fault::NulInText.into()),
        value => Ok(encoding::encoded(value)),
    }
}

/// The most characters that an indexed text has.
const MAX_INDEXED: usize = 255;

/// Refuses a value that the column is not declared for.
pub(crate) fn fits(def: &EntityDef, at: usize, value: &Value) -> Result<(), StoreError> {
    let column = def.columns.get(at);
    let fits = column.is_some_and(|column| match value {
        Value::Null => column.nullable,
        Value::Text(text) if text.chars().nth(MAX_INDEXED).is_some() => {
            value.kind() == Some(column.kind) && !def.indexes.iter().any(|index| index.columns.contains(&at))
        }
        value => value.kind() == Some(column.kind),
    });
    let name = column.map_or("after the last", |column| column.name);
    fits.then_some(()).ok_or_else(|| Fault::Misfit { table: def.table, column: name.to_owned() }.into())
}

fn comparison(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "eq",
        Comparison::NotEqual => "ne",
        Comparison::Less => "lt",
        Comparison::AtMost => "le",
        Comparison::Greater => "gt",
        Comparison::AtLeast => "ge",
    }
}
