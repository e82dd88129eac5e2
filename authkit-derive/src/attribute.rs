//! The `#[entity(…)]` attributes as written: names are not yet looked up.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, Ident, LitStr, Token, meta::ParseNestedMeta, parenthesized, punctuated::Punctuated};

/// What the struct's attributes say.
#[derive(Default)]
pub(crate) struct StructAttribute {
    pub(crate) table: Option<LitStr>,
    pub(crate) durability: Option<Durability>,
    pub(crate) reach: Option<Reach>,
    pub(crate) indexes: Vec<IndexAttribute>,
    pub(crate) references: Vec<ReferenceAttribute>,
    pub(crate) expires: Option<Ident>,
    pub(crate) routing: Option<Routing>,
}

/// What the attributes of one field say.
#[derive(Default)]
pub(crate) struct FieldAttribute {
    pub(crate) write: Option<Write>,
    pub(crate) default: Option<Expr>,
}

/// `unique(name: a, b)` or `index(name: a, b)`.
pub(crate) struct IndexAttribute {
    pub(crate) name: Ident,
    pub(crate) columns: Vec<Ident>,
    pub(crate) uniqueness: Uniqueness,
}

/// `references(column -> table)`.
pub(crate) struct ReferenceAttribute {
    pub(crate) column: Ident,
    pub(crate) table: Ident,
}

/// Whether writing needs an audit event.
#[derive(Clone, Copy)]
pub(crate) enum Durability {
    Durable,
    Ephemeral,
}

/// Whose rows the table holds.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Reach {
    #[default]
    Tenant,
    Global,
}

/// Whether the table may live in a second store.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Routing {
    Routable,
}

/// Whether rows of an index may agree.
#[derive(Clone, Copy)]
pub(crate) enum Uniqueness {
    Shared,
    Unique,
}

/// How a column is written.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Write {
    #[default]
    Recorded,
    Volatile,
}

impl StructAttribute {
    pub(crate) fn new(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut read = Self::default();
        for attribute in entity_attributes(attributes) {
            attribute.parse_nested_meta(|meta| read.key(&meta))?;
        }
        Ok(read)
    }

    fn key(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        match key_name(meta).as_str() {
            "table" => once(&mut self.table, meta.value()?.parse()?, meta),
            "durable" => self.durability(Durability::Durable, meta),
            "ephemeral" => self.durability(Durability::Ephemeral, meta),
            "global" => once(&mut self.reach, Reach::Global, meta),
            "routable" => once(&mut self.routing, Routing::Routable, meta),
            "unique" => {
                self.indexes.push(IndexAttribute::parse(Uniqueness::Unique, meta)?);
                Ok(())
            }
            "index" => {
                self.indexes.push(IndexAttribute::parse(Uniqueness::Shared, meta)?);
                Ok(())
            }
            "references" => {
                self.references.push(ReferenceAttribute::parse(meta)?);
                Ok(())
            }
            "expires" => {
                let content;
                parenthesized!(content in meta.input);
                once(&mut self.expires, content.parse()?, meta)
            }
            _ => Err(meta.error(
                "unknown key; a struct has `table`, `durable` or `ephemeral`, `global`, `unique`, `index`, \
                 `references`, `expires`, `routable`",
            )),
        }
    }

    fn durability(&mut self, durability: Durability, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if self.durability.replace(durability).is_some() {
            return Err(meta.error("an entity is either `durable` or `ephemeral`; say so once"));
        }
        Ok(())
    }
}

impl FieldAttribute {
    pub(crate) fn new(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut read = Self::default();
        for attribute in entity_attributes(attributes) {
            attribute.parse_nested_meta(|meta| read.key(&meta))?;
        }
        Ok(read)
    }

    fn key(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        match key_name(meta).as_str() {
            "volatile" => once(&mut self.write, Write::Volatile, meta),
            "default" => once(&mut self.default, meta.value()?.parse()?, meta),
            _ => Err(meta.error("unknown key; a field has `volatile`, `default`")),
        }
    }
}

impl IndexAttribute {
    fn parse(uniqueness: Uniqueness, meta: &ParseNestedMeta<'_>) -> syn::Result<Self> {
        let content;
        parenthesized!(content in meta.input);
        let name = content.parse()?;
        content.parse::<Token![:]>()?;
        let columns = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
        Ok(Self { name, columns: columns.into_iter().collect(), uniqueness })
    }
}

impl ReferenceAttribute {
    fn parse(meta: &ParseNestedMeta<'_>) -> syn::Result<Self> {
        let content;
        parenthesized!(content in meta.input);
        let column = content.parse()?;
        content.parse::<Token![->]>()?;
        Ok(Self { column, table: content.parse()? })
    }
}

fn entity_attributes(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("entity"))
}

/// The key as text; empty for a path of several segments, which no key is.
fn key_name(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.get_ident().map(ToString::to_string).unwrap_or_default()
}

fn once<T>(place: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if place.replace(value).is_some() {
        return Err(meta.error(format!("`{}` is given twice", key_name(meta))));
    }
    Ok(())
}

/// Prints the variant's name, which is also the name of its marker type in core.
macro_rules! print_name {
    ($($type:ident: $($variant:ident),+;)+) => { $(
        impl ToTokens for $type {
            fn to_tokens(&self, tokens: &mut TokenStream) {
                tokens.extend(match self { $(Self::$variant => quote!($variant)),+ });
            }
        }
    )+ };
}

print_name! {
    Durability: Durable, Ephemeral;
    Reach: Tenant, Global;
    Uniqueness: Shared, Unique;
    Write: Recorded, Volatile;
}
