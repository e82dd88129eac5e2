//! Texts of the statements that read and write rows. What differs between databases stands in [`Dialect`].

use std::ops::Bound;

use authkit_core::{
    ColumnDef, ColumnKind, Comparison, Def, Direction, EntityDef, Get, Guard, Id, Join, Lookup, Query, Reach, Scope,
    Set, Shape, StoreError, TenantId, Timestamp, Value, order_columns,
};

use crate::error::Fault;

/// How one database spells what the others spell differently.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Encloses names.
    pub(crate) quote: char,
    /// The type of a column.
    pub(crate) column_type: fn(ColumnKind) -> &'static str,
    /// Stands after the closing bracket of CREATE TABLE.
    pub(crate) table_options: &'static str,
    /// Appends the placeholder of this number, counted from 1.
    pub(crate) placeholder: fn(&mut String, usize),
    /// Equality in which NULL equals NULL.
    pub(crate) same: &'static str,
    /// The opposite of `same`.
    pub(crate) differs: &'static str,
    /// The function whose result is the greater of two values, and NULL if one of them is.
    pub(crate) greater: &'static str,
    /// Stands before a column by which no index is to be chosen.
    pub(crate) aside: &'static str,
    /// A value as it stands in a statement.
    pub(crate) literal: fn(&Value) -> String,
}

/// A statement and what its placeholders stand for.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    dialect: &'static Dialect,
    pub(crate) text: String,
    pub(crate) args: Vec<Arg<'a>>,
    placeholders: usize,
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a> {
    Value(&'a Value),
    Id(Id),
    Int(i64),
}

impl From<Timestamp> for Arg<'_> {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.millis())
    }
}

/// The rows that one call can reach in one table: those of its tenant that are not past their expiry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    dialect: &'static Dialect,
    def: &'a EntityDef,
    /// None for a global entity.
    tenant: Option<TenantId>,
    now: Timestamp,
}

/// The fields of [`Write::Bump`](authkit_core::Write::Bump).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bump<'a> {
    pub(crate) index: usize,
    pub(crate) values: &'a [Value],
    pub(crate) column: usize,
    pub(crate) by: i64,
    pub(crate) floor: Option<i64>,
    pub(crate) max: Option<i64>,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(
        dialect: &'static Dialect,
        scope: &Scope,
        def: &'a EntityDef,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let tenant = match (def.reach, scope) {
            (Reach::Global, _) => None,
            (Reach::Tenant, Scope::Tenant(tenant)) => Some(*tenant),
            (Reach::Tenant, Scope::Global) => return Err(Fault::NeedsTenant(def.table).into()),
        };
        Ok(Self { dialect, def, tenant, now })
    }

    /// Whose the rows are.
    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant.unwrap_or(TenantId::DEFAULT)
    }

    /// What the placeholders of [`get_text`] stand for.
    pub(crate) fn get_args(&self, get: &'a Get) -> impl Iterator<Item = Arg<'a>> {
        let joined_expires = get.shape.join.as_ref().is_some_and(|join| join.def.expiry.is_some());
        let now = Arg::from(self.now);
        joined_expires
            .then_some(now)
            .into_iter()
            .chain(self.tenant.map(|tenant| Arg::Id(tenant.into())))
            .chain(get.at.key.iter().map(Arg::Value))
            .chain(self.def.expiry.map(|_| now))
    }

    /// Returns the wanted columns.
    pub(crate) fn query(&self, query: &'a Query) -> Statement<'a> {
        let rest = order_columns(self.def, query.index, query.prefix.len());
        let order = || rest.iter().chain(&[0]).map(|at| name(self.def, *at));
        let mut sql = Statement::new(self.dialect, "SELECT ");
        sql.list(", ", &query.shape.columns, |sql, at| sql.name(name(self.def, *at)));
        sql.push(" FROM ").name(self.def.table);
        self.push_owner(&mut sql);
        self.push_prefix(&mut sql, query.index, &query.prefix);
        if let Some(first) = rest.first() {
            let column = name(self.def, *first);
            if let Some((above, value)) = bound(&query.from, " >= ", " > ") {
                sql.and(column, above, Arg::Value(value));
            }
            if let Some((below, value)) = bound(&query.to, " <= ", " < ") {
                sql.and(column, below, Arg::Value(value));
            }
        }
        if let Some(after) = &query.after {
            sql.push(" AND (").list(", ", order(), |sql, column| sql.name(column));
            sql.push(match query.direction {
                Direction::Ascending => ") > (",
                Direction::Descending => ") < (",
            });
            sql.list(", ", after, |sql, value| sql.arg(Arg::Value(value))).push(")");
        }
        self.push_guards(&mut sql, &query.filters, self.dialect.aside);
        self.push_live(&mut sql, self.dialect.aside);
        sql.push(" ORDER BY ").list(", ", order(), |sql, column| match query.direction {
            Direction::Ascending => sql.name(column),
            Direction::Descending => sql.name(column).push(" DESC"),
        });
        sql.push(" LIMIT ").arg(Arg::Int(count(query.limit)));
        sql
    }

    pub(crate) fn insert(&self, values: &'a [Value]) -> Statement<'a> {
        self.insert_args(values.iter().map(Arg::Value))
    }

    fn insert_args(&self, values: impl Iterator<Item = Arg<'a>>) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "INSERT INTO ");
        sql.name(self.def.table).push(" (");
        if self.tenant.is_some() {
            sql.push("tenant_id, ");
        }
        sql.list(", ", &self.def.columns, |sql, column| sql.name(column.name));
        sql.push(") VALUES (");
        if let Some(tenant) = self.tenant {
            sql.arg(Arg::Id(tenant.into())).push(", ");
        }
        sql.list(", ", values, Statement::arg).push(")");
        sql
    }

    /// At least one column is set: SQL knows no update of nothing.
    pub(crate) fn update(&self, at: &'a Lookup, guards: &'a [Guard], set: &'a [Set]) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "UPDATE ");
        sql.name(self.def.table).push(" SET ").list(", ", set, |sql, set| {
            let column = name(self.def, changed(set));
            sql.name(column).push(" = ");
            match set {
                Set::To(_, value) => sql.arg(Arg::Value(value)),
                Set::Add(_, by) => sql.name(column).push(" + ").arg(Arg::Int(*by)),
            }
        });
        self.push_row(&mut sql, at, guards);
        sql
    }

    /// Returns all columns.
    pub(crate) fn take(&self, at: &'a Lookup, guards: &'a [Guard]) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "DELETE FROM ");
        sql.name(self.def.table);
        self.push_row(&mut sql, at, guards);
        sql.push(" RETURNING ").list(", ", &self.def.columns, |sql, column| sql.name(column.name));
        sql
    }

    /// Returns ids.
    pub(crate) fn purge(&self, index: usize, prefix: &'a [Value], guards: &'a [Guard]) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "DELETE FROM ");
        sql.name(self.def.table);
        self.push_owner(&mut sql);
        self.push_prefix(&mut sql, index, prefix);
        self.push_guards(&mut sql, guards, self.dialect.aside);
        self.push_live(&mut sql, self.dialect.aside);
        sql.push(" RETURNING id");
        sql
    }

    /// Returns the new value; nothing if it would be too great, or if an expired row has the key.
    pub(crate) fn bump(&self, bump: &Bump<'a>) -> Statement<'a> {
        let first = bump.floor.unwrap_or(0).max(0).checked_add(bump.by);
        let first = first.filter(|first| bump.max.is_none_or(|max| *first <= max));
        let mut sql = match first {
            Some(first) => {
                let count = |(at, value)| if at == bump.column { Arg::Int(first) } else { Arg::Value(value) };
                let mut sql = self.insert_args(bump.values.iter().enumerate().map(count));
                sql.push(" ON CONFLICT (").push(if self.tenant.is_some() { "tenant_id, " } else { "" });
                sql.list(", ", index_columns(self.def, bump.index), |sql, column| sql.name(column.name));
                sql.push(") DO UPDATE");
                sql
            }
            // A counter that is made would be too great already, so only one that exists can be bumped.
            None => {
                let mut sql = Statement::new(self.dialect, "UPDATE ");
                sql.name(self.def.table);
                sql
            }
        };
        self.push_bump(&mut sql, bump);
        match first {
            Some(_) => sql.push(" WHERE 1 = 1"),
            None => self.push_key(&mut sql, bump.index, bump.key(self.def)),
        };
        let table = qualifier(self.dialect, self.def.table);
        push_live(&mut sql, self.def, &table, |sql| sql.arg(self.now.into()));
        if let Some(max) = bump.max {
            sql.push(" AND ");
            self.push_sum(&mut sql, bump);
            sql.push(" <= ").arg(Arg::Int(max));
        }
        sql.push(" RETURNING ").name(name(self.def, bump.column));
        sql
    }

    fn push_bump(&self, sql: &mut Statement<'a>, bump: &Bump<'a>) {
        let table = qualifier(self.dialect, self.def.table);
        sql.push(" SET ").name(name(self.def, bump.column)).push(" = ");
        self.push_sum(sql, bump);
        if let Some((at, given)) = self.def.expiry.and_then(|at| Some((at, bump.values.get(at)?))) {
            let expiry = name(self.def, at);
            sql.push(", ").name(expiry).push(" = ").push(self.dialect.greater);
            sql.push("(").push(&table).name(expiry).push(", ").arg(Arg::Value(given)).push(")");
        }
    }

    /// The new value of a counter that exists.
    fn push_sum(&self, sql: &mut Statement<'a>, bump: &Bump<'a>) {
        let table = qualifier(self.dialect, self.def.table);
        let counter = name(self.def, bump.column);
        match bump.floor {
            Some(floor) => {
                sql.push(self.dialect.greater).push("(").push(&table).name(counter).push(", ");
                sql.arg(Arg::Int(floor)).push(")");
            }
            None => {
                sql.push(&table).name(counter);
            }
        }
        sql.push(" + ").arg(Arg::Int(bump.by));
    }

    /// Returns one row if there is one that meets the guards.
    pub(crate) fn ensure(&self, at: &'a Lookup, guards: &'a [Guard]) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "SELECT 1 FROM ");
        sql.name(self.def.table);
        self.push_row(&mut sql, at, guards);
        sql
    }

    /// Returns the columns of an index, of the row that is found by another.
    pub(crate) fn columns_of(&self, index: usize, at: &'a Lookup) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "SELECT ");
        sql.list(", ", index_columns(self.def, index), |sql, column| sql.name(column.name));
        sql.push(" FROM ").name(self.def.table);
        self.push_row(&mut sql, at, &[]);
        sql
    }

    /// Removes the row of a unique key if it is past its expiry; nothing to do where rows do not expire.
    pub(crate) fn clear(&self, index: usize, key: &'a [Value]) -> Option<Statement<'a>> {
        let expiry = name(self.def, self.def.expiry?);
        let mut sql = Statement::new(self.dialect, "DELETE FROM ");
        sql.name(self.def.table);
        self.push_key(&mut sql, index, key);
        sql.and(expiry, " <= ", self.now.into());
        Some(sql)
    }

    /// Returns one row if the row of `table` with this id is past its expiry. The table has the same reach.
    pub(crate) fn expired_parent(&self, table: &str, expiry: &str, id: &'a Value) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "SELECT 1 FROM ");
        sql.name(table);
        self.push_owner(&mut sql);
        sql.and("id", " = ", Arg::Value(id)).and(expiry, " <= ", self.now.into());
        sql
    }

    fn push_row(&self, sql: &mut Statement<'a>, at: &'a Lookup, guards: &'a [Guard]) {
        self.push_key(sql, at.index, &at.key);
        self.push_guards(sql, guards, "");
        self.push_live(sql, "");
    }

    fn push_owner<'s>(&self, sql: &'s mut Statement<'a>) -> &'s mut Statement<'a> {
        match self.tenant {
            Some(tenant) => sql.push(" WHERE tenant_id = ").arg(Arg::Id(tenant.into())),
            None => sql.push(" WHERE 1 = 1"),
        }
    }

    fn push_key<'s>(
        &self,
        sql: &'s mut Statement<'a>,
        index: usize,
        key: impl IntoIterator<Item = &'a Value>,
    ) -> &'s mut Statement<'a> {
        self.push_owner(sql);
        for (column, value) in index_columns(self.def, index).zip(key) {
            sql.and(column.name, " = ", Arg::Value(value));
        }
        sql
    }

    fn push_prefix(&self, sql: &mut Statement<'a>, index: usize, prefix: &'a [Value]) {
        for (column, value) in index_columns(self.def, index).zip(prefix) {
            sql.and(column.name, self.dialect.same, Arg::Value(value));
        }
    }

    fn push_guards(&self, sql: &mut Statement<'a>, guards: &'a [Guard], aside: &str) {
        for guard in guards {
            let comparison = match guard.comparison {
                Comparison::Equal => self.dialect.same,
                Comparison::NotEqual => self.dialect.differs,
                Comparison::Less => " < ",
                Comparison::AtMost => " <= ",
                Comparison::Greater => " > ",
                Comparison::AtLeast => " >= ",
            };
            sql.push(" AND ").push(aside).name(name(self.def, guard.column)).push(comparison);
            sql.arg(Arg::Value(&guard.value));
        }
    }

    fn push_live(&self, sql: &mut Statement<'a>, before: &str) {
        push_live(sql, self.def, before, |sql| sql.arg(self.now.into()));
    }
}

impl<'a> Bump<'a> {
    /// The values by which the row is found.
    pub(crate) fn key(&self, def: &EntityDef) -> Vec<&'a Value> {
        let positions = def.indexes.get(self.index).map(|index| index.columns.as_slice()).unwrap_or_default();
        positions.iter().filter_map(|at| self.values.get(*at)).collect()
    }
}

/// Removes expired rows of all tenants; nothing to do where rows do not expire.
pub(crate) fn sweep(dialect: &'static Dialect, def: &Def, now: Timestamp, limit: usize) -> Option<Statement<'static>> {
    let expiry = name(def, def.expiry?);
    let (key, selected) = match def.reach {
        Reach::Tenant => ("(tenant_id, id)", "tenant_id, id"),
        Reach::Global => ("id", "id"),
    };
    let mut sql = Statement::new(dialect, "DELETE FROM ");
    sql.name(def.table).push(" WHERE ").push(key).push(" IN (SELECT ").push(selected).push(" FROM ");
    sql.name(def.table).push(" WHERE ").name(expiry).push(" <= ").arg(now.into());
    sql.push(" LIMIT ").arg(Arg::Int(count(limit))).push(")");
    Some(sql)
}

/// Reads one row: wanted columns, wanted columns of the joined row, and what [`marker`] may need besides.
pub(crate) fn get_text(dialect: &'static Dialect, shape: &Shape, index: usize) -> String {
    let def = &shape.def;
    let mut sql = Statement::new(dialect, "SELECT ");
    sql.list(", ", &shape.columns, |sql, at| sql.push("t.").name(name(def, *at)));
    if let Some(join) = &shape.join {
        for at in &join.columns {
            sql.push(", j.").name(name(&join.def, *at));
        }
        if never_null(join).is_none() {
            sql.push(", j.id");
        }
    }
    sql.push(" FROM ").name(def.table).push(" AS t");
    if let Some(join) = &shape.join {
        sql.push(" LEFT JOIN ").name(join.def.table).push(" AS j ON j.id = t.").name(name(def, join.via));
        if def.reach == Reach::Tenant {
            sql.push(" AND j.tenant_id = t.tenant_id");
        }
        push_live(&mut sql, &join.def, "j.", Statement::placeholder);
    }
    sql.push(" WHERE ");
    if def.reach == Reach::Tenant {
        sql.push("t.tenant_id = ").placeholder().push(" AND ");
    }
    sql.list(" AND ", index_columns(def, index), |sql, column| {
        sql.push("t.").name(column.name).push(" = ").placeholder()
    });
    push_live(&mut sql, def, "t.", Statement::placeholder);
    sql.text
}

/// Position in a row of [`get_text`] of what is NULL only if there is no joined row.
pub(crate) fn marker(shape: &Shape) -> Option<usize> {
    let join = shape.join.as_ref()?;
    Some(shape.columns.len() + never_null(join).unwrap_or(join.columns.len()))
}

fn never_null(join: &Join) -> Option<usize> {
    join.columns.iter().position(|at| join.def.columns.get(*at).is_some_and(|column| !column.nullable))
}

/// Adds the condition that the row is not past its expiry; `before` stands before the column.
fn push_live<'a>(
    sql: &mut Statement<'a>,
    def: &EntityDef,
    before: &str,
    now: impl for<'s> FnOnce(&'s mut Statement<'a>) -> &'s mut Statement<'a>,
) {
    let Some(column) = def.expiry.and_then(|at| def.columns.get(at)) else {
        return;
    };
    if column.nullable {
        sql.push(" AND (").push(before).name(column.name).push(" IS NULL OR ");
    } else {
        sql.push(" AND (");
    }
    sql.push(before).name(column.name).push(" > ");
    now(sql).push(")");
}

impl<'a> Statement<'a> {
    pub(crate) fn new(dialect: &'static Dialect, text: &str) -> Self {
        Self { dialect, text: text.to_owned(), args: Vec::new(), placeholders: 0 }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn name(&mut self, name: &str) -> &mut Self {
        self.text.push(self.dialect.quote);
        self.text.push_str(name);
        self.text.push(self.dialect.quote);
        self
    }

    pub(crate) fn list<T>(
        &mut self,
        separator: &str,
        items: impl IntoIterator<Item = T>,
        each: impl for<'s> Fn(&'s mut Self, T) -> &'s mut Self,
    ) -> &mut Self {
        for (at, item) in items.into_iter().enumerate() {
            each(self.push(if at == 0 { "" } else { separator }), item);
        }
        self
    }

    fn arg(&mut self, arg: Arg<'a>) -> &mut Self {
        self.args.push(arg);
        self.placeholder()
    }

    /// A placeholder whose argument is given later.
    fn placeholder(&mut self) -> &mut Self {
        self.placeholders += 1;
        (self.dialect.placeholder)(&mut self.text, self.placeholders);
        self
    }

    fn and(&mut self, column: &str, comparison: &str, arg: Arg<'a>) -> &mut Self {
        self.push(" AND ").name(column).push(comparison).arg(arg)
    }
}

fn bound<'a>(
    bound: &'a Bound<Value>,
    included: &'static str,
    excluded: &'static str,
) -> Option<(&'static str, &'a Value)> {
    match bound {
        Bound::Included(value) => Some((included, value)),
        Bound::Excluded(value) => Some((excluded, value)),
        Bound::Unbounded => None,
    }
}

pub(crate) fn index_columns(def: &EntityDef, index: usize) -> impl Iterator<Item = &ColumnDef> {
    let index = def.indexes.get(index);
    index.into_iter().flat_map(|index| &index.columns).filter_map(|at| def.columns.get(*at))
}

/// Name of a column; the empty name of one that does not exist is refused by every database.
fn name(def: &EntityDef, at: usize) -> &'static str {
    def.columns.get(at).map_or("", |column| column.name)
}

fn qualifier(dialect: &'static Dialect, table: &str) -> String {
    let mut sql = Statement::new(dialect, "");
    sql.name(table).push(".");
    sql.text
}

/// Position of the column that a change is about.
pub(crate) fn changed(set: &Set) -> usize {
    match set {
        Set::To(at, _) | Set::Add(at, _) => *at,
    }
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
