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
    /// The greater of two values; NULL if one of them is.
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
    pub(crate) dialect: &'static Dialect,
    pub(crate) def: &'a EntityDef,
    /// None for a global entity.
    tenant: Option<TenantId>,
    now: Timestamp,
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
        let now = |expires: bool| expires.then_some(Arg::from(self.now));
        let parent_expires = get.shape.join.as_ref().is_some_and(|join| join.def.expiry.is_some());
        now(parent_expires)
            .into_iter()
            .chain(self.tenant.map(|tenant| Arg::Id(tenant.into())))
            .chain(get.at.key.iter().map(Arg::Value))
            .chain(now(self.def.expiry.is_some()))
    }

    pub(crate) fn query(&self, query: &'a Query) -> Statement<'a> {
        let rest = order_columns(self.def, query.index, query.prefix.len());
        let order = || rest.iter().copied().chain([0]).map(|at| name(self.def, at));
        let mut sql = Statement::new(self.dialect, "SELECT version");
        for at in &query.shape.columns {
            sql.push(", ").name(name(self.def, *at));
        }
        sql.push(" FROM ").name(self.def.table);
        self.push_owner(&mut sql);
        self.push_prefix(&mut sql, query.index, &query.prefix);
        if let Some(first) = rest.first() {
            let column = name(self.def, *first);
            match &query.from {
                Bound::Included(value) => sql.and(column, " >= ", Arg::Value(value)),
                Bound::Excluded(value) => sql.and(column, " > ", Arg::Value(value)),
                Bound::Unbounded => {}
            }
            match &query.to {
                Bound::Included(value) => sql.and(column, " <= ", Arg::Value(value)),
                Bound::Excluded(value) => sql.and(column, " < ", Arg::Value(value)),
                Bound::Unbounded => {}
            }
        }
        if let Some(after) = &query.after {
            sql.push(" AND (").list(order(), Statement::name);
            sql.push(match query.direction {
                Direction::Ascending => ") > (",
                Direction::Descending => ") < (",
            });
            sql.list(after, |sql, value| sql.arg(Arg::Value(value))).push(")");
        }
        self.push_guards(&mut sql, &query.filters, self.dialect.aside);
        self.push_live(&mut sql, self.dialect.aside);
        sql.push(" ORDER BY ").list(order(), |sql, column| {
            sql.name(column);
            if query.direction == Direction::Descending {
                sql.push(" DESC");
            }
        });
        sql.push(" LIMIT ").arg(Arg::Int(count(query.limit)));
        sql
    }

    pub(crate) fn insert(&self, values: &'a [Value]) -> Statement<'a> {
        self.insert_with(values.iter().map(Arg::Value))
    }

    fn insert_with(&self, values: impl Iterator<Item = Arg<'a>>) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "INSERT INTO ");
        sql.name(self.def.table).push(" (");
        if self.tenant.is_some() {
            sql.push("tenant_id, ");
        }
        sql.push("version, ").list(&self.def.columns, |sql, column| sql.name(column.name)).push(") VALUES (");
        if let Some(tenant) = self.tenant {
            sql.arg(Arg::Id(tenant.into()));
            sql.push(", ");
        }
        sql.push("1, ").list(values, Statement::arg).push(")");
        sql
    }

    pub(crate) fn update(
        &self,
        at: &'a Lookup,
        guards: &'a [Guard],
        version: Option<i64>,
        set: &'a [Set],
    ) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "UPDATE ");
        sql.name(self.def.table).push(if set.iter().any(|set| is_recorded(self.def, set.column())) {
            " SET version = version + 1"
        } else {
            " SET version = version"
        });
        for change in set {
            let column = name(self.def, change.column());
            sql.push(", ").name(column);
            sql.push(" = ");
            match change {
                Set::To(_, value) => sql.arg(Arg::Value(value)),
                Set::Add(_, by) => {
                    sql.name(column);
                    sql.push(" + ").arg(Arg::Int(*by));
                }
            }
        }
        self.push_key(&mut sql, at.index, at.key.iter());
        self.push_guards(&mut sql, guards, "");
        self.push_live(&mut sql, "");
        if let Some(version) = version {
            sql.and("version", " = ", Arg::Int(version));
        }
        sql
    }

    /// Returns version and all columns.
    pub(crate) fn take(&self, at: &'a Lookup, guards: &'a [Guard]) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "DELETE FROM ");
        sql.name(self.def.table);
        self.push_key(&mut sql, at.index, at.key.iter());
        self.push_guards(&mut sql, guards, "");
        self.push_live(&mut sql, "");
        sql.push(" RETURNING version, ").list(&self.def.columns, |sql, column| sql.name(column.name));
        sql
    }

    /// Returns ids.
    pub(crate) fn purge(&self, index: usize, prefix: &'a [Value], except: Option<Id>) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "DELETE FROM ");
        sql.name(self.def.table);
        self.push_owner(&mut sql);
        self.push_prefix(&mut sql, index, prefix);
        if let Some(id) = except {
            sql.and("id", " <> ", Arg::Id(id));
        }
        self.push_live(&mut sql, self.dialect.aside);
        sql.push(" RETURNING id");
        sql
    }

    /// Returns the new value, or nothing if it would exceed the greatest.
    ///
    /// An expired row that has the key makes it return nothing as well.
    pub(crate) fn bump(&self, bump: &Bump<'a>) -> Statement<'a> {
        let mut sql = match bump.first() {
            Some(first) => {
                let count = |(at, value)| if at == bump.column { Arg::Int(first) } else { Arg::Value(value) };
                let mut sql = self.insert_with(bump.values.iter().enumerate().map(count));
                sql.push(" ON CONFLICT (").push(if self.tenant.is_some() { "tenant_id, " } else { "" });
                sql.list(index_columns(self.def, bump.index), |sql, column| sql.name(column.name));
                sql.push(") DO UPDATE");
                sql
            }
            None => {
                let mut sql = Statement::new(self.dialect, "UPDATE ");
                sql.name(self.def.table);
                sql
            }
        };
        let counter = name(self.def, bump.column);
        sql.push(if is_recorded(self.def, bump.column) { " SET version = " } else { " SET " });
        if is_recorded(self.def, bump.column) {
            sql.name(self.def.table);
            sql.push(".version + 1, ");
        }
        sql.name(counter).push(" = ");
        self.push_sum(&mut sql, bump);
        if let Some((at, given)) = self.def.expiry.and_then(|at| Some((at, bump.values.get(at)?))) {
            let expiry = name(self.def, at);
            sql.push(", ").name(expiry);
            sql.push(" = ").push(self.dialect.greater).push("(").own(self.def, expiry);
            sql.push(", ").arg(Arg::Value(given));
            sql.push(")");
        }
        match bump.first() {
            Some(_) => sql.push(" WHERE 1 = 1"),
            None => {
                self.push_key(&mut sql, bump.index, bump.key().into_iter());
                &mut sql
            }
        };
        self.push_live_row(&mut sql);
        if let Some(max) = bump.max {
            sql.push(" AND ");
            self.push_sum(&mut sql, bump);
            sql.push(" <= ").arg(Arg::Int(max));
        }
        sql.push(" RETURNING ").name(counter);
        sql
    }

    /// The new value of a counter that exists.
    fn push_sum(&self, sql: &mut Statement<'a>, bump: &Bump<'a>) {
        let counter = name(self.def, bump.column);
        match bump.floor {
            Some(floor) => {
                sql.push(self.dialect.greater).push("(").own(self.def, counter);
                sql.push(", ").arg(Arg::Int(floor));
                sql.push(")");
            }
            None => sql.own(self.def, counter),
        }
        sql.push(" + ").arg(Arg::Int(bump.by));
    }

    /// Returns one row if there is one to vouch for.
    pub(crate) fn ensure(&self, at: &'a Lookup, guards: &'a [Guard]) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "SELECT 1 FROM ");
        sql.name(self.def.table);
        self.push_key(&mut sql, at.index, at.key.iter());
        self.push_guards(&mut sql, guards, "");
        self.push_live(&mut sql, "");
        sql
    }

    /// The columns of an index, of the row that is found by another.
    pub(crate) fn columns_of(&self, index: usize, at: &'a Lookup) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "SELECT ");
        sql.list(index_columns(self.def, index), |sql, column| sql.name(column.name));
        sql.push(" FROM ").name(self.def.table);
        self.push_key(&mut sql, at.index, at.key.iter());
        sql
    }

    /// Removes the row of a unique key if it is past its expiry.
    pub(crate) fn clear(&self, index: usize, key: &'a [Value]) -> Option<Statement<'a>> {
        let expiry = self.def.expiry?;
        let mut sql = Statement::new(self.dialect, "DELETE FROM ");
        sql.name(self.def.table);
        self.push_key(&mut sql, index, key.iter());
        sql.and(name(self.def, expiry), " <= ", self.now.into());
        Some(sql)
    }

    /// Returns one row if the row of `table` with this id is past its expiry. The table has the same reach.
    pub(crate) fn expired_parent(&self, table: &str, expiry: &str, id: &'a Value) -> Statement<'a> {
        let mut sql = Statement::new(self.dialect, "SELECT 1 FROM ");
        sql.name(table);
        self.push_owner(&mut sql);
        sql.and("id", " = ", Arg::Value(id));
        sql.and(expiry, " <= ", self.now.into());
        sql
    }

    fn push_owner(&self, sql: &mut Statement<'a>) {
        match self.tenant {
            Some(tenant) => sql.push(" WHERE tenant_id = ").arg(Arg::Id(tenant.into())),
            None => {
                sql.push(" WHERE 1 = 1");
            }
        }
    }

    fn push_key(&self, sql: &mut Statement<'a>, index: usize, key: impl Iterator<Item = &'a Value>) {
        self.push_owner(sql);
        for (column, value) in index_columns(self.def, index).zip(key) {
            sql.and(column.name, " = ", Arg::Value(value));
        }
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
            sql.push(" AND ").push(aside).name(name(self.def, guard.column));
            sql.push(comparison).arg(Arg::Value(&guard.value));
        }
    }

    fn push_live(&self, sql: &mut Statement<'a>, aside: &str) {
        push_live(sql, self.def, aside, "", |sql| sql.arg(self.now.into()));
    }

    /// As [`Self::push_live`], where the table's name tells the row from the one that is inserted.
    fn push_live_row(&self, sql: &mut Statement<'a>) {
        let mut prefix = Statement::new(self.dialect, "");
        prefix.name(self.def.table).push(".");
        push_live(sql, self.def, "", &prefix.text, |sql| sql.arg(self.now.into()));
    }
}

/// The fields of [`Op::Bump`](authkit_core::Op::Bump).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bump<'a> {
    pub(crate) def: &'a EntityDef,
    pub(crate) index: usize,
    pub(crate) values: &'a [Value],
    pub(crate) column: usize,
    pub(crate) by: i64,
    pub(crate) floor: Option<i64>,
    pub(crate) max: Option<i64>,
}

impl<'a> Bump<'a> {
    /// The value of a counter that is made, unless it would be too great.
    fn first(&self) -> Option<i64> {
        let first = self.floor.unwrap_or(0).max(0).checked_add(self.by)?;
        self.max.is_none_or(|max| first <= max).then_some(first)
    }

    fn key(&self) -> Vec<&'a Value> {
        let index = self.def.indexes.get(self.index);
        index.into_iter().flat_map(|index| &index.columns).filter_map(|at| self.values.get(*at)).collect()
    }
}

/// Removes expired rows of all tenants.
pub(crate) fn sweep(
    dialect: &'static Dialect,
    def: &Def,
    now: Timestamp,
    limit: usize,
) -> Option<Statement<'static>> {
    let expiry = name(def, def.expiry?);
    let key = match def.reach {
        Reach::Tenant => "tenant_id, id",
        Reach::Global => "id",
    };
    let mut sql = Statement::new(dialect, "DELETE FROM ");
    sql.name(def.table).push(" WHERE (").push(key).push(") IN (SELECT ").push(key).push(" FROM ").name(def.table);
    sql.push(" WHERE ").name(expiry);
    sql.push(" <= ").arg(now.into());
    sql.push(" LIMIT ").arg(Arg::Int(count(limit)));
    sql.push(")");
    Some(sql)
}

/// Reads one row: version, wanted columns, wanted columns of the joined row, and a marker if [`marker`] needs one.
pub(crate) fn get_text(dialect: &'static Dialect, shape: &Shape, index: usize) -> String {
    let def = &shape.def;
    let mut sql = Statement::new(dialect, "SELECT t.version");
    for at in &shape.columns {
        sql.push(", t.").name(name(def, *at));
    }
    for at in shape.join.iter().flat_map(|join| &join.columns) {
        let joined = shape.join.as_ref().map_or("", |join| name(&join.def, *at));
        sql.push(", j.").name(joined);
    }
    if shape.join.as_ref().is_some_and(|join| never_null(join).is_none()) {
        sql.push(", j.version");
    }
    sql.push(" FROM ").name(def.table).push(" AS t");
    if let Some(join) = &shape.join {
        sql.push(" LEFT JOIN ").name(join.def.table).push(" AS j ON j.id = t.").name(name(def, join.via));
        if def.reach == Reach::Tenant {
            sql.push(" AND j.tenant_id = t.tenant_id");
        }
        push_live(&mut sql, &join.def, "", "j.", Statement::mark);
    }
    sql.push(" WHERE ");
    if def.reach == Reach::Tenant {
        sql.push("t.tenant_id = ").mark();
        sql.push(" AND ");
    }
    sql.separated(" AND ", index_columns(def, index), |sql, column| {
        sql.push("t.").name(column.name).push(" = ").mark();
    });
    push_live(&mut sql, def, "", "t.", Statement::mark);
    sql.text
}

/// Position in a row of [`get_text`] of what is NULL only if there is no joined row.
pub(crate) fn marker(shape: &Shape) -> Option<usize> {
    let join = shape.join.as_ref()?;
    Some(1 + shape.columns.len() + never_null(join).unwrap_or(join.columns.len()))
}

fn never_null(join: &Join) -> Option<usize> {
    let nullable = |at: &usize| join.def.columns.get(*at).is_none_or(|column| column.nullable);
    join.columns.iter().position(|at| !nullable(at))
}

fn push_live<'a>(
    sql: &mut Statement<'a>,
    def: &EntityDef,
    aside: &str,
    prefix: &str,
    now: impl FnOnce(&mut Statement<'a>),
) {
    let Some(column) = def.expiry.and_then(|at| def.columns.get(at)) else {
        return;
    };
    sql.push(" AND ");
    if column.nullable {
        sql.push("(").push(aside).push(prefix).name(column.name).push(" IS NULL OR ");
    }
    sql.push(aside).push(prefix).name(column.name).push(" > ");
    now(sql);
    if column.nullable {
        sql.push(")");
    }
}

impl<'a> Statement<'a> {
    pub(crate) fn new(dialect: &'static Dialect, text: &str) -> Self {
        Self { dialect, text: text.to_owned(), args: Vec::new() }
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

    fn own(&mut self, def: &EntityDef, column: &str) {
        self.name(def.table).push(".").name(column);
    }

    fn arg(&mut self, arg: Arg<'a>) {
        self.args.push(arg);
        (self.dialect.placeholder)(&mut self.text, self.args.len());
    }
}
