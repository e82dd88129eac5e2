//! Names of the columns and indexes that the store makes.

use authkit_core::{EntityDef, IndexDef, Reach};

/// The columns that stand before those of every key.
pub(crate) fn owner_of(def: &EntityDef) -> &'static [&'static str] {
    match def.reach {
        Reach::Tenant => &["tenant_id"],
        Reach::Global => &[],
    }
}

/// The columns of an index, the tenant first.
pub(crate) fn indexed(def: &EntityDef, index: &IndexDef) -> Vec<&'static str> {
    let columns = index.columns.iter().filter_map(|at| def.columns.get(*at)).map(|column| column.name);
    owner_of(def).iter().copied().chain(columns).collect()
}

pub(crate) fn index_name(table: &str, index: &str) -> String {
    fitting(format!("{table}_{index}"))
}

/// The index that the sweep reads; by it the column is found of a table that is not at hand.
pub(crate) fn expiry_index_name(table: &str) -> String {
    fitting(format!("{table}__expiry"))
}

/// The index that finds the rows which refer to a row that is removed.
pub(crate) fn reference_index_name(table: &str, column: &str) -> String {
    fitting(format!("{table}__{column}"))
}

/// Names are of at most 63 bytes, which every database can hold; a longer one ends with its checksum (FNV-1a).
fn fitting(name: String) -> String {
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let sum = name.bytes().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let kept: String = name.chars().take(LONGEST_NAME - 9).collect();
    format!("{kept}_{sum:08x}")
}

const LONGEST_NAME: usize = 63;
