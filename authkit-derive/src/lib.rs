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
#[proc_macro_derive(Entity, attributes(entity))]
pub fn entity(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    match Declaration::new(&input) {
        Ok(declaration) => expand(&declaration).into(),
        Err(error) => error.into_compile_error().into(),
    }
}
