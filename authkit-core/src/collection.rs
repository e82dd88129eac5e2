//! The right to touch one entity.

use std::{fmt, marker::PhantomData, ops::Bound, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    context::RequestContext,
    entity::{Column, Def, Entity, EntityDef, Index, Key, Ordered, PrefixOf, Projection, Reach, Unique, When},
    error::{AuthError, codes},
    id::{Id, TenantId},
    keys::{Sealed, base64url, from_base64url},
    store::{Direction, Get, Guard, Join, Lookup, Query, Row, Shape, Store, order_columns},
    timestamp::Timestamp,
    value::{ColumnKind, DecodeError, Value},
};

/// Where the rows of one entity live.
pub(crate) struct Table {
    pub(crate) def: Def,
    pub(crate) store: Arc<dyn Store>,
    whole: Arc<Shape>,
}

impl Table {
    pub(crate) fn new(def: Def, store: Arc<dyn Store>) -> Arc<Self> {
        let whole = Arc::new(Shape::whole(&def));
        Arc::new(Self { def, store, whole })
    }

    /// A row of another tenant coming back is a fault of the store, and nothing of it is used.
    fn own(&self, cx: &RequestContext, row: Row) -> Result<Row, AuthError> {
        let tenant = match self.def.reach {
            Reach::Tenant => cx.tenant(),
            Reach::Global => TenantId::DEFAULT,
        };
        if row.tenant != tenant {
            return Err(AuthError::new(&codes::INTERNAL).because("the store returned a row of another tenant"));
        }
        Ok(row)
    }
}

/// The right to read and write one entity. Comes from the [`Registrar`](crate::Registrar), for declared entities only.
///
/// # Examples
///
/// One row by its key, and a page of rows, newest first:
///
/// ```
/// use authkit_core::{At, AuthError, Collection, Entity, Id, Page, PrincipalId, RequestContext, Scan, Timestamp};
///
/// #[derive(Entity)]
/// #[entity(table = "shop_orders", durable, index(by_owner: owner, placed_at))]
/// struct Order {
///     id: Id,
///     owner: PrincipalId,
///     placed_at: Timestamp,
/// }
///
/// async fn latest(cx: &RequestContext, orders: &Collection<Order>, of: PrincipalId) -> Result<Page<Order>, AuthError> {
///     orders.query(cx, Scan::of(Order::by_owner, (of,)).descending().limit(20)).await
/// }
/// ```
pub struct Collection<E> {
    pub(crate) table: Arc<Table>,
    of: PhantomData<fn() -> E>,
}

/// The right to read one entity, lent by its owner through core.
pub struct ReadOnly<E>(Collection<E>);

impl<E> Clone for Collection<E> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone(), of: PhantomData }
    }
}

impl<E> Clone for ReadOnly<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> fmt::Debug for Collection<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collection({})", self.table.def.table)
    }
}

impl<E> fmt::Debug for ReadOnly<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadOnly({})", self.0.table.def.table)
    }
}

impl<E: Entity> Collection<E> {
    pub(crate) fn new(table: Arc<Table>) -> Self {
        Self { table, of: PhantomData }
    }

    pub(crate) fn lend(&self) -> ReadOnly<E> {
        ReadOnly(self.clone())
    }

    /// Reads one row; none if it is absent or expired.
    ///
    /// # Errors
    ///
    /// When the store fails or the row cannot be read.
    pub async fn get(&self, cx: &RequestContext, at: At<E>) -> Result<Option<E>, AuthError> {
        let get = Get { shape: self.table.whole.clone(), at: at.lookup, now: cx.now() };
        let Some(row) = self.table.store.get(&cx.scope(), &get).await? else {
            return Ok(None);
        };
        let row = self.table.own(cx, row)?;
        Ok(Some(E::from_values(row.values.into_iter())?))
    }

    /// Reads the rows of one page; its `next` leads to the one after.
    ///
    /// # Errors
    ///
    /// [`codes::INVALID_INPUT`] for a cursor of another query; else when the store fails or a row cannot be read.
    pub async fn query(&self, cx: &RequestContext, scan: Scan<E>) -> Result<Page<E>, AuthError> {
        let query = scan.into_query(&self.table, cx.now())?;
        let mut rows = self.table.store.query(&cx.scope(), &query).await?;
        let more = rows.len() > query.limit.saturating_sub(1);
        rows.truncate(query.limit.saturating_sub(1));
        let next = match rows.last() {
            Some(last) if more => Some(Cursor::of(&self.table.def, &query, last)),
            _ => None,
        };
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            items.push(E::from_values(self.table.own(cx, row)?.values.into_iter())?);
        }
        Ok(Page { items, next })
    }

    /// Prepares a read of some columns by primary key. Make it once, when the plugin registers.
    pub fn reader<C: Projection<E>>(&self, columns: C) -> Reader<E, C> {
        let shape = Shape { def: self.table.def.clone(), columns: columns.positions(), join: None };
        Reader { table: self.table.clone(), columns, shape: Arc::new(shape), of: PhantomData }
    }

    /// Prepares a read of some columns by primary key, together with columns of the row that `via` refers to.
    ///
    /// It is one store call, or two if the application put one of the entities into another store.
    pub fn joined_reader<C, T, W, J, D>(
        &self,
        columns: C,
        via: Column<E, T, W>,
        other: &ReadOnly<J>,
        joined: D,
    ) -> JoinedReader<E, C, J, D>
    where
        C: Projection<E>,
        J: Entity<Id = T>,
        D: Projection<J>,
    {
        let other = &other.0.table;
        let mut shape = Shape { def: self.table.def.clone(), columns: columns.positions(), join: None };
        let apart = !Arc::ptr_eq(&self.table.store, &other.store);
        let apart = if apart {
            shape.columns.push(via.position());
            let shape = Shape { def: other.def.clone(), columns: joined.positions(), join: None };
            Some((other.clone(), Arc::new(shape)))
        } else {
            let (def, columns) = (other.def.clone(), joined.positions());
            shape.join = Some(Join { via: via.position(), def, columns });
            None
        };
        JoinedReader { table: self.table.clone(), columns, joined, shape: Arc::new(shape), apart, of: PhantomData }
    }

    /// Encrypts a value for one column of one row.
    ///
    /// # Errors
    ///
    /// When the value has no JSON form.
    ///
    /// # Examples
    ///
    /// What has to be read back is stored sealed, bound to its row:
    ///
    /// ```
    /// use authkit_core::{At, AuthError, Collection, Entity, Id, RequestContext, Sealed};
    ///
    /// #[derive(Entity)]
    /// #[entity(table = "shop_cards", durable)]
    /// struct Card {
    ///     id: Id,
    ///     number: Sealed<String>,
    /// }
    ///
    /// fn card(cx: &RequestContext, cards: &Collection<Card>, number: &String) -> Result<Card, AuthError> {
    ///     let id = cx.new_id();
    ///     Ok(Card { id, number: cards.seal(cx, Card::number, id, number)? })
    /// }
    /// ```
    pub fn seal<T, W>(
        &self,
        cx: &RequestContext,
        column: Column<E, Sealed<T>, W>,
        row: E::Id,
        value: &T,
    ) -> Result<Sealed<T>, AuthError>
    where
        T: Serialize + DeserializeOwned,
    {
        Ok(Sealed::seal(cx.keys(), &self.seal_context(cx, column.position(), row), value, cx.engine.rng.as_ref())?)
    }

    /// Decrypts a column of one row.
    ///
    /// # Errors
    ///
    /// When it was sealed for another row, column or tenant, or under a key that is gone.
    pub fn open<T, W>(
        &self,
        cx: &RequestContext,
        column: Column<E, Sealed<T>, W>,
        row: E::Id,
        sealed: &Sealed<T>,
    ) -> Result<T, AuthError>
    where
        T: Serialize + DeserializeOwned,
    {
        Ok(sealed.open(cx.keys(), &self.seal_context(cx, column.position(), row))?)
    }

    fn seal_context(&self, cx: &RequestContext, column: usize, row: E::Id) -> Vec<u8> {
        let def = &self.table.def;
        let column = def.columns.get(column).map_or("", |c| c.name);
        // Rows of global entities are of all tenants.
        let tenant = if def.reach == Reach::Global { TenantId::DEFAULT } else { cx.tenant() };
        let (tenant, row): (Id, Id) = (tenant.into(), row.into());
        [def.table.as_bytes(), b".", column.as_bytes(), b"\0", tenant.as_bytes(), row.as_bytes()].concat()
    }
}

impl<E: Entity> ReadOnly<E> {
    /// Reads one row; none if it is absent or expired.
    ///
    /// # Errors
    ///
    /// When the store fails or the row cannot be read.
    pub async fn get(&self, cx: &RequestContext, at: At<E>) -> Result<Option<E>, AuthError> {
        self.0.get(cx, at).await
    }

    /// Reads the rows of one page.
    ///
    /// # Errors
    ///
    /// As [`Collection::query`].
    pub async fn query(&self, cx: &RequestContext, scan: Scan<E>) -> Result<Page<E>, AuthError> {
        self.0.query(cx, scan).await
    }
}

/// A prepared read of some columns of `E`, in one store call.
pub struct Reader<E, C> {
    table: Arc<Table>,
    columns: C,
    shape: Arc<Shape>,
    of: PhantomData<fn() -> E>,
}

impl<E: Entity, C: Projection<E>> Reader<E, C> {
    /// Reads the columns of one row; none if it is absent or expired.
    ///
    /// # Errors
    ///
    /// When the store fails or the row cannot be read.
    pub async fn get(&self, cx: &RequestContext, at: At<E>) -> Result<Option<C::Output>, AuthError> {
        let get = Get { shape: self.shape.clone(), at: at.lookup, now: cx.now() };
        let Some(row) = self.table.store.get(&cx.scope(), &get).await? else {
            return Ok(None);
        };
        let row = self.table.own(cx, row)?;
        Ok(Some(self.columns.decode(&mut row.values.into_iter())?))
    }
}

impl<E, C> fmt::Debug for Reader<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", self.table.def.table)
    }
}

/// A prepared read of some columns of `E` and of the `J` that it refers to, in one store call.
pub struct JoinedReader<E, C, J, D> {
    table: Arc<Table>,
    columns: C,
    joined: D,
    shape: Arc<Shape>,
    /// Where the joined row is read if it lives in another store.
    apart: Option<(Arc<Table>, Arc<Shape>)>,
    of: PhantomData<fn() -> (E, J)>,
}

impl<E: Entity, C: Projection<E>, J: Entity, D: Projection<J>> JoinedReader<E, C, J, D> {
    /// Reads both rows; none if either is absent or expired.
    ///
    /// # Errors
    ///
    /// When the store fails or a row cannot be read.
    pub async fn get(&self, cx: &RequestContext, at: At<E>) -> Result<Option<(C::Output, D::Output)>, AuthError> {
        let get = Get { shape: self.shape.clone(), at: at.lookup, now: cx.now() };
        let Some(row) = self.table.store.get(&cx.scope(), &get).await? else {
            return Ok(None);
        };
        let row = self.table.own(cx, row)?;
        let mut values = row.values.into_iter();
        let first = self.columns.decode(&mut values)?;
        let joined = match &self.apart {
            None => row.joined,
            Some((other, shape)) => {
                let at = Lookup { index: EntityDef::PRIMARY_KEY, key: values.collect() };
                let get = Get { shape: shape.clone(), at, now: cx.now() };
                let row = other.store.get(&cx.scope(), &get).await?;
                row.map(|row| other.own(cx, row)).transpose()?.map(|row| row.values)
            }
        };
        let Some(joined) = joined else {
            return Ok(None);
        };
        Ok(Some((first, self.joined.decode(&mut joined.into_iter())?)))
    }
}

impl<E, C, J, D> fmt::Debug for JoinedReader<E, C, J, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinedReader({})", self.table.def.table)
    }
}

/// One row of `E`, by id or by a unique index.
pub struct At<E> {
    pub(crate) lookup: Lookup,
    of: PhantomData<fn() -> E>,
}

impl<E: Entity> At<E> {
    /// By primary key.
    #[must_use]
    pub fn id(id: E::Id) -> Self {
        let lookup = Lookup { index: EntityDef::PRIMARY_KEY, key: vec![Value::Id(id.into())] };
        Self { lookup, of: PhantomData }
    }

    /// By a unique index.
    #[must_use]
    pub fn key<K: Key>(index: Index<E, K, Unique>, key: K) -> Self {
        Self { lookup: Lookup { index: index.position(), key: key.into_values() }, of: PhantomData }
    }
}

impl<E> fmt::Debug for At<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "At(index {})", self.lookup.index)
    }
}

/// A read of rows of `E` along one index.
pub struct Scan<E> {
    index: usize,
    prefix: Vec<Value>,
    from: Bound<Value>,
    to: Bound<Value>,
    filters: Vec<Guard>,
    direction: Direction,
    after: Option<Cursor>,
    limit: usize,
    of: PhantomData<fn() -> E>,
}

impl<E: Entity> Scan<E> {
    /// The most rows that one page holds.
    pub const MAX_LIMIT: usize = 1000;

    /// All rows whose leading index columns have these values, in ascending order, 100 to a page.
    ///
    /// The columns after these are the order, so none of them may be nullable; one that has a lower bound may.
    #[must_use]
    pub fn of<K, U>(index: Index<E, K, U>, prefix: impl PrefixOf<K>) -> Self {
        Self {
            index: index.position(),
            prefix: prefix.into_values(),
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            filters: Vec::new(),
            direction: Direction::Ascending,
            after: None,
            limit: 100,
            of: PhantomData,
        }
    }

    /// Only rows whose first column after the prefix is at least this. NULL is not.
    #[must_use]
    pub fn at_least(mut self, value: impl Ordered) -> Self {
        self.from = Bound::Included(value.into_value());
        self
    }

    /// Only rows whose first column after the prefix is below this. NULL is not.
    #[must_use]
    pub fn below(mut self, value: impl Ordered) -> Self {
        self.to = Bound::Excluded(value.into_value());
        self
    }

    /// Only rows that also meet this.
    #[must_use]
    pub fn filter(mut self, when: When<E>) -> Self {
        self.filters.push(when.guard);
        self
    }

    /// Greatest first.
    #[must_use]
    pub const fn descending(mut self) -> Self {
        self.direction = Direction::Descending;
        self
    }

    /// At most this many rows, from 1 to [`Scan::MAX_LIMIT`].
    #[must_use]
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = rows.clamp(1, Self::MAX_LIMIT);
        self
    }

    /// Goes on where an earlier page ended.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }

    /// Asks for one row more than the limit, which tells whether there is another page.
    fn into_query(self, table: &Table, now: Timestamp) -> Result<Query, AuthError> {
        // Stores differ in where NULL stands. A lower bound leaves it out of the first column.
        let bounded = usize::from(!matches!(self.from, Bound::Unbounded));
        let ordered = order_columns(&table.def, self.index, self.prefix.len()).iter().skip(bounded);
        if ordered.filter_map(|at| table.def.columns.get(*at)).any(|column| column.nullable) {
            return Err(AuthError::new(&codes::INTERNAL).because("a scan is ordered by a column that may be NULL"));
        }
        let after = match self.after {
            Some(cursor) => Some(cursor.checked(&table.def, self.index, self.prefix.len())?),
            None => None,
        };
        Ok(Query {
            shape: table.whole.clone(),
            index: self.index,
            prefix: self.prefix,
            from: self.from,
            to: self.to,
            filters: self.filters,
            direction: self.direction,
            after,
            limit: self.limit.saturating_add(1),
            now,
        })
    }
}

impl<E> fmt::Debug for Scan<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scan(index {}, limit {})", self.index, self.limit)
    }
}

/// Rows, and where the next ones begin.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows, in order.
    pub items: Vec<T>,
    /// Leads to the next page; none after the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// For stores of sessions that do not page through a collection.
    #[must_use]
    pub const fn new(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self { items, next }
    }

    /// The same page with each row made into something else.
    #[must_use]
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

/// Where a page ended. Opaque text for clients; it opens nothing that the query would not show anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Vec<Value>);

impl Cursor {
    fn of(def: &EntityDef, query: &Query, last: &Row) -> Self {
        let value = |at: &usize| last.values.get(*at).cloned().unwrap_or(Value::Null);
        let order = order_columns(def, query.index, query.prefix.len());
        Self(order.iter().chain([&0]).map(value).collect())
    }

    fn checked(self, def: &EntityDef, index: usize, prefix: usize) -> Result<Vec<Value>, AuthError> {
        let order = order_columns(def, index, prefix).iter().chain([&0]);
        let kinds: Vec<Option<ColumnKind>> = order.map(|at| def.columns.get(*at).map(|c| c.kind)).collect();
        let fits = kinds.len() == self.0.len() && kinds.iter().zip(&self.0).all(|(kind, value)| *kind == value.kind());
        if fits {
            Ok(self.0)
        } else {
            Err(AuthError::new(&codes::INVALID_INPUT).field("after", "This cursor is not valid here."))
        }
    }

    /// The text that a client sends back.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::new();
        for value in &self.0 {
            let (kind, content) = match value {
                Value::Bool(b) => (b'b', vec![u8::from(*b)]),
                Value::Int(i) => (b'i', i.to_be_bytes().to_vec()),
                Value::Time(t) => (b't', t.millis().to_be_bytes().to_vec()),
                Value::Id(id) => (b'u', id.as_bytes().to_vec()),
                Value::Text(text) => (b's', text.clone().into_bytes()),
                Value::Null | Value::Bytes(_) | Value::Json(_) => (b'n', Vec::new()),
            };
            bytes.push(kind);
            bytes.extend_from_slice(&u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(&content);
        }
        base64url(&bytes)
    }

    /// Reads what [`Cursor::to_text`] wrote.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if it is not such a text.
    pub fn from_text(text: &str) -> Result<Self, DecodeError> {
        const INVALID: DecodeError = DecodeError { expected: "cursor" };
        let bytes = from_base64url(text).ok_or(INVALID)?;
        let mut rest = bytes.as_slice();
        let mut values = Vec::new();
        while let Some(([kind, high, low], tail)) = rest.split_first_chunk::<3>() {
            let (content, tail) = tail.split_at_checked(u16::from_be_bytes([*high, *low]).into()).ok_or(INVALID)?;
            let number = || content.try_into().map(i64::from_be_bytes).map_err(|_error| INVALID);
            values.push(match kind {
                b'b' => Value::Bool(content == [1]),
                b'i' => Value::Int(number()?),
                b't' => Value::Time(Timestamp::from_millis(number()?)),
                b'u' => Value::Id(Id::from_bytes(content.try_into().map_err(|_error| INVALID)?)),
                b's' => Value::Text(String::from_utf8(content.to_vec()).map_err(|_error| INVALID)?),
                _ => return Err(INVALID),
            });
            rest = tail;
        }
        if rest.is_empty() && !values.is_empty() { Ok(Self(values)) } else { Err(INVALID) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_text_comes_back_and_garbage_is_refused() {
        let values = vec![
            Value::Time(Timestamp::from_millis(-5)),
            Value::Text("ä b".into()),
            Value::Int(i64::MIN),
            Value::Bool(true),
            Value::Id(Id::from_bytes([3; 16])),
        ];
        let text = Cursor(values.clone()).to_text();
        assert_eq!(Cursor::from_text(&text).unwrap().0, values);
        for bad in ["", "!", "AAAA", &text[1..], &text[..text.len() - 2]] {
            assert!(Cursor::from_text(bad).is_err(), "{bad}");
        }
    }
}
