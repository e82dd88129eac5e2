//! Where in the ordered map of redb a row stands: `table / index / tenant / values of the indexed columns / id`.
//!
//! Under the primary key stands the row, under the other indexes nothing: the key says it all.

use crate::key;
use crate::{Result, corrupt};
use authkit_core::{EntityDef, IndexDef, Reach, Scope, TenantId, Value};
use std::collections::BTreeMap;

/// The newest declaration of each table. A caller's may be older, but its rows have to stand in the newest indexes.
pub(crate) type Catalogue = BTreeMap<&'static str, EntityDef>;

/// The rows of one tenant in one table, for one op.
#[derive(Clone, Copy)]
pub(crate) struct Space<'a> {
    pub(crate) def: &'a EntityDef,
    /// The caller's declaration, in which positions of indexes count.
    pub(crate) declared: &'a EntityDef,
    pub(crate) tenant: TenantId,
    /// The number of the op in its commit, for errors.
    pub(crate) op: usize,
}

impl<'a> Space<'a> {
    pub(crate) fn new(catalogue: &'a Catalogue, scope: Scope, declared: &'a EntityDef) -> Result<Self> {
        let tenant = match (declared.reach, scope) {
            (Reach::Global, _) => TenantId::DEFAULT,
            (Reach::Tenant, Scope::Tenant(tenant)) => tenant,
            (Reach::Tenant, Scope::Global) => return Err(corrupt("rows of tenants in the global scope")),
        };
        let def = catalogue.get(declared.table).ok_or_else(|| corrupt("no migration made this table"))?;
        Ok(Self { def, declared, tenant, op: 0 })
    }

    pub(crate) fn index(self, position: usize) -> Result<&'a IndexDef> {
        self.declared.indexes.get(position).ok_or_else(|| corrupt("no such index"))
    }

    /// Where the entries of an index begin that have these values in its leading columns.
    pub(crate) fn prefix(self, index: &IndexDef, values: &[Value]) -> Vec<u8> {
        key::with(start(self.def, index.name), [&Value::Id(self.tenant.into())].into_iter().chain(values))
    }

    /// The keys of a row: in all indexes, the primary key first, and in the sweep's own.
    pub(crate) fn entries(self, row: &[Value]) -> Vec<Vec<u8>> {
        let entry = |index| key::with(self.prefix(index, &pick(row, &index.columns)), row.first());
        let mut keys: Vec<_> = self.def.indexes.iter().map(entry).collect();
        if let Some(expiry @ Value::Time(_)) = self.def.expiry.and_then(|column| row.get(column)) {
            let key = key::with(by_expiry(self.def), [expiry, &Value::Id(self.tenant.into())]);
            keys.push(key::with(key, row.first()));
        }
        keys
    }
}

pub(crate) fn pick(row: &[Value], columns: &[usize]) -> Vec<Value> {
    columns.iter().map(|column| row.get(*column).cloned().unwrap_or(Value::Null)).collect()
}

/// Where the entries of an index begin, of all tenants.
pub(crate) fn start(def: &EntityDef, index: &str) -> Vec<u8> {
    key::with(Vec::new(), [&Value::Text(def.table.into()), &Value::Text(index.into())])
}

/// Where the entries by expiry begin, of all tenants; named like the column, as no declared index is.
pub(crate) fn by_expiry(def: &EntityDef) -> Vec<u8> {
    start(def, def.expiry.and_then(|column| def.columns.get(column)).map_or("", |column| column.name))
}
