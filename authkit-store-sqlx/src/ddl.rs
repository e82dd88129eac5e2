//! Texts of the statements that make and change tables.

use std::collections::HashMap;

use authkit_core::{ColumnDef, ColumnKind, EntityDef, IndexDef, Migration, Reach, Step, StoreError, Uniqueness, Value};

use crate::{
    catalogue::{Catalogue, Described, Index, indexing},
    effect::Effect,
    error::Fault,
    names::{expiry_index_name, index_name, indexed, owner_of, reference_index_name},
    sql::{Dialect, Indexing, Statement},
};

/// A migration as the statements of one database.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plugin: &'static str,
    pub(crate) number: u32,
    pub(crate) checksum: String,
    /// The table that it is about.
    pub(crate) table: &'static str,
    pub(crate) changes: Vec<Change>,
}

/// One statement that changes a table.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) text: String,
    pub(crate) effect: Effect,
}

/// Makes the statements of every migration, in order.
pub(crate) fn plan(dialect: &'static Dialect, steps: &[Migration]) -> Result<Vec<Planned>, StoreError> {
    let mut tables = HashMap::new();
    steps.iter().map(|migration| planned(dialect, &mut tables, migration)).collect()
}

fn planned(
    dialect: &'static Dialect,
    tables: &mut HashMap<&'static str, EntityDef>,
    migration: &Migration,
) -> Result<Planned, StoreError> {
    let (plugin, number) = (migration.plugin, migration.number);
    let inapplicable = |problem| Fault::Inapplicable { plugin, number, problem };
    if let Step::Create(def) = &migration.step {
        tables.insert(def.table, def.clone());
    }
    let def = tables.get_mut(migration.step.table());
    let def = def.ok_or_else(|| inapplicable("no step before it makes the table"))?;
    let changes = match &migration.step {
        Step::Create(_) => create(dialect, def),
        Step::AddColumn { table, column } => {
            def.columns.push(column.clone());
            let made = Described::declared(dialect, column);
            vec![Change { text: add_column(dialect, table, column), effect: Effect::Column { table, made } }]
        }
        Step::AddIndex { index, .. } => {
            let retyped = retyped(dialect, def, index);
            def.indexes.push(index.clone());
            let change = add_index(dialect, def, index, Rowed::Full);
            vec![if retyped.is_empty() { change } else { retype_and_index(dialect, &retyped, change) }]
        }
        Step::DropIndex { table, index } => {
            let before = reference_indexes(dialect, def, Rowed::Full);
            def.indexes.retain(|made| made.name != *index);
            let name = index_name(table, index);
            // One that the dropped index stood in for is made before; a server keeps the last one that it needs.
            let mut changes = reference_indexes(dialect, def, Rowed::Full);
            changes.retain(|change| !before.iter().any(|made| made.text == change.text));
            changes.push(Change { text: drop_index(dialect, table, &name), effect: Effect::NoIndex { table, name } });
            changes
        }
        _ => return Err(inapplicable("this version of the store does not know the step").into()),
    };
    Ok(Planned { plugin, number, checksum: migration.checksum(), table: migration.step.table(), changes })
}

fn create(dialect: &'static Dialect, def: &EntityDef) -> Vec<Change> {
    let column_of = |at: usize| def.columns.get(at).map(|column| column.name);
    let tenant = def.reach == Reach::Tenant;
    let (key, owner) = if tenant { ("tenant_id, id", "tenant_id, ") } else { ("id", "") };

    let mut sql = Statement::new(dialect, "CREATE TABLE IF NOT EXISTS ");
    sql.name(def.table).push(" (\n  ");
    if tenant {
        let id = (dialect.column_type)(ColumnKind::Id, Indexing::Indexed);
        sql.push("tenant_id ").push(id).push(" NOT NULL,\n  ");
    }
    sql.list("", &def.columns, |sql, column| push_column(sql, dialect, column, indexing(def, column)).push(",\n  "));
    sql.push("PRIMARY KEY (").push(key).push(")");
    for reference in &def.references {
        sql.push(",\n  FOREIGN KEY (").push(owner).name(column_of(reference.column).unwrap_or_default());
        sql.push(") REFERENCES ").name(reference.table).push(" (").push(key).push(") ON DELETE CASCADE");
    }
    sql.push("\n)").push(dialect.table_options);

    let effect = Effect::Table { name: def.table, made: Catalogue::declared(dialect, def) };
    let mut changes = vec![Change { text: sql.text, effect }];
    changes.extend(def.indexes.iter().skip(1).map(|index| add_index(dialect, def, index, Rowed::Empty)));
    changes.extend(reference_indexes(dialect, def, Rowed::Empty));
    changes.extend(def.expiry.and_then(column_of).map(|column| {
        let name = expiry_index_name(def.table);
        make_index(dialect, Rowed::Empty, Uniqueness::Shared, name, def.table, &[column])
    }));
    changes
}

/// The indexes that find what refers to a row that is removed, where no declared index begins with the reference.
fn reference_indexes(dialect: &'static Dialect, def: &EntityDef, rowed: Rowed) -> Vec<Change> {
    let unserved = def
        .references
        .iter()
        .filter(|reference| !def.indexes.iter().any(|index| index.columns.first() == Some(&reference.column)));
    let columns = unserved.filter_map(|reference| def.columns.get(reference.column));
    let indexes = columns.map(|column| {
        let name = reference_index_name(def.table, column.name);
        let columns: Vec<&str> = owner_of(def).iter().copied().chain([column.name]).collect();
        make_index(dialect, rowed, Uniqueness::Shared, name, def.table, &columns)
    });
    indexes.collect()
}

fn add_column(dialect: &'static Dialect, table: &str, column: &ColumnDef) -> String {
    let mut sql = Statement::new(dialect, "ALTER TABLE ");
    sql.name(table).push(" ADD COLUMN ");
    push_column(&mut sql, dialect, column, Indexing::Plain);
    sql.text
}

fn push_column<'s>(
    sql: &'s mut Statement<'static>,
    dialect: &'static Dialect,
    column: &ColumnDef,
    indexing: Indexing,
) -> &'s mut Statement<'static> {
    sql.name(column.name).push(" ").push((dialect.column_type)(column.kind, indexing));
    if !column.nullable {
        sql.push(" NOT NULL");
    }
    match column.default.as_ref().and_then(dialect.default) {
        Some(value) => sql.push(" DEFAULT ").push(&value),
        None => sql,
    }
}

/// Whether a table may have rows.
#[derive(Clone, Copy)]
enum Rowed {
    /// It was just made.
    Empty,
    /// It is in use, and an index is to be made without keeping others from it.
    Full,
}

fn add_index(dialect: &'static Dialect, def: &EntityDef, index: &IndexDef, rowed: Rowed) -> Change {
    let uniqueness = if index.unique { Uniqueness::Unique } else { Uniqueness::Shared };
    make_index(dialect, rowed, uniqueness, index_name(def.table, index.name), def.table, &indexed(def, index))
}

fn make_index(
    dialect: &'static Dialect,
    rowed: Rowed,
    uniqueness: Uniqueness,
    name: String,
    table: &'static str,
    columns: &[&str],
) -> Change {
    let unique = matches!(uniqueness, Uniqueness::Unique);
    let (in_use, options) = match rowed {
        Rowed::Empty => ("", ""),
        Rowed::Full => (dialect.index_in_use, dialect.index_options),
    };
    let mut sql = Statement::new(dialect, if unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
    sql.push(in_use).push(dialect.index_if_absent).name(&name).push(" ON ").name(table).push(" (");
    sql.list(", ", columns, |sql, column| sql.name(column)).push(")").push(options);
    let made = Index { name, unique, columns: columns.iter().map(ToString::to_string).collect() };
    Change { text: sql.text, effect: Effect::Index { table, made } }
}

/// The columns that were in no index and are of another type there.
fn retyped(dialect: &Dialect, def: &EntityDef, index: &IndexDef) -> Vec<ColumnDef> {
    let columns = index.columns.iter().filter_map(|at| def.columns.get(*at));
    let differs = |column: &&ColumnDef| {
        let column_type = |indexing| (dialect.column_type)(column.kind, indexing);
        indexing(def, column) == Indexing::Plain && column_type(Indexing::Plain) != column_type(Indexing::Indexed)
    };
    columns.filter(differs).cloned().collect()
}

/// Makes an index and gives its columns the type that they need in it, in one statement.
fn retype_and_index(dialect: &'static Dialect, columns: &[ColumnDef], change: Change) -> Change {
    let Change { effect: Effect::Index { table, made }, .. } = change else {
        return change;
    };
    let mut sql = Statement::new(dialect, "ALTER TABLE ");
    sql.name(table).list("", columns, |sql, column| {
        push_column(sql.push("\n  MODIFY COLUMN "), dialect, column, Indexing::Indexed).push(",")
    });
    sql.push("\n  ADD ").push(if made.unique { "UNIQUE INDEX " } else { "INDEX " }).push(dialect.index_if_absent);
    sql.name(&made.name).push(" (").list(", ", &made.columns, |sql, column| sql.name(column)).push(")");
    Change { text: sql.text, effect: Effect::Index { table, made } }
}

pub(crate) fn drop_index(dialect: &'static Dialect, table: &str, name: &str) -> String {
    let mut sql = Statement::new(dialect, "DROP INDEX ");
    sql.push(dialect.index_if_present).name(name);
    if dialect.drops_index_on_table {
        sql.push(" ON ").name(table);
    }
    sql.text
}

/// The statements of a plan as they are printed, with those that record it.
pub(crate) fn printed(dialect: &'static Dialect, plan: Vec<Planned>) -> Vec<String> {
    let records = (!plan.is_empty()).then(|| history_table(dialect).text);
    let steps = plan.into_iter().flat_map(|planned| {
        let record = record(dialect, &planned, State::Applied);
        planned.changes.into_iter().map(|change| change.text).chain([record])
    });
    records.into_iter().chain(steps).collect()
}

/// Makes the table of what was applied.
pub(crate) fn history_table(dialect: &Dialect) -> Change {
    let column_type = |kind, indexing| (dialect.column_type)(kind, indexing);
    let text = column_type(ColumnKind::Text, Indexing::Plain);
    let int = column_type(ColumnKind::Int, Indexing::Plain);
    let plugin = column_type(ColumnKind::Text, Indexing::Indexed);
    let columns = [("plugin", plugin), ("number", int), ("checksum", text), ("state", text), ("position", int)];
    let declared: String = columns.iter().map(|(name, kind)| format!("  {name} {kind} NOT NULL,\n")).collect();
    let statement = format!(
        "CREATE TABLE IF NOT EXISTS {HISTORY} (\n{declared}  PRIMARY KEY (plugin, number)\n){}",
        dialect.table_options
    );
    let kinds = [text, int, text, text, int];
    let made = Catalogue {
        columns: columns.iter().zip(kinds).map(|((name, _), kind)| Described::required(name, kind)).collect(),
        key: vec!["plugin".to_owned(), "number".to_owned()],
        ..Catalogue::default()
    };
    Change { text: statement, effect: Effect::Table { name: HISTORY, made } }
}

const HISTORY: &str = "authkit_migrations";

/// How far a migration is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    /// The statement at this position is about to run.
    Started(usize),
    Applied,
}

/// Records how far a migration is.
pub(crate) fn record(dialect: &Dialect, planned: &Planned, state: State) -> String {
    let text = |text: &str| (dialect.default)(&Value::Text(text.to_owned())).unwrap_or_default();
    let (state, position) = match state {
        State::Started(position) => ("started", position),
        State::Applied => ("applied", planned.changes.len()),
    };
    format!(
        "INSERT INTO authkit_migrations (plugin, number, checksum, state, position) VALUES ({}, {}, {}, {}, {position})\
         {}",
        text(planned.plugin),
        planned.number,
        text(&planned.checksum),
        text(state),
        dialect.recorded_again
    )
}
