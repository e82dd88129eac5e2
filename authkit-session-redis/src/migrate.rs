//! Bringing the schema to what is declared. Of many nodes that do it at once, one changes it and the others look again.

use authkit_core::{Def, Migration, StoreError, Timestamp};

use crate::{
    arguments::Arguments,
    connection::Connection,
    error::Fault,
    reply::unexpected,
    schema::{Schema, Table},
    script,
};

/// How often the schema is looked at again because somebody else changed it.
const ATTEMPTS: u32 = 100;

pub(crate) async fn migrate(connection: &Connection, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
    for _ in 0..ATTEMPTS {
        let schema = Schema::read(connection.schema().await?)?;
        let next = schema.after(steps)?;
        defs.iter().try_for_each(|def| next.serves(def))?;
        if next == schema {
            return Ok(());
        }
        let mut reply = match connection.write(&script::MIGRATE, &change(connection, &schema, &next)?).await {
            // Whether it was made is seen by looking again.
            Err(StoreError::Unknown) => continue,
            reply => reply?,
        };
        match reply.word.as_str() {
            "ok" => return Ok(()),
            "moved" => {}
            "equal" => return Err(Fault::Equal { table: reply.text()?, index: reply.text()? }.into()),
            _ => return Err(unexpected()),
        }
    }
    Err(StoreError::Busy)
}

/// What leads from one schema to the next.
fn change(connection: &Connection, schema: &Schema, next: &Schema) -> Result<Arguments, StoreError> {
    let mut arguments = connection.arguments(Timestamp::MIN);
    for version in [schema.version, next.version] {
        arguments.bytes(version.map(|version| version.to_string()).unwrap_or_default());
    }

    let gone = missing(schema, next);
    arguments.number(gone.len());
    for (name, _, index) in gone {
        arguments.bytes(name);
        arguments.bytes(index);
    }

    let new: Vec<_> =
        missing(next, schema).into_iter().filter(|(name, ..)| schema.tables.contains_key(*name)).collect();
    arguments.number(new.len());
    for (name, table, index) in new {
        arguments.bytes(name);
        arguments.bytes(serde_json::to_string(table).map_err(|error| StoreError::Corrupt(error.into()))?);
        arguments.bytes(index);
    }

    let fields = next.fields()?;
    arguments.number(fields.len());
    for (name, value) in fields {
        arguments.bytes(name);
        arguments.bytes(value);
    }
    Ok(arguments)
}

/// The indexes of one schema that the other one lacks or has otherwise, with their tables.
fn missing<'a>(one: &'a Schema, other: &Schema) -> Vec<(&'a str, &'a Table, &'a str)> {
    let mut missing = Vec::new();
    for (name, table) in &one.tables {
        for index in &table.indexes {
            if !other.tables.get(name).is_some_and(|other| other.indexes.contains(index)) {
                missing.push((name.as_str(), table, index.name.as_str()));
            }
        }
    }
    missing
}
