//! The history of the tables: numbered neutral steps, folded and compared with what the entities declare.

use std::{fmt::Write as _, sync::Arc};

use crate::entity::{ColumnDef, Def, EntityDef, IndexDef};

/// One numbered step of one plugin. Never edited after its release.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Migration {
    /// The plugin whose step it is.
    pub plugin: &'static str,
    /// 1, 2, 3, … within the plugin.
    pub number: u32,
    /// What it does.
    pub step: Step,
}

/// What a migration does. Every step but [`Step::DropIndex`] expands, so that the version before still runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Makes a table.
    Create(EntityDef),
    /// Adds a column, nullable or with a default.
    AddColumn {
        /// Table name.
        table: &'static str,
        /// The column.
        column: ColumnDef,
    },
    /// Adds an index.
    AddIndex {
        /// Table name.
        table: &'static str,
        /// The index.
        index: IndexDef,
    },
    /// Removes an index; contracts, so it is released one version after the last use.
    DropIndex {
        /// Table name.
        table: &'static str,
        /// Name of the index within the table.
        index: &'static str,
    },
}

impl Step {
    /// The table that the step is about.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        match self {
            Self::Create(def) => def.table,
            Self::AddColumn { table, .. } | Self::AddIndex { table, .. } | Self::DropIndex { table, .. } => table,
        }
    }
}

impl Step {
    /// Text that says what the step says; it stays the same when the types of this crate grow.
    fn canonical(&self) -> String {
        match self {
            Self::Create(def) => {
                let columns: Vec<String> = def.columns.iter().map(column).collect();
                let indexes: Vec<String> = def.indexes.iter().map(index_text).collect();
                let references: Vec<String> =
                    def.references.iter().map(|r| format!("{} -> {}", r.column, r.table)).collect();
                format!(
                    "create {} {:?} {:?} ({}) ({}) ({}) {:?}",
                    def.table,
                    def.reach,
                    def.durability,
                    columns.join(", "),
                    indexes.join(", "),
                    references.join(", "),
                    def.expiry
                )
            }
            Self::AddColumn { table, column: added } => format!("add column {table} {}", column(added)),
            Self::AddIndex { table, index } => format!("add index {table} {}", index_text(index)),
            Self::DropIndex { table, index } => format!("drop index {table} {index}"),
        }
    }
}

fn column(column: &ColumnDef) -> String {
    format!("{} {:?} {} {} {:?}", column.name, column.kind, column.nullable, column.volatile, column.default)
}

fn index_text(index: &IndexDef) -> String {
    format!("{} {:?} {}", index.name, index.columns, index.unique)
}

impl Migration {
    /// Makes a step; core numbers those of a manifest.
    #[must_use]
    pub const fn new(plugin: &'static str, number: u32, step: Step) -> Self {
        Self { plugin, number, step }
    }

    /// A number that changes when the neutral step does: 64 hex digits, SHA-256.
    ///
    /// It is taken over the step and never over the SQL that a store makes of it.
    #[must_use]
    pub fn checksum(&self) -> String {
        let text = format!("{} {} {}", self.plugin, self.number, self.step.canonical());
        crate::keys::sha256(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").ok();
            hex
        })
    }
}

/// Replays the steps; returns the tables and what does not add up.
pub(crate) fn fold(steps: &[Migration]) -> (Vec<Def>, Vec<String>) {
    let mut defs: Vec<EntityDef> = Vec::new();
    let mut problems = Vec::new();
    for migration in steps {
        if let Err(problem) = apply(&mut defs, &migration.step) {
            problems.push(format!("migration {} of {}: {problem}", migration.number, migration.plugin));
        }
    }
    (defs.into_iter().map(Arc::new).collect(), problems)
}

fn apply(defs: &mut Vec<EntityDef>, step: &Step) -> Result<(), String> {
    let existing = defs.iter().position(|def| def.table == step.table());
    let def = match (step, existing.and_then(|at| defs.get_mut(at))) {
        (Step::Create(def), None) => {
            defs.push(def.clone());
            return Ok(());
        }
        (Step::Create(def), Some(_)) => return Err(format!("the table {} exists already", def.table)),
        (_, None) => return Err(format!("there is no table {}", step.table())),
        (_, Some(def)) => def,
    };
    match step {
        Step::Create(_) => {}
        Step::AddColumn { column, .. } if !column.nullable && column.default.is_none() => {
            return Err(format!("the new column {} needs a default or has to be nullable", column.name));
        }
        Step::AddColumn { column, .. } => def.columns.push(column.clone()),
        Step::AddIndex { index, .. } => def.indexes.push(index.clone()),
        Step::DropIndex { index, .. } if !def.indexes.iter().any(|i| i.name == *index) => {
            return Err(format!("there is no index {index}"));
        }
        Step::DropIndex { index, .. } => def.indexes.retain(|i| i.name != *index),
    }
    Ok(())
}

/// What a declared entity and the folded history disagree about.
pub(crate) fn drift(declared: &EntityDef, history: &EntityDef) -> Option<String> {
    // Where a table may live is no part of its form.
    if *declared == (EntityDef { routable: declared.routable, ..history.clone() }) {
        return None;
    }
    let differs = |what: &str, name: &str| {
        format!(
            "{} {name} of {} is not the same in the entity and in its migrations; add a step that makes the difference",
            what, declared.table
        )
    };
    let longest = declared.columns.len().max(history.columns.len());
    for at in 0..longest {
        let (a, b) = (declared.columns.get(at), history.columns.get(at));
        if a != b {
            return a.or(b).map(|column| differs("column", column.name));
        }
    }
    let unmatched = |one: &EntityDef, other: &EntityDef| {
        one.indexes.iter().find(|index| !other.indexes.contains(index)).map(|index| index.name)
    };
    if let Some(name) = unmatched(declared, history).or_else(|| unmatched(history, declared)) {
        return Some(differs("index", name));
    }
    Some(format!(
        "the order of the indexes, the references, the expiry, the reach or the durability of {} is not the same in the entity and in its migrations; add a step that makes the difference",
        declared.table
    ))
}
