//! What the tables look like, as Redis keeps it: every node and every version then keeps the same indexes.

use std::collections::BTreeMap;

use authkit_core::{ColumnDef, EntityDef, IndexDef, Migration, Step, StoreError};
use serde::{Deserialize, Serialize};

use crate::{encoding, error::Fault};

/// The tables and the steps that were applied.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Schema {
    /// Grows with every change; none while nothing was ever applied.
    pub(crate) version: Option<u64>,
    pub(crate) tables: BTreeMap<String, Table>,
    /// Checksums by the names of [`step_name`].
    pub(crate) steps: BTreeMap<String, String>,
}

/// One table. The scripts read it as well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    reach: String,
    durability: String,
    columns: Vec<Column>,
    pub(crate) indexes: Vec<Index>,
    /// What is declared.
    references: Vec<Reference>,
    /// The references whose table is here.
    parents: Vec<Reference>,
    /// Who refers to this table.
    children: Vec<Child>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<usize>,
    /// Indexes that were here, which older versions still declare.
    dropped: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Column {
    name: String,
    kind: String,
    nullable: bool,
    /// Hexadecimal digits of the encoded value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) name: String,
    columns: Vec<usize>,
    unique: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reference {
    column: usize,
    table: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Child {
    table: String,
    /// The index over the referring column.
    index: String,
}

impl Schema {
    /// The name under which a step is remembered.
    pub(crate) fn step_name(migration: &Migration) -> String {
        format!("{}:{}", migration.plugin, migration.number)
    }

    /// Reads the fields that Redis holds.
    pub(crate) fn read(fields: impl IntoIterator<Item = (String, String)>) -> Result<Self, StoreError> {
        let unreadable = |what: &str| Fault::Stored(format!("the schema's {what} cannot be read"));
        let mut schema = Self::default();
        for (field, value) in fields {
            if field == "version" {
                schema.version = Some(value.parse().map_err(|_error| unreadable(&field))?);
            } else if let Some(table) = field.strip_prefix("table:") {
                let parsed = serde_json::from_str(&value).map_err(|_error| unreadable(&field))?;
                schema.tables.insert(table.to_owned(), parsed);
            } else if let Some(step) = field.strip_prefix("step:") {
                schema.steps.insert(step.to_owned(), value);
            }
        }
        Ok(schema)
    }

    /// The fields that Redis is to hold, without the version.
    pub(crate) fn fields(&self) -> Result<Vec<(String, String)>, StoreError> {
        let json = |table| serde_json::to_string(table).map_err(|error| StoreError::Corrupt(error.into()));
        let tables = self.tables.iter().map(|(name, table)| Ok((format!("table:{name}"), json(table)?)));
        let steps = self.steps.iter().map(|(name, checksum)| Ok((format!("step:{name}"), checksum.clone())));
        tables.chain(steps).collect()
    }

    /// The schema once the steps are applied that were not applied yet.
    pub(crate) fn after(&self, steps: &[Migration]) -> Result<Self, StoreError> {
        let mut next = self.clone();
        for migration in steps {
            let (plugin, number) = (migration.plugin, migration.number);
            let checksum = migration.checksum();
            match next.steps.get(&Self::step_name(migration)) {
                Some(applied) if *applied == checksum => {}
                Some(_) => return Err(Fault::Edited { plugin, number }.into()),
                None => {
                    let table = migration.step.table();
                    let refused = |problem| Fault::Inapplicable { plugin, number, table, problem };
                    next.apply(&migration.step).map_err(refused)?;
                    next.steps.insert(Self::step_name(migration), checksum);
                }
            }
        }
        next.link();
        if next != *self {
            next.version = Some(self.version.map_or(1, |version| version.saturating_add(1)));
        }
        Ok(next)
    }

    fn apply(&mut self, step: &Step) -> Result<(), &'static str> {
        let name = step.table();
        if let Step::Create(def) = step {
            let made = self.tables.insert(name.to_owned(), Table::new(def));
            return made.map_or(Ok(()), |_| Err("it exists already"));
        }
        let table = self.tables.get_mut(name).ok_or("it does not exist")?;
        match step {
            Step::AddColumn { column, .. } if table.columns.iter().any(|known| known.name == column.name) => {
                Err("the column exists already")
            }
            Step::AddColumn { column, .. } if !column.nullable && column.default.is_none() => {
                Err("the column needs a default or has to be nullable")
            }
            Step::AddColumn { column, .. } => {
                table.columns.push(Column::new(column));
                Ok(())
            }
            Step::AddIndex { index, .. } if table.indexes.iter().any(|known| known.name == index.name) => {
                Err("the index exists already")
            }
            Step::AddIndex { index, .. } => {
                table.dropped.retain(|dropped| dropped != index.name);
                table.indexes.push(Index::new(index));
                Ok(())
            }
            Step::DropIndex { index, .. } => {
                let at = table.indexes.iter().position(|known| known.name == *index);
                let dropped = table.indexes.remove(at.ok_or("the index does not exist")?);
                table.dropped.push(dropped.name);
                Ok(())
            }
            _ => Err("this version of the store does not know the step"),
        }
    }

    /// Finds out which references are kept: those between tables that are here.
    fn link(&mut self) {
        let names: Vec<String> = self.tables.keys().cloned().collect();
        let mut children: BTreeMap<String, Vec<Child>> = BTreeMap::new();
        for (name, table) in &mut self.tables {
            table.parents = table.references.iter().filter(|one| names.contains(&one.table)).cloned().collect();
            for parent in &table.parents {
                let child = Child { table: name.clone(), index: reference_index(parent.column) };
                children.entry(parent.table.clone()).or_default().push(child);
            }
        }
        for (name, table) in &mut self.tables {
            table.children = children.remove(name).unwrap_or_default();
        }
    }

    /// Refuses a table that has less than is declared. It may have more: the version before runs on it as well.
    pub(crate) fn serves(&self, declared: &EntityDef) -> Result<(), Fault> {
        let drift = |problem: String| Fault::Drift { table: declared.table, problem };
        let table = self.tables.get(declared.table).ok_or_else(|| drift("it does not exist".to_owned()))?;
        let wanted = Table::new(declared);
        for (at, column) in wanted.columns.iter().enumerate() {
            if table.columns.get(at) != Some(column) {
                return Err(drift(format!("column {} differs", column.name)));
            }
        }
        let is_known = |index: &&Index| table.indexes.contains(index) || table.dropped.contains(&index.name);
        if let Some(index) = wanted.indexes.iter().find(|index| !is_known(index)) {
            return Err(drift(format!("index {} differs", index.name)));
        }
        let rest =
            |table: &Table| (table.references.clone(), table.expiry, table.reach.clone(), table.durability.clone());
        if rest(table) != rest(&wanted) {
            return Err(drift("its references, expiry, reach or durability differ".to_owned()));
        }
        Ok(())
    }
}

/// The name of the index over a referring column. No declared index has a colon in its name.
fn reference_index(column: usize) -> String {
    format!("reference:{column}")
}

impl Table {
    fn new(def: &EntityDef) -> Self {
        let references: Vec<Reference> = def
            .references
            .iter()
            .map(|reference| Reference { column: reference.column, table: reference.table.to_owned() })
            .collect();
        let referring = |reference: &Reference| Index {
            name: reference_index(reference.column),
            columns: vec![reference.column],
            unique: false,
        };
        Self {
            reach: format!("{:?}", def.reach),
            durability: format!("{:?}", def.durability),
            columns: def.columns.iter().map(Column::new).collect(),
            indexes: def.indexes.iter().map(Index::new).chain(references.iter().map(referring)).collect(),
            references,
            parents: Vec::new(),
            children: Vec::new(),
            expiry: def.expiry,
            dropped: Vec::new(),
        }
    }
}

impl Column {
    fn new(column: &ColumnDef) -> Self {
        let hex = |value| encoding::encoded(value).iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            name: column.name.to_owned(),
            kind: format!("{:?}", column.kind),
            nullable: column.nullable,
            default: column.default.as_ref().map(hex),
        }
    }
}

impl Index {
    fn new(index: &IndexDef) -> Self {
        Self { name: index.name.to_owned(), columns: index.columns.clone(), unique: index.unique }
    }
}
