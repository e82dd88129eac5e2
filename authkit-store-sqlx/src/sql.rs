//! Texts of the statements that read and write rows. What differs between databases stands in [`Dialect`].

use std::ops::Bound;

use authkit_core::{
    ColumnDef, ColumnKind, Comparison, Def, Direction, EntityDef, Get, Guard, Id, Join, Lookup, Query, Reach, Scope,
    Set, Shape, StoreError, TenantId, Timestamp, Value, Write, order_columns,
};

use crate::error::Fault;

/// How one database spells what the others spell differently.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Encloses names.
    pub(crate) quote: char,
    /// The type of a column, which may stand in an index.
    pub(crate) column_type: fn(ColumnKind, Indexing) -> &'static str,
    /// Stands after the closing bracket of CREATE TABLE.
    pub(crate) table_options: &'static str,
    /// Stands where something is made unless it is there; empty where a database does not know it of indexes.
    pub(crate) index_if_absent: &'static str,
    /// Stands where an index is removed if it is there.
    pub(crate) index_if_present: &'static str,
    /// Stands after INDEX where an index is made of a table that may have rows.
    pub(crate) index_in_use: &'static str,
    /// Stands at the end of a statement that makes an index of such a table.
    pub(crate) index_options: &'static str,
    /// Whether an index has its name within its table.
    pub(crate) drops_index_on_table: bool,
    /// What an insert into the history does with the row that is there already.
    pub(crate) recorded_again: &'static str,
    /// Appends the placeholder of this number, counted from 1.
    pub(crate) placeholder: fn(&mut String, usize),
    /// Appends a value in a form that nothing in it can end.
    pub(crate) literal: fn(&mut String, Arg<'_>),
    /// The default of a column, spelled as the database tells it again; none where it keeps none.
    pub(crate) default: fn(&Value) -> Option<String>,
    /// Stands before a column by which no index is to be chosen.
    pub(crate) aside: &'static str,
    /// How a page begins after the last row of the one before.
    pub(crate) keyset: Keyset,
    /// Stands at the end of a statement that reads a row which is to stay as it is until the commit.
    pub(crate) share: &'static str,
    /// How a number of rows is removed.
    pub(crate) sweep: Sweep,
}

/// Whether a column stands in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indexing {
    Indexed,
    Plain,
}

/// How a page begins after the last row of the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keyset {
    /// `(a, b) > (x, y)`.
    Rows,
    /// `(a > x OR a = x AND b > y)`, for databases that find no range in the other form.
    Alternatives,
}

/// How a number of rows is removed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sweep {
    /// `DELETE … WHERE (key) IN (SELECT … LIMIT n)`.
    ByKey,
    /// `DELETE … WHERE ctid = ANY (ARRAY (SELECT … LIMIT n))`, leaving out rows that others hold.
    ByPlace,
    /// `DELETE … LIMIT n`.
    Limited,
}

/// Whether values stand in a statement or beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Placeholders, for a prepared statement.
    Placeholders,
    /// Literals, for a text of several statements.
    Literals,
}

/// A statement and what its placeholders stand for.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    dialect: &'static Dialect,
    spelling: Spelling,
    pub(crate) text: String,
    pub(crate) args: Vec<Arg<'a>>,
    placeholders: usize,
}

/// A value of the kind that is declared for the place where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a> {
    Null(ColumnKind),
    Bool(bool),
    Int(i64),
    Time(Timestamp),
    Id(Id),
    Text(&'a str),
    Bytes(&'a [u8]),
    Json(&'a str),
    /// A value of another kind, which is refused.
    Misfit,
}

impl<'a> Arg<'a> {
    pub(crate) fn new(kind: ColumnKind, value: &'a Value) -> Self {
        match (kind, value) {
            (kind, Value::Null) => Self::Null(kind),
            (ColumnKind::Bool, Value::Bool(bool)) => Self::Bool(*bool),
            (ColumnKind::Int, Value::Int(int)) => Self::Int(*int),
            (ColumnKind::Time, Value::Time(at)) => Self::Time(*at),
            (ColumnKind::Id, Value::Id(id)) => Self::Id(*id),
            (ColumnKind::Text, Value::Text(text)) => Self::Text(text),
            (ColumnKind::Bytes, Value::Bytes(bytes)) => Self::Bytes(bytes),
            (ColumnKind::Json, Value::Json(text)) => Self::Json(text),
            _ => Self::Misfit,
        }
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
    spelling: Spelling,
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
        Ok(Self { dialect, def, tenant, now, spelling: Spelling::Placeholders })
    }

    /// The same rows, with values spelled this way.
    pub(crate) fn spelled(self, spelling: Spelling) -> Self {
        Self { spelling, ..self }
    }

    pub(crate) fn spelling(&self) -> Spelling {
        self.spelling
    }

    /// The entity.
    pub(crate) fn def(&self) -> &'a EntityDef {
        self.def
    }

    /// Begins a statement.
    pub(crate) fn statement(&self, text: &str) -> Statement<'a> {
        Statement { spelling: self.spelling, ..Statement::new(self.dialect, text) }
    }

    /// Whose the rows are.
    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant.unwrap_or(TenantId::DEFAULT)
    }

    /// What the placeholders of [`get_text`] stand for.
    pub(crate) fn get_args(&self, get: &'a Get) -> impl Iterator<Item = Arg<'a>> {
        let joined_expires = get.shape.join.as_ref().is_some_and(|join| join.def.expiry.is_some());
        let now = Arg::Time(self.now);
        let key = index_columns(self.def, get.at.index).zip(&get.at.key);
        joined_expires
            .then_some(now)
            .into_iter()
            .chain(self.tenant.map(|tenant| Arg::Id(tenant.into())))
            .chain(key.map(|(column, value)| Arg::new(column.kind, value)))
            .chain(self.def.expiry.map(|_| now))
    }

    /// Returns the wanted columns.
    pub(crate) fn query(&self, query: &'a Query) -> Statement<'a> {
        let rest = order_columns(self.def, query.index, query.prefix.len());
        let order = || rest.iter().chain(&[0]).map(|at| name(self.def, *at));
        let mut sql = self.statement("SELECT ");
        sql.list(", ", &query.shape.columns, |sql, at| sql.name(name(self.def, *at)));
        sql.push(" FROM ").name(self.def.table);
        self.push_owner(&mut sql);
        self.push_prefix(&mut sql, query.index, &query.prefix);
        if let Some(first) = rest.first().and_then(|at| self.def.columns.get(*at)) {
            if let Some((above, value)) = bound(&query.from, " >= ", " > ") {
                sql.and(first.name, above, Arg::new(first.kind, value));
            }
            if let Some((below, value)) = bound(&query.to, " <= ", " < ") {
                sql.and(first.name, below, Arg::new(first.kind, value));
            }
        }
        if let Some(after) = &query.after {
            let columns = rest.iter().chain(&[0]).filter_map(|at| self.def.columns.get(*at));
            let last: Vec<_> = columns.zip(after).map(|(column, value)| (column.name, column.kind, value)).collect();
            self.push_after(&mut sql, query.direction, &last);
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

    /// Rows beyond the last one of the page before.
    fn push_after(
        &self,
        sql: &mut Statement<'a>,
        direction: Direction,
        last: &[(&'static str, ColumnKind, &'a Value)],
    ) {
        let beyond = match direction {
            Direction::Ascending => " > ",
            Direction::Descending => " < ",
        };
        sql.push(" AND (");
        match self.dialect.keyset {
            Keyset::Rows => {
                sql.list(", ", last, |sql, (column, ..)| sql.name(column)).push(")").push(beyond).push("(");
                sql.list(", ", last, |sql, (_, kind, value)| sql.arg(Arg::new(*kind, value)));
            }
            Keyset::Alternatives => {
                sql.list(" OR ", 0..last.len(), |sql, at| {
                    let (same, next) = last.split_at(at);
                    for (column, kind, value) in same {
                        sql.name(column).push(" = ").arg(Arg::new(*kind, value)).push(" AND ");
                    }
                    let next = next.iter().take(1);
                    sql.list("", next, |sql, (column, kind, value)| {
                        sql.name(column).push(beyond).arg(Arg::new(*kind, value))
                    })
                });
            }
        }
        sql.push(")");
    }

    pub(crate) fn insert(&self, values: &'a [Value]) -> Statement<'a> {
        self.insert_args(self.args(values))
    }

    /// The values of the columns, in their order.
    pub(crate) fn args(&self, values: &'a [Value]) -> impl Iterator<Item = Arg<'a>> {
        let def = self.def;
        def.columns.iter().zip(values).map(|(column, value)| Arg::new(column.kind, value))
    }

    pub(crate) fn insert_args(&self, values: impl Iterator<Item = Arg<'a>>) -> Statement<'a> {
        let mut sql = self.statement("INSERT INTO ");
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
        let mut sql = self.statement("UPDATE ");
        sql.name(self.def.table).push(" SET ").list(", ", set, |sql, set| {
            let column = name(self.def, changed(set));
            sql.name(column).push(" = ");
            match set {
                Set::To(at, value) => sql.arg(self.arg(*at, value)),
                Set::Add(_, by) => sql.name(column).push(" + ").arg(Arg::Int(*by)),
            }
        });
        self.push_row(&mut sql, at, guards);
        sql
    }

    /// Returns all columns.
    pub(crate) fn take(&self, at: &'a Lookup, guards: &'a [Guard]) -> Statement<'a> {
        let mut sql = self.statement("DELETE FROM ");
        sql.name(self.def.table);
        self.push_row(&mut sql, at, guards);
        sql.push(" RETURNING ").list(", ", &self.def.columns, |sql, column| sql.name(column.name));
        sql
    }

    /// Returns ids.
    pub(crate) fn purge(&self, index: usize, prefix: &'a [Value], guards: &'a [Guard]) -> Statement<'a> {
        let mut sql = self.statement("DELETE FROM ");
        sql.name(self.def.table);
        self.push_rows(&mut sql, index, prefix, guards);
        sql.push(" RETURNING id");
        sql
    }

    /// Returns the new value; nothing if it would be too great, or if an expired row has the key.
    pub(crate) fn bump(&self, bump: &Bump<'a>) -> Statement<'a> {
        let first = bump.first();
        let mut sql = match first {
            Some(first) => {
                let count = |(at, arg)| if at == bump.column { Arg::Int(first) } else { arg };
                let mut sql = self.insert_args(self.args(bump.values).enumerate().map(count));
                sql.push(" ON CONFLICT (").push(if self.tenant.is_some() { "tenant_id, " } else { "" });
                sql.list(", ", index_columns(self.def, bump.index), |sql, column| sql.name(column.name));
                sql.push(") DO UPDATE");
                sql
            }
            // A counter that is made would be too great already, so only one that exists can be bumped.
            None => {
                let mut sql = self.statement("UPDATE ");
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
        push_live(&mut sql, self.def, &table, |sql| sql.arg(Arg::Time(self.now)));
        if let Some(max) = bump.max {
            sql.push(" AND ");
            self.push_sum(&mut sql, bump);
            sql.push(" <= ").arg(Arg::Int(max));
        }
        sql.push(" RETURNING ").name(name(self.def, bump.column));
        sql
    }

    fn push_bump(&self, sql: &mut Statement<'a>, bump: &Bump<'a>) {
        sql.push(" SET ").name(name(self.def, bump.column)).push(" = ");
        self.push_sum(sql, bump);
        self.push_expiry(sql, bump);
    }

    /// Sets the expiry of a counter that exists, as one more column.
    pub(crate) fn push_expiry(&self, sql: &mut Statement<'a>, bump: &Bump<'a>) {
        let table = qualifier(self.dialect, self.def.table);
        if let Some((at, given)) = self.def.expiry.and_then(|at| Some((at, bump.values.get(at)?))) {
            let (expiry, given) = (name(self.def, at), self.arg(at, given));
            sql.push(", ").name(expiry).push(" = ");
            // NULL is never, and later than anything.
            match given {
                Arg::Null(_) => sql.arg(given),
                _ => push_greater(sql, &table, expiry, given),
            };
        }
    }

    /// The new value of a counter that exists.
    pub(crate) fn push_sum(&self, sql: &mut Statement<'a>, bump: &Bump<'a>) {
        let table = qualifier(self.dialect, self.def.table);
        let counter = name(self.def, bump.column);
        match bump.floor {
            Some(floor) => push_greater(sql, &table, counter, Arg::Int(floor)),
            None => sql.push(&table).name(counter),
        };
        sql.push(" + ").arg(Arg::Int(bump.by));
    }

    /// Returns one row if there is one that meets the guards.
    pub(crate) fn ensure(&self, at: &'a Lookup, guards: &'a [Guard]) -> Statement<'a> {
        let mut sql = self.statement("SELECT 1 FROM ");
        sql.name(self.def.table);
        self.push_row(&mut sql, at, guards);
        sql.push(self.dialect.share);
        sql
    }

    /// Removes the row that is past its expiry and has the key in this index which a write is to have.
    ///
    /// None if no such row can be in the way.
    pub(crate) fn clear(&self, index: usize, write: &'a Write) -> Option<Statement<'a>> {
        let expiry = name(self.def, self.def.expiry?);
        let mut sql = self.statement("DELETE FROM ");
        sql.name(self.def.table);
        self.push_owner(&mut sql);
        for at in &self.def.indexes.get(index)?.columns {
            let column = self.def.columns.get(*at)?;
            sql.push(" AND ").name(column.name).push(" = ");
            match write {
                Write::Insert { values } | Write::Bump { values, .. } => {
                    sql.arg(Arg::new(column.kind, values.get(*at)?));
                }
                Write::Update { at: row, set, .. } => match set.iter().find(|set| changed(set) == *at) {
                    Some(Set::To(_, value)) => {
                        sql.arg(Arg::new(column.kind, value));
                    }
                    Some(Set::Add(_, by)) => {
                        self.push_column_of(&mut sql, column, row);
                        sql.push(" + ").arg(Arg::Int(*by));
                    }
                    None => self.push_column_of(&mut sql, column, row),
                },
                Write::Take { .. } | Write::Purge { .. } | Write::Ensure { .. } => return None,
            }
        }
        sql.and(expiry, " <= ", Arg::Time(self.now));
        Some(sql)
    }

    /// A column of another row of the table. MySQL reads it only from a table that is derived.
    fn push_column_of(&self, sql: &mut Statement<'a>, column: &ColumnDef, row: &'a Lookup) {
        sql.push("(SELECT s.").name(column.name).push(" FROM (SELECT ").name(column.name).push(" FROM ");
        sql.name(self.def.table);
        self.push_row(sql, row, &[]);
        // MySQL would merge the inner table into the outer statement and refuse it, but for the limit.
        sql.push(" LIMIT 1) AS s)");
    }

    /// Returns one row if the row of `table` with this id is alive. The table has the same reach.
    pub(crate) fn parent(&self, table: &str, expiry: &str, id: &'a Value) -> Statement<'a> {
        let mut sql = self.statement("SELECT 1 FROM ");
        sql.name(table);
        self.push_owner(&mut sql);
        sql.and("id", " = ", Arg::new(ColumnKind::Id, id)).push(" AND (").name(expiry).push(" IS NULL OR ");
        sql.name(expiry).push(" > ").arg(Arg::Time(self.now)).push(")");
        sql
    }

    pub(crate) fn push_row(&self, sql: &mut Statement<'a>, at: &'a Lookup, guards: &'a [Guard]) {
        self.push_key(sql, at.index, &at.key);
        self.push_guards(sql, guards, "");
        self.push_live(sql, "");
    }

    pub(crate) fn push_rows(&self, sql: &mut Statement<'a>, index: usize, prefix: &'a [Value], guards: &'a [Guard]) {
        self.push_owner(sql);
        self.push_prefix(sql, index, prefix);
        self.push_guards(sql, guards, self.dialect.aside);
        self.push_live(sql, self.dialect.aside);
    }

    fn push_owner<'s>(&self, sql: &'s mut Statement<'a>) -> &'s mut Statement<'a> {
        match self.tenant {
            Some(tenant) => sql.push(" WHERE tenant_id = ").arg(Arg::Id(tenant.into())),
            None => sql.push(" WHERE 1 = 1"),
        }
    }

    pub(crate) fn push_key<'s>(
        &self,
        sql: &'s mut Statement<'a>,
        index: usize,
        key: impl IntoIterator<Item = &'a Value>,
    ) -> &'s mut Statement<'a> {
        self.push_owner(sql);
        for (column, value) in index_columns(self.def, index).zip(key) {
            sql.and(column.name, " = ", Arg::new(column.kind, value));
        }
        sql
    }

    fn push_prefix(&self, sql: &mut Statement<'a>, index: usize, prefix: &'a [Value]) {
        for (column, value) in index_columns(self.def, index).zip(prefix) {
            match value {
                Value::Null => sql.push(" AND ").name(column.name).push(" IS NULL"),
                value => sql.and(column.name, " = ", Arg::new(column.kind, value)),
            };
        }
    }

    fn push_guards(&self, sql: &mut Statement<'a>, guards: &'a [Guard], aside: &str) {
        for guard in guards {
            let column = name(self.def, guard.column);
            let comparison = match (guard.comparison, &guard.value) {
                (Comparison::Equal, Value::Null) => {
                    sql.push(" AND ").push(aside).name(column).push(" IS NULL");
                    continue;
                }
                (Comparison::NotEqual, Value::Null) => {
                    sql.push(" AND ").push(aside).name(column).push(" IS NOT NULL");
                    continue;
                }
                (Comparison::NotEqual, _) if self.def.columns.get(guard.column).is_some_and(|c| c.nullable) => {
                    sql.push(" AND (").push(aside).name(column).push(" IS NULL OR ").push(aside).name(column);
                    sql.push(" <> ").arg(self.arg(guard.column, &guard.value)).push(")");
                    continue;
                }
                (Comparison::NotEqual, _) => " <> ",
                (Comparison::Equal, _) => " = ",
                (Comparison::Less, _) => " < ",
                (Comparison::AtMost, _) => " <= ",
                (Comparison::Greater, _) => " > ",
                (Comparison::AtLeast, _) => " >= ",
            };
            sql.push(" AND ").push(aside).name(column).push(comparison).arg(self.arg(guard.column, &guard.value));
        }
    }

    /// A value for the column at this position.
    fn arg(&self, column: usize, value: &'a Value) -> Arg<'a> {
        self.def.columns.get(column).map_or(Arg::Misfit, |column| Arg::new(column.kind, value))
    }

    pub(crate) fn push_live(&self, sql: &mut Statement<'a>, before: &str) {
        push_live(sql, self.def, before, |sql| sql.arg(Arg::Time(self.now)));
    }
}

impl<'a> Bump<'a> {
    /// The value of a counter that is made; none if it would be too great.
    pub(crate) fn first(&self) -> Option<i64> {
        let first = self.floor.unwrap_or(0).max(0).checked_add(self.by);
        first.filter(|first| self.max.is_none_or(|max| *first <= max))
    }

    /// The values by which the row is found.
    pub(crate) fn key(&self, def: &EntityDef) -> Vec<&'a Value> {
        let positions = def.indexes.get(self.index).map(|index| index.columns.as_slice()).unwrap_or_default();
        positions.iter().filter_map(|at| self.values.get(*at)).collect()
    }
}

/// Removes expired rows of all tenants; nothing to do where rows do not expire.
pub(crate) fn sweep(dialect: &'static Dialect, def: &Def, now: Timestamp, limit: usize) -> Option<Statement<'static>> {
    let expiry = name(def, def.expiry?);
    let mut sql = Statement::new(dialect, "DELETE FROM ");
    sql.name(def.table).push(" WHERE ");
    let (before, after) = match (dialect.sweep, def.reach) {
        (Sweep::ByKey, Reach::Tenant) => ("(tenant_id, id) IN (SELECT tenant_id, id", ")"),
        (Sweep::ByKey, Reach::Global) => ("id IN (SELECT id", ")"),
        (Sweep::ByPlace, _) => ("ctid = ANY (ARRAY (SELECT ctid", " FOR UPDATE SKIP LOCKED))"),
        (Sweep::Limited, _) => ("", ""),
    };
    sql.push(before);
    if !before.is_empty() {
        sql.push(" FROM ").name(def.table).push(" WHERE ");
    }
    sql.name(expiry).push(" <= ").arg(Arg::Time(now)).push(" LIMIT ").arg(Arg::Int(count(limit))).push(after);
    Some(sql)
}

/// Reads one row: wanted columns, wanted columns of the joined row, and its id if none of them is never NULL.
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
        let spelling = Spelling::Placeholders;
        Self { dialect, spelling, text: text.to_owned(), args: Vec::new(), placeholders: 0 }
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

    pub(crate) fn arg(&mut self, arg: Arg<'a>) -> &mut Self {
        self.args.push(arg);
        match self.spelling {
            Spelling::Placeholders => return self.placeholder(),
            Spelling::Literals => (self.dialect.literal)(&mut self.text, arg),
        }
        self
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

/// The greater of a column and a value; NULL if the column is.
fn push_greater<'s, 'a>(
    sql: &'s mut Statement<'a>,
    before: &str,
    column: &str,
    given: Arg<'a>,
) -> &'s mut Statement<'a> {
    sql.push("CASE WHEN ").push(before).name(column).push(" < ").arg(given).push(" THEN ").arg(given);
    sql.push(" ELSE ").push(before).name(column).push(" END")
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
