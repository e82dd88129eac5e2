//! The code that a declaration becomes.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, Type, ext::IdentExt as _};

use crate::{
    attribute::{Routing, Uniqueness, Write},
    declaration::{Column, Declaration, Index, Mention},
};

pub(crate) fn expand(declaration: &Declaration<'_>) -> TokenStream {
    let entity = entity_impl(declaration);
    let constants = constants(declaration);
    let assertions = assertions(declaration);
    quote! { #entity #constants #assertions }
}

fn entity_impl(declaration: &Declaration<'_>) -> TokenStream {
    let Declaration { ident, durability, columns, .. } = declaration;
    let id = columns.first().map(|column| column.ty);
    let def = def(declaration);
    let fields: Vec<&Ident> = columns.iter().map(|column| column.ident).collect();
    let types: Vec<&Type> = columns.iter().map(|column| column.ty).collect();
    let expected = ident.unraw().to_string();
    quote! {
        #[automatically_derived]
        impl ::authkit_core::Entity for #ident {
            type Id = #id;
            type Durability = ::authkit_core::#durability;

            fn def() -> ::authkit_core::EntityDef {
                #def
            }

            fn into_values(self) -> ::std::vec::Vec<::authkit_core::Value> {
                ::std::vec![#(<#types as ::authkit_core::Field>::into_value(self.#fields)),*]
            }

            fn from_values(
                mut values: impl ::core::iter::Iterator<Item = ::authkit_core::Value>,
            ) -> ::core::result::Result<Self, ::authkit_core::DecodeError> {
                fn next<T: ::authkit_core::Field>(
                    values: &mut impl ::core::iter::Iterator<Item = ::authkit_core::Value>,
                ) -> ::core::result::Result<T, ::authkit_core::DecodeError> {
                    match ::core::iter::Iterator::next(values) {
                        ::core::option::Option::Some(value) => ::authkit_core::Field::from_value(value),
                        ::core::option::Option::None => {
                            ::core::result::Result::Err(::authkit_core::DecodeError::new(#expected))
                        }
                    }
                }
                ::core::result::Result::Ok(Self { #(#fields: next::<#types>(&mut values)?),* })
            }
        }
    }
}

fn def(declaration: &Declaration<'_>) -> TokenStream {
    let Declaration { table, reach, durability, columns, indexes, references, expiry, routing, .. } = declaration;
    let columns = columns.iter().map(column_def);
    let indexes = indexes.iter().map(|index| {
        let Index { name, columns, uniqueness } = index;
        let name = name.unraw().to_string();
        let positions = columns.iter().map(|column| column.position);
        quote!(.index(#name, &[#(#positions),*], ::authkit_core::Uniqueness::#uniqueness))
    });
    let references = references.iter().map(|reference| {
        let (position, table) = (reference.column.position, &reference.table);
        quote!(.reference(#position, #table))
    });
    let expiry = expiry.iter().map(|column| {
        let position = column.position;
        quote!(.expiry(#position))
    });
    let routable = routing.map(|Routing::Routable| quote!(.routable()));
    quote! {
        ::authkit_core::EntityDef::new(
            #table,
            ::authkit_core::Reach::#reach,
            ::authkit_core::Durability::#durability,
            ::std::vec![#(#columns),*],
        )
        #(#indexes)*
        #(#references)*
        #(#expiry)*
        #routable
    }
}

fn column_def(column: &Column<'_>) -> TokenStream {
    let Column { ident, ty, write, default } = column;
    let name = ident.unraw().to_string();
    let volatile = (*write == Write::Volatile).then(|| quote!(.volatile()));
    let default = default.as_ref().map(|value| {
        // The binding gives an integer literal the type of the field.
        quote!(.default({ let value: #ty = #value; value }))
    });
    quote!(::authkit_core::ColumnDef::new::<#ty>(#name) #volatile #default)
}

fn constants(declaration: &Declaration<'_>) -> TokenStream {
    let Declaration { ident, visibility, columns, indexes, .. } = declaration;
    let columns = columns.iter().enumerate().map(|(position, column)| {
        let Column { ident, ty, write, .. } = column;
        let doc = format!("The column `{}`.", ident.unraw());
        quote! {
            #[doc = #doc]
            #visibility const #ident: ::authkit_core::Column<Self, #ty, ::authkit_core::#write> =
                ::authkit_core::Column::at(#position);
        }
    });
    let indexes = indexes.iter().zip(1_usize..).map(|(index, position)| {
        let Index { name, columns, uniqueness } = index;
        let doc = index_doc(index);
        let types = columns.iter().map(|column| column.ty);
        quote! {
            #[doc = #doc]
            #visibility const #name: ::authkit_core::Index<Self, (#(#types,)*), ::authkit_core::#uniqueness> =
                ::authkit_core::Index::at(#position);
        }
    });
    quote! {
        #[automatically_derived]
        #[allow(non_upper_case_globals, dead_code, reason = "named like the fields and indexes that they stand for")]
        impl #ident {
            #(#columns)*
            #(#indexes)*
        }
    }
}

fn index_doc(index: &Index<'_>) -> String {
    let kind = match index.uniqueness {
        Uniqueness::Shared => "The index over",
        Uniqueness::Unique => "The unique index over",
    };
    let names: Vec<String> = index.columns.iter().map(|column| format!("`{}`", column.name.unraw())).collect();
    format!("{kind} {}.", names.join(", "))
}

/// Checks that only the types of the fields can decide.
fn assertions(declaration: &Declaration<'_>) -> TokenStream {
    let expiry = declaration.expiry.iter().map(|column| {
        kind_assertion(column, &quote!(::authkit_core::ColumnKind::Time), "the expiry has to be a `Timestamp`")
    });
    let references = declaration.references.iter().map(|reference| {
        kind_assertion(&reference.column, &quote!(::authkit_core::ColumnKind::Id), "a reference has to hold an id")
    });
    let indexed = declaration.indexes.iter().flat_map(|index| &index.columns).map(|column| {
        let ty = column.ty;
        quote_spanned! { column.name.span() =>
            const _: () = ::core::assert!(
                !::core::matches!(<#ty as ::authkit_core::Field>::KIND, ::authkit_core::ColumnKind::Json),
                "JSON cannot be indexed",
            );
        }
    });
    quote! { #(#expiry)* #(#references)* #(#indexed)* }
}

fn kind_assertion(column: &Mention<'_>, kind: &TokenStream, otherwise: &str) -> TokenStream {
    let ty = column.ty;
    quote_spanned! { column.name.span() =>
        const _: () = ::core::assert!(::core::matches!(<#ty as ::authkit_core::Field>::KIND, #kind), #otherwise);
    }
}
