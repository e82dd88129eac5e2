use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

use super::{Record, Standing};

/// What a dry run would have written: 16 bytes for each id and identifier, whatever their length.
///
/// The hashes are keyed at random. Among a million accounts, the chance that two share one is one in ten million.
#[derive(Default)]
pub(super) struct Planned {
    keys: RandomState,
    /// By hash of an id or an identifier, the hash of the id whose it is.
    owners: HashMap<u64, u64>,
}

impl Planned {
    /// Adds a record; says how it stands to those before.
    pub(super) fn add(&mut self, record: &Record) -> Standing {
        let id = self.keys.hash_one(("", &record.source_id));
        let identifiers = record.identifiers.iter().map(|known| &known.identifier);
        let identifiers: Vec<u64> = identifiers.map(|one| self.keys.hash_one((one.kind, &one.canonical))).collect();
        let owner = |hash: &u64| self.owners.get(hash).copied();
        let standing = Standing::of(owner(&id), identifiers.iter().map(owner));
        if standing == Standing::New {
            self.owners.extend(identifiers.into_iter().chain([id]).map(|hash| (hash, id)));
        }
        standing
    }
}
