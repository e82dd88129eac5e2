#![doc = include_str!("../README.md")]

mod attribute;
#[cfg(doctest)]
mod compile_fail;
mod declaration;
mod expand;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

use crate::{declaration::Declaration, expand::expand};

/// Declares a struct as the rows of one table.
///
/// The attribute is `#[entity(…)]`, on the struct and on its fields. Its keys and the rules are in the
/// [crate documentation](crate).
///
/// # Examples
///
/// A table with a unique key, an index, an expiry and a column that is written without a record:
///
/// ```
/// use authkit_core::{At, Entity, Id, PrincipalId, Scan, Timestamp};
///
/// #[derive(Entity)]
/// #[entity(table = "shop_carts", durable, unique(by_owner: owner), index(by_time: touched_at), expires(expires_at))]
/// struct Cart {
///     id: Id,
///     owner: PrincipalId,
///     #[entity(volatile)]
///     touched_at: Timestamp,
///     expires_at: Timestamp,
/// }
///
/// fn of(owner: PrincipalId) -> At<Cart> {
///     At::key(Cart::by_owner, (owner,))
/// }
/// ```
#[proc_macro_derive(Entity, attributes(entity))]
pub fn entity(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    match Declaration::new(&input) {
        Ok(declaration) => expand(&declaration).into(),
        Err(error) => error.into_compile_error().into(),
    }
}
