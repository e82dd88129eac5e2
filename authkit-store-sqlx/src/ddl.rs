//! Texts of the statements that make and change tables.

use std::collections::HashMap;

use authkit_core::{ColumnDef, ColumnKind, EntityDef, IndexDef, Migration, Reach, Step, StoreError, Uniqueness, Value};

use crate::{
    catalogue::{Catalogue, Described, Index},
    effect::Effect,
    error::Fault,
    names::{expiry_index_name, index_name, indexed, owner_of, reference_index_name},
    sql::{Dialect, Statement},
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
            let effect = Effect::Column { table, made: Described::declared(dialect, column) };
            vec![Change { text: add_column(dialect, table, column), effect }]
        }
        Step::AddIndex { index, .. } => vec![add_index(dialect, def, index)],
        Step::DropIndex { table, index } => {
            let name = index_name(table, index);
            let mut sql = Statement::new(dialect, "DROP INDEX IF EXISTS ");
            sql.name(&name);
            vec![Change { text: sql.text, effect: Effect::NoIndex { table, name } }]
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
        sql.push("tenant_id ").push((dialect.column_type)(ColumnKind::Id)).push(" NOT NULL,\n  ");
    }
    sql.list("", &def.columns, |sql, column| push_column(sql, dialect, column).push(",\n  "));
    sql.push("PRIMARY KEY (").push(key).push(")");
    for reference in &def.references {
        sql.push(",\n  FOREIGN KEY (").push(owner).name(column_of(reference.column).unwrap_or_default());
        sql.push(") REFERENCES ").name(reference.table).push(" (").push(key).push(") ON DELETE CASCADE");
    }
    sql.push("\n)").push(dialect.table_options);

    let effect = Effect::Table { name: def.table, made: Catalogue::declared(dialect, def) };
    let mut changes = vec![Change { text: sql.text, effect }];
    changes.extend(def.indexes.iter().skip(1).map(|index| add_index(dialect, def, index)));
    changes.extend(def.references.iter().filter_map(|reference| {
        // Removing a referenced row looks for the rows that refer to it.
        let served = def.indexes.iter().any(|index| index.columns.first() == Some(&reference.column));
        let column = column_of(reference.column).filter(|_| !served)?;
        let name = reference_index_name(def.table, column);
        let columns: Vec<&str> = owner_of(def).iter().copied().chain([column]).collect();
        Some(make_index(dialect, Uniqueness::Shared, name, def.table, &columns))
    }));
    changes.extend(
        def.expiry
            .and_then(column_of)
            .map(|column| make_index(dialect, Uniqueness::Shared, expiry_index_name(def.table), def.table, &[column])),
    );
    changes
}

fn add_column(dialect: &'static Dialect, table: &str, column: &ColumnDef) -> String {
    let mut sql = Statement::new(dialect, "ALTER TABLE ");
    sql.name(table).push(" ADD COLUMN ");
    push_column(&mut sql, dialect, column);
    sql.text
}

fn push_column<'s>(
    sql: &'s mut Statement<'static>,
    dialect: &'static Dialect,
    column: &ColumnDef,
) -> &'s mut Statement<'static> {
    sql.name(column.name).push(" ").push((dialect.column_type)(column.kind));
    if !column.nullable {
        sql.push(" NOT NULL");
    }
    match &column.default {
        Some(value) => sql.push(" DEFAULT ").push(&(dialect.literal)(value)),
        None => sql,
    }
}

fn add_index(dialect: &'static Dialect, def: &EntityDef, index: &IndexDef) -> Change {
    let uniqueness = if index.unique { Uniqueness::Unique } else { Uniqueness::Shared };
    make_index(dialect, uniqueness, index_name(def.table, index.name), def.table, &indexed(def, index))
}

fn make_index(
    dialect: &'static Dialect,
    uniqueness: Uniqueness,
    name: String,
    table: &'static str,
    columns: &[&str],
) -> Change {
    let mut sql = Statement::new(
        dialect,
        match uniqueness {
            Uniqueness::Shared => "CREATE INDEX IF NOT EXISTS ",
            Uniqueness::Unique => "CREATE UNIQUE INDEX IF NOT EXISTS ",
        },
    );
    sql.name(&name).push(" ON ").name(table).push(" (");
    sql.list(", ", columns, |sql, column| sql.name(column)).push(")");
    let unique = matches!(uniqueness, Uniqueness::Unique);
    let made = Index { name, unique, columns: columns.iter().map(ToString::to_string).collect() };
    Change { text: sql.text, effect: Effect::Index { table, made } }
}

/// The statements of a plan as they are printed, with those that record it.
pub(crate) fn printed(dialect: &'static Dialect, plan: Vec<Planned>) -> Vec<String> {
    let records = (!plan.is_empty()).then(|| history_table(dialect).text);
    let steps = plan.into_iter().flat_map(|planned| {
        let record = record(dialect, &planned);
        planned.changes.into_iter().map(|change| change.text).chain([record])
    });
    records.into_iter().chain(steps).collect()
}

/// Makes the table of what was applied.
pub(crate) fn history_table(dialect: &Dialect) -> Change {
    let text = (dialect.column_type)(ColumnKind::Text);
    let int = (dialect.column_type)(ColumnKind::Int);
    let columns = [("plugin", text), ("number", int), ("checksum", text), ("state", text), ("position", int)];
    let declared: String = columns.iter().map(|(name, kind)| format!("  {name} {kind} NOT NULL,\n")).collect();
    let statement = format!(
        "CREATE TABLE IF NOT EXISTS {HISTORY} (\n{declared}  PRIMARY KEY (plugin, number)\n){}",
        dialect.table_options
    );
    let made = Catalogue {
        columns: columns.into_iter().map(|(name, kind)| Described::required(name, kind)).collect(),
        key: vec!["plugin".to_owned(), "number".to_owned()],
        ..Catalogue::default()
    };
    Change { text: statement, effect: Effect::Table { name: HISTORY, made } }
}

const HISTORY: &str = "authkit_migrations";

/// Records that a migration is applied.
pub(crate) fn record(dialect: &Dialect, planned: &Planned) -> String {
    let text = |text: &str| (dialect.literal)(&Value::Text(text.to_owned()));
    format!(
        "INSERT INTO authkit_migrations (plugin, number, checksum, state, position) VALUES ({}, {}, {}, 'applied', {}) \
         ON CONFLICT (plugin, number) DO UPDATE SET state = 'applied', position = excluded.position",
        text(planned.plugin),
        planned.number,
        text(&planned.checksum),
        planned.changes.len()
    )
}
