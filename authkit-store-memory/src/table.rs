//! Rows of one entity, and what finds them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::{Bound, Range},
};

use authkit_core::{
    ColumnDef, Def, EntityDef, Guard, Id, Lookup, Reach, Scope, StoreError, TenantId, Timestamp, Value,
};

use crate::fault::Fault;

/// Everything the store holds.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) tables: Tables,
    /// Checksums of the applied migrations by plugin and number.
    pub(crate) history: BTreeMap<(&'static str, u32), String>,
}

/// The tables by name.
#[derive(Clone, Default)]
pub(crate) struct Tables(pub(crate) HashMap<&'static str, Table>);

impl Tables {
    pub(crate) fn get(&self, name: &'static str) -> Result<&Table, StoreError> {
        self.0.get(name).ok_or(Fault::NoTable(name).into())
    }
}

/// Whose rows of this entity a call may reach.
pub(crate) fn owner(scope: &Scope, def: &EntityDef) -> Result<TenantId, StoreError> {
    match (def.reach, scope) {
        (Reach::Global, _) => Ok(TenantId::DEFAULT),
        (Reach::Tenant, Scope::Tenant(tenant)) => Ok(*tenant),
        (Reach::Tenant, Scope::Global) => Err(Fault::NeedsTenant(def.table).into()),
    }
}

/// Whose row it is, and its id.
pub(crate) type RowKey = (TenantId, Id);

/// All columns of a row, in the order of its table.
pub(crate) type Stored = Vec<Value>;

#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) def: Def,
    pub(crate) rows: HashMap<RowKey, Stored>,
    /// One per index of `def`, in its order.
    indexes: Vec<BTreeMap<IndexKey, RowKey>>,
    /// One per reference of `def`, in its order.
    references: Vec<BTreeSet<(RowKey, RowKey)>>,
    expiries: BTreeSet<(Timestamp, RowKey)>,
}

/// Tenant, columns of the index, id.
type IndexKey = Vec<Part>;

/// One part of an [`IndexKey`]; [`Part::Top`] stands only in bounds and is above every value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Value(Value),
    Top,
}

impl Table {
    pub(crate) fn new(def: Def) -> Self {
        let indexes = def.indexes.iter().map(|_| BTreeMap::new()).collect();
        let references = def.references.iter().map(|_| BTreeSet::new()).collect();
        Self { def, rows: HashMap::new(), indexes, references, expiries: BTreeSet::new() }
    }

    /// Builds everything that finds rows anew.
    pub(crate) fn reindexed(self) -> Self {
        let mut table = Self::new(self.def);
        for (key, stored) in self.rows {
            table.swap(key, Some(stored));
        }
        table
    }

    /// Puts, replaces or removes a row; returns what was there. The only way rows change.
    pub(crate) fn swap(&mut self, key: RowKey, new: Option<Stored>) -> Option<Stored> {
        let old = self.rows.remove(&key);
        if let Some(old) = &old {
            for (index, def) in self.indexes.iter_mut().zip(&self.def.indexes) {
                index.remove(&index_key(key, &def.columns, old));
            }
            for (children, def) in self.references.iter_mut().zip(&self.def.references) {
                if let Some(parent) = referenced(key, def.column, old) {
                    children.remove(&(parent, key));
                }
            }
            if let Some(at) = expiry(&self.def, old) {
                self.expiries.remove(&(at, key));
            }
        }
        if let Some(new) = new {
            for (index, def) in self.indexes.iter_mut().zip(&self.def.indexes) {
                index.insert(index_key(key, &def.columns, &new), key);
            }
            for (children, def) in self.references.iter_mut().zip(&self.def.references) {
                if let Some(parent) = referenced(key, def.column, &new) {
                    children.insert((parent, key));
                }
            }
            if let Some(at) = expiry(&self.def, &new) {
                self.expiries.insert((at, key));
            }
            self.rows.insert(key, new);
        }
        old
    }

    /// The row, unless it is past its expiry.
    pub(crate) fn live(&self, key: RowKey, now: Timestamp) -> Option<&Stored> {
        self.rows.get(&key).filter(|stored| !self.def.is_expired(stored, now))
    }

    /// The live row of a unique key. `def` is the caller's declaration, which may be older than the table.
    pub(crate) fn find(
        &self,
        def: &EntityDef,
        tenant: TenantId,
        at: &Lookup,
        now: Timestamp,
    ) -> Result<Option<(RowKey, &Stored)>, StoreError> {
        let key = match at.key.as_slice() {
            [Value::Id(id)] if at.index == EntityDef::PRIMARY_KEY => Some((tenant, *id)),
            values => self.holder(tenant, self.index(def, at.index)?, values),
        };
        Ok(key.and_then(|key| self.live(key, now).map(|stored| (key, stored))))
    }

    /// The row that has this key in a unique index, expired or not. NULL is never found.
    pub(crate) fn holder(&self, tenant: TenantId, index: usize, values: &[Value]) -> Option<RowKey> {
        if values.contains(&Value::Null) {
            return None;
        }
        self.along(index, Span::prefix(tenant, values)).next()
    }

    /// Position here of an index that has this position in the caller's declaration.
    pub(crate) fn index(&self, def: &EntityDef, position: usize) -> Result<usize, StoreError> {
        let name = def.indexes.get(position).map_or("", |index| index.name);
        let here = self.def.indexes.iter().position(|index| index.name == name);
        here.ok_or_else(|| Fault::NoIndex { table: def.table, index: name.to_owned() }.into())
    }

    /// The keys of the rows of a span, in the order of the index.
    pub(crate) fn along(&self, index: usize, span: Span) -> impl DoubleEndedIterator<Item = RowKey> + '_ {
        let entries = self.indexes.get(index).and_then(|index| Some(index.range(span.range()?)));
        entries.into_iter().flatten().map(|(_, key)| *key)
    }

    /// The rows of this table that refer to a row of another.
    pub(crate) fn children(&self, table: &str, parent: RowKey) -> impl Iterator<Item = RowKey> + '_ {
        let (first, last) = (Id::NIL, Id::from_bytes([u8::MAX; 16]));
        let range = (parent, (parent.0, first))..=(parent, (parent.0, last));
        let references = self.def.references.iter().zip(&self.references);
        let matching: Vec<_> = references.filter(|(def, _)| def.table == table).map(|(_, children)| children).collect();
        matching.into_iter().flat_map(move |children| children.range(range.clone()).map(|(_, child)| *child))
    }

    /// The rows that are past their expiry.
    pub(crate) fn expired(&self, now: Timestamp) -> impl Iterator<Item = RowKey> + '_ {
        self.expiries.iter().take_while(move |(at, _)| *at <= now).map(|(_, key)| *key)
    }

    /// Whether two rows of a tenant agree in all columns of an index, NULL aside.
    pub(crate) fn has_equals(&self, columns: &[usize]) -> bool {
        let mut seen = BTreeSet::new();
        let keys = self.rows.iter().map(|((tenant, _), stored)| (*tenant, pick(columns, stored)));
        keys.filter(|(_, values)| !values.contains(&Value::Null)).any(|key| !seen.insert(key))
    }

    /// Completes and checks the values of a row that a caller hands in.
    pub(crate) fn complete(&self, mut values: Vec<Value>) -> Result<Vec<Value>, StoreError> {
        let missing = self.def.columns.iter().skip(values.len());
        values.extend(missing.map(|column| column.default.clone().unwrap_or(Value::Null)));
        let misfit = |column: &str| Fault::Misfit { table: self.def.table, column: column.to_owned() };
        if values.len() > self.def.columns.len() {
            return Err(misfit("after the last").into());
        }
        for (at, (column, value)) in self.def.columns.iter().zip(&values).enumerate() {
            let indexed = self.def.indexes.iter().any(|index| index.columns.contains(&at));
            let length = if indexed { MAX_INDEXED } else { usize::MAX };
            if !fits(column, value, length) {
                return Err(misfit(column.name).into());
            }
        }
        Ok(values)
    }
}

/// The most characters that an indexed text has.
const MAX_INDEXED: usize = 255;

fn fits(column: &ColumnDef, value: &Value, length: usize) -> bool {
    match value {
        Value::Null => column.nullable,
        Value::Text(text) if text.contains('\0') || text.chars().nth(length).is_some() => false,
        value => value.kind() == Some(column.kind),
    }
}

/// A range of an index of one tenant.
pub(crate) struct Span {
    from: IndexKey,
    /// Excluded.
    to: IndexKey,
}

impl Span {
    /// All rows whose leading columns have these values.
    pub(crate) fn prefix(tenant: TenantId, values: &[Value]) -> Self {
        let from = prefix_key(tenant, values);
        let to = extended(&from, [Part::Top]);
        Self { from, to }
    }

    /// Keeps rows whose next column is within the bounds; NULL never is.
    pub(crate) fn bounded(mut self, from: &Bound<Value>, to: &Bound<Value>) -> Self {
        if matches!((from, to), (Bound::Unbounded, Bound::Unbounded)) {
            return self;
        }
        let prefix = self.from;
        self.from = match from {
            Bound::Included(value) => extended(&prefix, [Part::Value(value.clone())]),
            Bound::Excluded(value) => extended(&prefix, [Part::Value(value.clone()), Part::Top]),
            Bound::Unbounded => extended(&prefix, [Part::Value(Value::Null), Part::Top]),
        };
        self.to = match to {
            Bound::Included(value) => extended(&prefix, [Part::Value(value.clone()), Part::Top]),
            Bound::Excluded(value) => extended(&prefix, [Part::Value(value.clone())]),
            Bound::Unbounded => self.to,
        };
        self
    }

    /// Keeps rows above this place: the tenant's prefix, then the other columns and the id.
    pub(crate) fn above(mut self, tenant: TenantId, prefix: &[Value], place: &[Value]) -> Self {
        let at = prefix_key(tenant, &[prefix, place].concat());
        self.from = self.from.max(extended(&at, [Part::Top]));
        self
    }

    /// Keeps rows below this place.
    pub(crate) fn below(mut self, tenant: TenantId, prefix: &[Value], place: &[Value]) -> Self {
        self.to = self.to.min(prefix_key(tenant, &[prefix, place].concat()));
        self
    }

    /// None if nothing can be in it; a B-tree panics over a range that ends before it begins.
    fn range(self) -> Option<Range<IndexKey>> {
        (self.from < self.to).then_some(self.from..self.to)
    }
}

fn prefix_key(tenant: TenantId, values: &[Value]) -> IndexKey {
    let tenant = Value::Id(tenant.into());
    std::iter::once(tenant).chain(values.iter().cloned()).map(Part::Value).collect()
}

fn extended<const N: usize>(key: &IndexKey, parts: [Part; N]) -> IndexKey {
    key.iter().cloned().chain(parts).collect()
}

fn index_key(key: RowKey, columns: &[usize], values: &[Value]) -> IndexKey {
    let (tenant, id) = key;
    let mut parts = prefix_key(tenant, &pick(columns, values));
    parts.push(Part::Value(Value::Id(id)));
    parts
}

/// The values at these positions.
pub(crate) fn pick(columns: &[usize], values: &[Value]) -> Vec<Value> {
    columns.iter().map(|at| values.get(*at).cloned().unwrap_or(Value::Null)).collect()
}

/// The row that a row refers to; it belongs to the same tenant.
pub(crate) fn referenced(key: RowKey, column: usize, values: &[Value]) -> Option<RowKey> {
    match values.get(column) {
        Some(Value::Id(id)) => Some((key.0, *id)),
        _ => None,
    }
}

fn expiry(def: &EntityDef, values: &[Value]) -> Option<Timestamp> {
    match values.get(def.expiry?) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    }
}

/// Whether a row meets every condition.
pub(crate) fn meets(guards: &[Guard], values: &[Value]) -> bool {
    guards.iter().all(|guard| guard.holds(values))
}
