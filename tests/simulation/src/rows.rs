//! Rows of a tenant, read around the application.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use authkit_core::{Def, Direction, EntityDef, Id, Query, Scope, Shape, Store, Timestamp, Value};

use crate::{request::Tenant, store::Gate};

/// The tables that the model looks at.
pub(crate) const TABLES: [&str; 8] = [
    "auth_action_grants",
    "auth_enrolments",
    "auth_flows",
    "auth_passwords",
    "auth_principals",
    "auth_sessions",
    "sim_badges",
    "sim_words",
];

/// How each table is read: as a whole.
pub(crate) type Shapes = BTreeMap<&'static str, Arc<Shape>>;

/// What one table of one tenant holds, expired or not.
#[derive(Clone, Default)]
pub(crate) struct Table {
    rows: BTreeMap<Id, Row>,
}

/// One row; columns are found by name.
#[derive(Clone)]
pub(crate) struct Row {
    def: Def,
    values: Vec<Value>,
}

/// Everything of one tenant.
#[derive(Clone, Default)]
pub(crate) struct Rows(BTreeMap<&'static str, Arc<Table>>);

/// How a table changed.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) added: Vec<Id>,
    pub(crate) removed: Vec<Id>,
    pub(crate) changed: Vec<Id>,
}

impl Rows {
    pub(crate) fn table(&self, name: &str) -> &Table {
        static EMPTY: Table = Table { rows: BTreeMap::new() };
        self.0.get(name).map_or(&EMPTY, Arc::as_ref)
    }

    /// Reads tables anew.
    pub(crate) async fn read(&mut self, store: &Gate, shapes: &Shapes, tenant: Tenant, tables: &[&'static str]) {
        for table in tables {
            if let Some(shape) = shapes.get(table) {
                self.0.insert(table, Arc::new(Table::read(store, shape, tenant, None).await));
            }
        }
    }
}

impl Table {
    /// The records that requests of this time have left, or all.
    pub(crate) async fn records(store: &Gate, shapes: &Shapes, tenant: Tenant, at: Option<Timestamp>) -> Self {
        match shapes.get("auth_audit_log") {
            Some(shape) => Self::read(store, shape, tenant, at).await,
            None => Self::default(),
        }
    }

    async fn read(store: &Gate, shape: &Arc<Shape>, tenant: Tenant, at: Option<Timestamp>) -> Self {
        let by_time = shape.def.indexes.iter().position(|index| index.name == "by_time");
        let query = Query {
            shape: shape.clone(),
            index: at.and(by_time).unwrap_or(EntityDef::PRIMARY_KEY),
            prefix: at.map(Value::Time).into_iter().collect(),
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            filters: Vec::new(),
            direction: Direction::Ascending,
            after: None,
            limit: 10_000,
            now: Timestamp::MIN,
        };
        let rows = store.query(&Scope::Tenant(tenant.id()), &query).await.expect("rows");
        let row = |row: authkit_core::Row| {
            let Some(Value::Id(id)) = row.values.first() else { panic!("a row begins with its id") };
            (*id, Row { def: shape.def.clone(), values: row.values })
        };
        Self { rows: rows.into_iter().map(row).collect() }
    }

    pub(crate) fn get(&self, id: impl Into<Id>) -> Option<&Row> {
        self.rows.get(&id.into())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &Row)> {
        self.rows.iter().map(|(id, row)| (*id, row))
    }

    /// How the table changed since `before`.
    pub(crate) fn since(&self, before: &Self) -> Change {
        let mut change = Change::default();
        for (id, row) in &self.rows {
            match before.rows.get(id) {
                None => change.added.push(*id),
                Some(old) if old.values != row.values => change.changed.push(*id),
                Some(_) => {}
            }
        }
        change.removed = before.rows.keys().filter(|id| !self.rows.contains_key(id)).copied().collect();
        change
    }
}

impl Change {
    pub(crate) fn is_none(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Row {
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    fn value(&self, column: &str) -> &Value {
        let at = self.def.columns.iter().position(|other| other.name == column);
        at.and_then(|at| self.values.get(at)).unwrap_or_else(|| panic!("no column {column} in {}", self.def.table))
    }

    pub(crate) fn id(&self, column: &str) -> Option<Id> {
        if let Value::Id(id) = self.value(column) { Some(*id) } else { None }
    }

    pub(crate) fn int(&self, column: &str) -> i64 {
        if let Value::Int(number) = self.value(column) { *number } else { 0 }
    }

    pub(crate) fn text(&self, column: &str) -> &str {
        if let Value::Text(text) | Value::Json(text) = self.value(column) { text } else { "" }
    }

    pub(crate) fn time(&self, column: &str) -> Timestamp {
        if let Value::Time(at) = self.value(column) { *at } else { Timestamp::MIN }
    }

    pub(crate) fn bytes(&self, column: &str) -> &[u8] {
        if let Value::Bytes(bytes) = self.value(column) { bytes } else { &[] }
    }
}
