//! The contract of a storage backend.

use std::{fmt, ops::Bound, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    entity::{Def, EntityDef},
    error::BoxError,
    id::{Id, TenantId},
    schema::Migration,
    timestamp::Timestamp,
    value::Value,
};

/// Keeps the rows of declared entities.
///
/// A store knows [`EntityDef`]s, [`Value`]s and [`Op`]s; it knows no plugin. A SQL store makes one table per entity and
/// one column per field, and adds `tenant_id` (for [`Reach::Tenant`](crate::Reach)).
///
/// # Contract
///
/// 1. Every [`Value`] comes back as it was stored, with its kind.
/// 2. `commit` lands as a whole or not at all; concurrent commits behave as if made one after the other. An error names
///    the first op that failed, and nothing was written unless the error is [`StoreError::Unknown`].
/// 3. Unique indexes hold per tenant; a row with a NULL in the key collides with none.
/// 4. Guards are judged on the row as it is when the commit lands. [`Write::Ensure`] holds until then against
///    concurrent writers.
/// 5. A row past its expiry at `now` is absent for every call, swept or not: it is not returned, collides with nothing,
///    is not bumped and satisfies no guard.
/// 6. A call with [`Scope::Tenant`] neither reads nor writes rows of another tenant. Global entities are reached with
///    either scope; entities of tenants are not reached with [`Scope::Global`].
/// 7. Writing a reference to a row that is absent, or expired, fails with [`StoreError::Guard`]. Removing a row removes
///    the rows that refer to it.
/// 8. Conflicts between commits (deadlocks, serialization failures, a locked database) are retried inside, bounded;
///    what still fails is [`StoreError::Busy`] and wrote nothing.
/// 9. Dropping the future of a call at any point leaves either everything or nothing written.
/// 10. The ops of a commit see what the ops before them did.
/// 11. A NULL expiry is never. A number that would leave 64 bits is [`StoreError::Corrupt`], but for a [`Write::Bump`], which
///     loses its guard. If two unique indexes collide at once, either is named.
/// 12. `migrate` accepts a database that newer steps were applied to, and an insert by an older declaration gets the
///     defaults of the newer columns: the version before runs on the schema after.
///
/// The crate `authkit-testkit` has a test per clause: `store_suite!`.
///
/// # Examples
///
/// A store that is shared with the rest of the application, or that a wrapper watches, is handed in as it is:
///
/// ```
/// use std::sync::Arc;
/// use authkit_core::{AuthManager, Builder, Store};
///
/// fn over(store: Arc<dyn Store>) -> Builder {
///     AuthManager::builder().shared_store(store)
/// }
/// ```
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// What this store can promise beyond the contract.
    fn capabilities(&self) -> Capabilities;

    /// The statements that [`Store::migrate`] would run for these steps on an empty database, one each.
    ///
    /// A store without a schema returns none.
    fn statements(&self, steps: &[Migration]) -> Vec<String>;

    /// Applies the steps that were not applied yet, in order; may be called by many nodes at once.
    ///
    /// Called each time the store is opened, before any other call. `defs` is what the steps add up to. An applied step
    /// whose checksum differs is refused, and so is a table that has less than is declared; it may have more. Step numbers
    /// of a plugin may have gaps, where other tables of its live in another store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if the history or the catalogue differs from the steps, else as any call.
    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError>;

    /// Reads one row by a unique key, with the joined row if one was asked for.
    ///
    /// # Errors
    ///
    /// When the backend fails; an absent row is no error.
    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError>;

    /// Reads rows along one index.
    ///
    /// # Errors
    ///
    /// When the backend fails; no rows are no error.
    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError>;

    /// Writes everything or nothing; returns one [`Done`] per op.
    ///
    /// # Errors
    ///
    /// Every variant of [`StoreError`].
    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError>;

    /// Removes at most `limit` expired rows of all tenants and says how many, without rows of other tables that go along.
    ///
    /// # Errors
    ///
    /// When the backend fails.
    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError>;
}

// Fails to compile the day the trait stops being usable as `dyn`.
const _: fn(&dyn Store) = |_| ();

/// What a store can promise beyond the contract; `build()` compares it with what is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// How much one commit may span.
    pub batches: BatchSpan,
    /// Whether an acknowledged write may be lost later.
    pub durability: Acknowledgement,
}

impl Capabilities {
    /// Any rows in one commit, and no acknowledged write is lost.
    pub const FULL: Self = Self { batches: BatchSpan::Everything, durability: Acknowledgement::Kept };
}

/// How much one commit may span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchSpan {
    /// Any rows of any entities.
    Everything,
    /// Rows of one entity only.
    OneEntity,
}

/// Whether an acknowledged write may be lost later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acknowledgement {
    /// It stays.
    Kept,
    /// It may vanish, for instance in a failover.
    MayBeLost,
}

/// Whose rows a call may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the contract knows these two")]
pub enum Scope {
    /// Rows of this tenant, and global entities.
    Tenant(TenantId),
    /// Global entities only.
    Global,
}

/// What is read of a row, and of the row it refers to. Made once and shared, so stores may cache by its address.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store reads it whole")]
pub struct Shape {
    /// The entity.
    pub def: Def,
    /// Positions of the wanted columns, at least one, in this order.
    pub columns: Vec<usize>,
    /// The joined row.
    pub join: Option<Join>,
}

impl Shape {
    /// All columns and no join.
    #[must_use]
    pub fn whole(def: &Def) -> Self {
        Self { def: def.clone(), columns: (0..def.columns.len()).collect(), join: None }
    }
}

/// The row whose id stands in a column of the first one. It is absent in the result if there is none.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store reads it whole")]
pub struct Join {
    /// Position of the column that holds the id.
    pub via: usize,
    /// The joined entity, of the same reach.
    pub def: Def,
    /// Positions of the wanted columns, in this order.
    pub columns: Vec<usize>,
}

/// A unique index and a value for each of its columns; no value is NULL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a store reads it whole")]
pub struct Lookup {
    /// Position of the index.
    pub index: usize,
    /// One value per column of the index.
    pub key: Vec<Value>,
}

/// A read of one row.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a store reads it whole")]
pub struct Get {
    /// What to read.
    pub shape: Arc<Shape>,
    /// Which row.
    pub at: Lookup,
    /// The time by which expiry is judged.
    pub now: Timestamp,
}

/// A read of rows along one index, ordered by the index's columns after the prefix and then by id.
///
/// Core never asks for an order in which a NULL would stand: columns after the prefix are not nullable, or `from` is
/// bounded, which leaves NULL out.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a store reads it whole")]
pub struct Query {
    /// What to read; never with a join.
    pub shape: Arc<Shape>,
    /// Position of the index.
    pub index: usize,
    /// Values of the leading columns; NULL matches NULL.
    pub prefix: Vec<Value>,
    /// Lower bound of the first column after the prefix; never NULL.
    pub from: Bound<Value>,
    /// Upper bound of the first column after the prefix; never NULL.
    pub to: Bound<Value>,
    /// Conditions that the rows also meet.
    pub filters: Vec<Guard>,
    /// Which way.
    pub direction: Direction,
    /// Where the page before ended: the values of the index's columns after the prefix, then the id.
    pub after: Option<Vec<Value>>,
    /// At most this many rows.
    pub limit: usize,
    /// The time by which expiry is judged.
    pub now: Timestamp,
}

/// Which way a query runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// A stored row, as much of it as was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store makes it")]
pub struct Row {
    /// Whose it is; [`TenantId::DEFAULT`] for global entities.
    pub tenant: TenantId,
    /// The wanted columns, in the order asked for.
    pub values: Vec<Value>,
    /// The wanted columns of the joined row.
    pub joined: Option<Vec<Value>>,
}

/// A condition on one column of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a store reads it whole")]
pub struct Guard {
    /// Position of the column.
    pub column: usize,
    /// How the stored value relates to `value`.
    pub comparison: Comparison,
    /// What it is compared with.
    pub value: Value,
}

/// How a stored value relates to a given one. NULL equals NULL and is neither above nor below anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "a store has to handle every one")]
pub enum Comparison {
    /// Stored = given.
    Equal,
    /// Stored ≠ given.
    NotEqual,
    /// Stored < given.
    Less,
    /// Stored ≤ given.
    AtMost,
    /// Stored > given.
    Greater,
    /// Stored ≥ given.
    AtLeast,
}

impl Guard {
    /// Whether a row of these values meets the condition.
    #[must_use]
    pub fn holds(&self, values: &[Value]) -> bool {
        let Some(stored) = values.get(self.column) else {
            return false;
        };
        let comparable = *stored != Value::Null && self.value != Value::Null;
        match self.comparison {
            Comparison::Equal => *stored == self.value,
            Comparison::NotEqual => *stored != self.value,
            Comparison::Less => comparable && *stored < self.value,
            Comparison::AtMost => comparable && *stored <= self.value,
            Comparison::Greater => comparable && *stored > self.value,
            Comparison::AtLeast => comparable && *stored >= self.value,
        }
    }
}

/// A new value for one column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "a store has to handle every one")]
pub enum Set {
    /// The column at this position becomes this value.
    To(usize, Value),
    /// This number is added to the column at this position, an integer that is not NULL.
    Add(usize, i64),
}

/// One write of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store reads it whole")]
pub struct Op {
    /// The entity.
    pub def: Def,
    /// What is written of it.
    pub write: Write,
}

/// What an [`Op`] writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "a store has to handle every one")]
pub enum Write {
    /// Adds a row; refuses to overwrite.
    Insert {
        /// All columns.
        values: Vec<Value>,
    },
    /// Changes a row that is present and meets the guards; otherwise its guard is lost.
    Update {
        /// Which row.
        at: Lookup,
        /// Conditions on the row.
        guards: Vec<Guard>,
        /// What changes; nothing at all demands the guards alone.
        set: Vec<Set>,
    },
    /// Removes a row that is present and meets the guards, and returns it; otherwise its guard is lost.
    Take {
        /// Which row.
        at: Lookup,
        /// Conditions on the row.
        guards: Vec<Guard>,
    },
    /// Removes every row under an index prefix that meets the guards, and returns their ids; those of rows that go along
    /// are not among them.
    Purge {
        /// Position of the index.
        index: usize,
        /// Values of the leading columns, at least one; none is NULL.
        prefix: Vec<Value>,
        /// Conditions on a row; one that does not meet them stays.
        guards: Vec<Guard>,
    },
    /// Adds to a counter, making its row if absent; its guard is lost where the sum would exceed `max`.
    ///
    /// The new value is the greater of the old value (0 if absent) and `floor`, plus `by`. A row that exists keeps its
    /// other columns, but its expiry becomes the later of its own and the given one. The entity has no unique index
    /// besides the primary key and `index`.
    Bump {
        /// Position of the unique index that finds the row.
        index: usize,
        /// All columns of the row as it is made if absent; the counter column is ignored.
        values: Vec<Value>,
        /// Position of the counter, an integer.
        column: usize,
        /// What is added; may be negative.
        by: i64,
        /// The least value to add to.
        floor: Option<i64>,
        /// The greatest value that may result.
        max: Option<i64>,
    },
    /// Writes nothing; the row must be present and meet the guards when the commit lands.
    Ensure {
        /// Which row.
        at: Lookup,
        /// Conditions on the row.
        guards: Vec<Guard>,
    },
}

/// What an op did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store makes it")]
pub enum Done {
    /// Insert, Update, Ensure.
    Written,
    /// Take: the row that was removed.
    Taken(Row),
    /// Purge: the ids of the rows that were removed.
    Purged(Vec<Id>),
    /// Bump: the new value.
    Bumped(i64),
}

/// Why a [`Store`] could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A unique index of the entity of op number `op` already has the key. Nothing was written.
    #[error("a row with this key exists (op {op}, index {index})")]
    Duplicate {
        /// Position of the op in the commit.
        op: usize,
        /// Position of the index in the entity; one past the last if the op's declaration does not have it yet.
        index: usize,
    },
    /// The row of op number `op` is absent or does not meet the guards. Nothing was written.
    #[error("a guard was lost (op {op})")]
    Guard {
        /// Position of the op in the commit.
        op: usize,
    },
    /// Others are in the way. Nothing was written; the caller may try again later.
    #[error("the store is busy")]
    Busy,
    /// The backend did not answer. Nothing was written; the caller may try again later.
    #[error("the store is unavailable")]
    Unavailable(#[source] BoxError),
    /// The commit may or may not have landed.
    #[error("the outcome of a commit is unknown")]
    Unknown,
    /// What is stored cannot be read, or differs from what was declared.
    #[error("stored data is not as declared")]
    Corrupt(#[source] BoxError),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => write!(f, "tenant {tenant}"),
            Self::Global => f.write_str("global"),
        }
    }
}

/// Positions of an index's columns after a prefix of the given length.
#[must_use]
pub fn order_columns(def: &EntityDef, index: usize, prefix: usize) -> &[usize] {
    def.indexes.get(index).and_then(|i| i.columns.get(prefix..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_comes_back_from_its_text_with_every_kind_of_value() {
        let values = vec![
            Value::Null,
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Int(i64::MAX),
            Value::Time(Timestamp::MIN),
            Value::Time(Timestamp::from_millis(-1)),
            Value::Time(Timestamp::MAX),
            Value::Id(Id::from_bytes([0xa7; 16])),
            Value::Text("\u{1f511} \"quoted\"".to_owned()),
            Value::Bytes(Vec::new()),
            Value::Bytes((0..=u8::MAX).collect()),
            Value::Json("{ \"as\" : \"written\" }".to_owned()),
        ];
        let at = || Lookup { index: 1, key: values.clone() };
        let guard = |comparison| Guard { column: 2, comparison, value: Value::Int(3) };
        let guards = || {
            use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
            [Equal, NotEqual, Less, AtMost, Greater, AtLeast].map(guard).to_vec()
        };
        let set = vec![Set::To(1, Value::Null), Set::Add(2, -1)];
        for write in [
            Write::Insert { values: values.clone() },
            Write::Update { at: at(), guards: guards(), set },
            Write::Take { at: at(), guards: guards() },
            Write::Purge { index: 1, prefix: values.clone(), guards: guards() },
            Write::Bump { index: 1, values: values.clone(), column: 2, by: -1, floor: Some(0), max: None },
            Write::Ensure { at: at(), guards: guards() },
        ] {
            let text = serde_json::to_string(&write).unwrap();
            assert_eq!(serde_json::from_str::<Write>(&text).unwrap(), write, "{text}");
        }
    }
}
