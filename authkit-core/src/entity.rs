//! Declared data: what an entity's table looks like, and its typed columns.

use std::{fmt, marker::PhantomData, sync::Arc};

use crate::{
    id::Id,
    store::{Comparison, Guard, Set},
    timestamp::Timestamp,
    value::{ColumnKind, DecodeError, Field, Value},
};

/// A struct whose instances are rows of one table. Derive it; see [`macro@crate::Entity`].
pub trait Entity: Sized + Send + Sync + 'static {
    /// The type of the first column, `id`.
    type Id: Field + Into<Id> + From<Id> + Copy + Send + Sync;
    /// [`Durable`] or [`Ephemeral`].
    type Durability: DurabilityKind;

    /// The declaration of the table.
    fn def() -> EntityDef;

    /// All columns in the order of the declaration.
    fn into_values(self) -> Vec<Value>;

    /// Reads all columns in the order of the declaration.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if a value is missing or not of the declared form.
    fn from_values(values: impl Iterator<Item = Value>) -> Result<Self, DecodeError>;
}

/// Whether writing needs an audit event. Implemented by [`Durable`] and [`Ephemeral`] only.
pub trait DurabilityKind: sealed::Sealed + Send + Sync + 'static {
    /// The same as a value.
    const DURABILITY: Durability;
}

/// Marks entities that are written only together with an audit event.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a marker without values")]
pub enum Durable {}

/// Marks entities that may be written without an audit event: flows, counters.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a marker without values")]
pub enum Ephemeral {}

impl DurabilityKind for Durable {
    const DURABILITY: Durability = Durability::Durable;
}

impl DurabilityKind for Ephemeral {
    const DURABILITY: Durability = Durability::Ephemeral;
}

mod sealed {
    /// Keeps the kinds of durability closed.
    #[expect(unnameable_types, reason = "nobody outside may implement it")]
    pub trait Sealed {}
    impl Sealed for super::Durable {}
    impl Sealed for super::Ephemeral {}
}

/// Whether writing an entity needs an audit event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the contract knows these two")]
pub enum Durability {
    /// Needs one.
    Durable,
    /// Needs none.
    Ephemeral,
}

/// Whose rows a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the contract knows these two")]
pub enum Reach {
    /// Rows of one tenant each: the table has a `tenant_id`, and every index begins with it.
    Tenant,
    /// Rows of the whole installation.
    Global,
}

/// A table, as data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct EntityDef {
    /// Table name, lower-case ASCII with underscores, at most 40 characters.
    pub table: &'static str,
    /// Whose rows it holds.
    pub reach: Reach,
    /// Whether writing needs an audit event.
    pub durability: Durability,
    /// The columns; the first is `id`.
    pub columns: Vec<ColumnDef>,
    /// The indexes; the first is the primary key.
    pub indexes: Vec<IndexDef>,
    /// Columns that hold the id of a row of another table.
    pub references: Vec<ReferenceDef>,
    /// Position of the column after which a row is absent.
    pub expiry: Option<usize>,
    /// Whether an application may put the table into a second store; see [`Builder::route`](crate::Builder::route).
    pub routable: bool,
}

/// A shared table declaration.
pub type Def = Arc<EntityDef>;

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "two independent facts about a column")]
pub struct ColumnDef {
    /// Column name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Whether it may be written without a record.
    pub volatile: bool,
    /// What rows that existed before the column have in it.
    pub default: Option<Value>,
}

/// One index of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IndexDef {
    /// Name within the table.
    pub name: &'static str,
    /// Positions of the columns, without the tenant.
    pub columns: Vec<usize>,
    /// Whether two rows of a tenant may agree in all columns; rows with a NULL among them always may.
    pub unique: bool,
}

/// A column that holds the id of a row of another table of the same reach.
///
/// Inserting a row whose referenced row is absent loses its guard; removing a referenced row removes the rows that
/// refer to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ReferenceDef {
    /// Position of the column.
    pub column: usize,
    /// Name of the referenced table.
    pub table: &'static str,
}

impl EntityDef {
    /// Position of the primary key among the indexes.
    pub const PRIMARY_KEY: usize = 0;

    /// Starts a declaration with its primary key; the derive completes it.
    #[must_use]
    pub fn new(table: &'static str, reach: Reach, durability: Durability, columns: Vec<ColumnDef>) -> Self {
        let primary_key = IndexDef { name: "id", columns: vec![0], unique: true };
        Self {
            table,
            reach,
            durability,
            columns,
            indexes: vec![primary_key],
            references: Vec::new(),
            expiry: None,
            routable: false,
        }
    }

    /// Adds an index over the columns at these positions.
    #[must_use]
    pub fn index(mut self, name: &'static str, columns: &[usize], uniqueness: Uniqueness) -> Self {
        let unique = matches!(uniqueness, Uniqueness::Unique);
        self.indexes.push(IndexDef { name, columns: columns.to_vec(), unique });
        self
    }

    /// Says that the column at this position refers to a row of `table`.
    #[must_use]
    pub fn reference(mut self, column: usize, table: &'static str) -> Self {
        self.references.push(ReferenceDef { column, table });
        self
    }

    /// Says that a row is absent from the time in the column at this position on.
    #[must_use]
    pub fn expiry(mut self, column: usize) -> Self {
        self.expiry = Some(column);
        self
    }

    /// Says that an application may put the table into a second store: no guard on its rows protects other writes.
    #[must_use]
    pub fn routable(mut self) -> Self {
        self.routable = true;
        self
    }

    /// Position of the column of this name.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == column)
    }

    /// Whether the row of these values is past its expiry at `now`.
    #[must_use]
    pub fn is_expired(&self, values: &[Value], now: Timestamp) -> bool {
        let expires_at = self.expiry.and_then(|column| values.get(column));
        matches!(expires_at, Some(Value::Time(at)) if *at <= now)
    }
}

/// Whether an index forbids equal rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Uniqueness {
    /// Rows may be equal.
    Shared,
    /// No two rows of a tenant may be equal, NULL aside.
    Unique,
}

impl ColumnDef {
    /// Declares the column of a field.
    #[must_use]
    pub const fn new<T: Field>(name: &'static str) -> Self {
        Self { name, kind: T::KIND, nullable: T::NULLABLE, volatile: false, default: None }
    }

    /// Says that the column may be written without a record.
    #[must_use]
    pub const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Says what rows have that existed before the column.
    #[must_use]
    pub fn default(mut self, value: impl Field) -> Self {
        self.default = Some(value.into_value());
        self
    }
}

/// Marks columns whose change needs an event.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a marker without values")]
pub enum Recorded {}

/// Marks columns that may be touched without a record.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a marker without values")]
pub enum Volatile {}

/// Ties a handle to types without owning any.
type Marker<T> = PhantomData<fn() -> T>;

/// The column `T` of entity `E`, as the derive declares it.
pub struct Column<E, T, W = Recorded> {
    position: usize,
    of: Marker<(E, T, W)>,
}

impl<E, T, W> Clone for Column<E, T, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, T, W> Copy for Column<E, T, W> {}

impl<E, T, W> fmt::Debug for Column<E, T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({})", self.position)
    }
}

impl<E, T, W> Column<E, T, W> {
    /// For the derive: the column at this position.
    #[doc(hidden)]
    #[must_use]
    pub const fn at(position: usize) -> Self {
        Self { position, of: PhantomData }
    }

    /// Position among the columns of the entity.
    #[must_use]
    pub const fn position(self) -> usize {
        self.position
    }
}

impl<E, T: Field, W> Column<E, T, W> {
    /// Demands that the stored value equals this one; NULL equals NULL.
    #[must_use]
    pub fn eq(self, value: impl Into<T>) -> When<E> {
        self.when(Comparison::Equal, value.into())
    }

    /// Demands that the stored value differs from this one.
    #[must_use]
    pub fn ne(self, value: impl Into<T>) -> When<E> {
        self.when(Comparison::NotEqual, value.into())
    }

    fn when(self, comparison: Comparison, value: T) -> When<E> {
        let guard = Guard { column: self.position, comparison, value: value.into_value() };
        When { guard, of: PhantomData }
    }
}

impl<E, T: Ordered, W> Column<E, T, W> {
    /// Demands a stored value below this one; NULL never is.
    #[must_use]
    pub fn lt(self, value: T) -> When<E> {
        self.when(Comparison::Less, value)
    }

    /// Demands a stored value of at most this one; NULL never is.
    #[must_use]
    pub fn le(self, value: T) -> When<E> {
        self.when(Comparison::AtMost, value)
    }

    /// Demands a stored value above this one; NULL never is.
    #[must_use]
    pub fn gt(self, value: T) -> When<E> {
        self.when(Comparison::Greater, value)
    }

    /// Demands a stored value of at least this one; NULL never is.
    #[must_use]
    pub fn ge(self, value: T) -> When<E> {
        self.when(Comparison::AtLeast, value)
    }
}

impl<E, T: Field> Column<E, T, Recorded> {
    /// Writes this value.
    #[must_use]
    pub fn set(self, value: impl Into<T>) -> Change<E, Recorded> {
        Change::new(Set::To(self.position, value.into().into_value()))
    }
}

impl<E, T: Field> Column<E, T, Volatile> {
    /// Writes this value.
    #[must_use]
    pub fn set(self, value: impl Into<T>) -> Change<E, Volatile> {
        Change::new(Set::To(self.position, value.into().into_value()))
    }
}

impl<E> Column<E, i64, Recorded> {
    /// Adds to the stored number, saturating nowhere: keep it far from the bounds.
    #[must_use]
    pub fn plus(self, by: i64) -> Change<E, Recorded> {
        Change::new(Set::Add(self.position, by))
    }
}

/// Column types that have an order in every store.
pub trait Ordered: Field {}
impl Ordered for i64 {}
impl Ordered for Timestamp {}
impl<T: Ordered> Ordered for Option<T> {}

/// A condition on a row of `E`: the guard of a write or the filter of a query.
pub struct When<E> {
    pub(crate) guard: Guard,
    of: PhantomData<fn() -> E>,
}

impl<E> fmt::Debug for When<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "When({:?} {:?})", self.guard.column, self.guard.comparison)
    }
}

/// A new value for one column of `E`.
pub struct Change<E, W = Recorded> {
    pub(crate) set: Set,
    of: PhantomData<fn() -> (E, W)>,
}

impl<E, W> Change<E, W> {
    fn new(set: Set) -> Self {
        Self { set, of: PhantomData }
    }
}

impl<E> From<Change<E, Volatile>> for Change<E, Recorded> {
    fn from(change: Change<E, Volatile>) -> Self {
        Self::new(change.set)
    }
}

impl<E, W> fmt::Debug for Change<E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Change(..)")
    }
}

/// An index of `E` over columns of the types `K`, as the derive declares it.
pub struct Index<E, K, U = Shared> {
    position: usize,
    of: Marker<(E, K, U)>,
}

/// Marks indexes in which rows may be equal.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a marker without values")]
pub enum Shared {}

/// Marks indexes in which no two rows of a tenant are equal.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a marker without values")]
pub enum Unique {}

impl<E, K, U> Clone for Index<E, K, U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, K, U> Copy for Index<E, K, U> {}

impl<E, K, U> fmt::Debug for Index<E, K, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({})", self.position)
    }
}

impl<E, K, U> Index<E, K, U> {
    /// For the derive: the index at this position.
    #[doc(hidden)]
    #[must_use]
    pub const fn at(position: usize) -> Self {
        Self { position, of: PhantomData }
    }

    /// Position among the indexes of the entity; the primary key is 0.
    #[must_use]
    pub const fn position(self) -> usize {
        self.position
    }
}

/// A tuple of column values: a whole key, or the leading columns of one.
pub trait Key {
    /// The values in order.
    fn into_values(self) -> Vec<Value>;
}

/// Says that a tuple holds the leading columns of the key `K`.
pub trait PrefixOf<K>: Key {}

/// Several columns of `E` that are read together, and what their values become.
pub trait Projection<E> {
    /// The values as a tuple.
    type Output: Send;

    /// Positions of the columns.
    fn positions(&self) -> Vec<usize>;

    /// Reads the values, given in the order of the positions.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if a value is missing or not of the declared form.
    fn decode(&self, values: &mut dyn Iterator<Item = Value>) -> Result<Self::Output, DecodeError>;
}

impl Key for () {
    fn into_values(self) -> Vec<Value> {
        Vec::new()
    }
}

impl<K> PrefixOf<K> for () {}

macro_rules! tuples {
    ($(($($type:ident $var:ident),+;))+) => { $(
        impl<$($type: Field),+> Key for ($($type,)+) {
            fn into_values(self) -> Vec<Value> {
                let ($($var,)+) = self;
                vec![$($var.into_value()),+]
            }
        }
    )+ };
}

macro_rules! prefixes {
    ($(($($type:ident),+) of ($($all:ident),+);)+) => { $(
        impl<$($all: Field),+> PrefixOf<($($all,)+)> for ($($type,)+) {}
    )+ };
}

macro_rules! projections {
    ($(($($type:ident $write:ident $position:tt),+);)+) => { $(
        impl<E: 'static, $($type: Field + Send, $write: 'static),+> Projection<E> for ($(Column<E, $type, $write>,)+) {
            type Output = ($($type,)+);

            fn positions(&self) -> Vec<usize> {
                vec![$(self.$position.position),+]
            }

            fn decode(&self, values: &mut dyn Iterator<Item = Value>) -> Result<Self::Output, DecodeError> {
                Ok(($($type::from_value(values.next().ok_or(DecodeError::new("row"))?)?,)+))
            }
        }
    )+ };
}

tuples! {
    (A a;)
    (A a, B b;)
    (A a, B b, C c;)
    (A a, B b, C c, D d;)
}

prefixes! {
    (A) of (A);
    (A) of (A, B);
    (A) of (A, B, C);
    (A) of (A, B, C, D);
    (A, B) of (A, B);
    (A, B) of (A, B, C);
    (A, B) of (A, B, C, D);
    (A, B, C) of (A, B, C);
    (A, B, C) of (A, B, C, D);
    (A, B, C, D) of (A, B, C, D);
}

projections! {
    (A WA 0);
    (A WA 0, B WB 1);
    (A WA 0, B WB 1, C WC 2);
    (A WA 0, B WB 1, C WC 2, D WD 3);
    (A WA 0, B WB 1, C WC 2, D WD 3, F WF 4);
    (A WA 0, B WB 1, C WC 2, D WD 3, F WF 4, G WG 5);
    (A WA 0, B WB 1, C WC 2, D WD 3, F WF 4, G WG 5, H WH 6);
    (A WA 0, B WB 1, C WC 2, D WD 3, F WF 4, G WG 5, H WH 6, I WI 7);
    (A WA 0, B WB 1, C WC 2, D WD 3, F WF 4, G WG 5, H WH 6, I WI 7, J WJ 8);
    (A WA 0, B WB 1, C WC 2, D WD 3, F WF 4, G WG 5, H WH 6, I WI 7, J WJ 8, K WK 9);
    (A WA 0, B WB 1, C WC 2, D WD 3, F WF 4, G WG 5, H WH 6, I WI 7, J WJ 8, K WK 9, L WL 10);
    (A WA 0, B WB 1, C WC 2, D WD 3, F WF 4, G WG 5, H WH 6, I WI 7, J WJ 8, K WK 9, L WL 10, M WM 11);
}
