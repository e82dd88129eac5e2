//! A checked declaration: every name is looked up, every rule that needs no types is kept.

use std::collections::HashSet;

use proc_macro2::Span;
use syn::{
    Data, DeriveInput, Error, Expr, Field, Fields, Ident, LitStr, Type, Visibility, ext::IdentExt as _,
    punctuated::Punctuated, spanned::Spanned as _, token::Comma,
};

use crate::attribute::{
    Durability, FieldAttribute, IndexAttribute, Reach, ReferenceAttribute, Routing, StructAttribute, Uniqueness, Write,
};

const MAX_NAME_CHARS: usize = 40;
const MAX_INDEX_COLUMNS: usize = 4;

/// The table that a struct declares.
pub(crate) struct Declaration<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) visibility: &'a Visibility,
    pub(crate) table: LitStr,
    pub(crate) durability: Durability,
    pub(crate) reach: Reach,
    pub(crate) columns: Vec<Column<'a>>,
    pub(crate) indexes: Vec<Index<'a>>,
    pub(crate) references: Vec<Reference<'a>>,
    pub(crate) expiry: Option<Mention<'a>>,
    pub(crate) routing: Option<Routing>,
}

/// One field.
pub(crate) struct Column<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) write: Write,
    pub(crate) default: Option<Expr>,
}

/// One index other than the primary key.
pub(crate) struct Index<'a> {
    pub(crate) name: Ident,
    pub(crate) columns: Vec<Mention<'a>>,
    pub(crate) uniqueness: Uniqueness,
}

/// A column that holds the id of a row of another table.
pub(crate) struct Reference<'a> {
    pub(crate) column: Mention<'a>,
    pub(crate) table: String,
}

/// A column where the struct's attribute names it.
pub(crate) struct Mention<'a> {
    pub(crate) name: Ident,
    pub(crate) position: usize,
    pub(crate) ty: &'a Type,
}

impl<'a> Declaration<'a> {
    pub(crate) fn new(input: &'a DeriveInput) -> syn::Result<Self> {
        let fields = named_fields(input)?;
        let attribute = StructAttribute::new(&input.attrs)?;
        let table = attribute
            .table
            .ok_or_else(|| Error::new(input.ident.span(), "the table is missing: `#[entity(table = \"…\")]`"))?;
        check_name(&table.value(), table.span())?;
        let durability = attribute.durability.ok_or_else(|| {
            Error::new(input.ident.span(), "say whether the entity is `durable` or `ephemeral`: `#[entity(durable)]`")
        })?;
        let reach = attribute.reach.unwrap_or_default();
        let columns = columns(fields, reach)?;
        check_id(&columns, &input.ident)?;
        Ok(Self {
            ident: &input.ident,
            visibility: &input.vis,
            table,
            durability,
            reach,
            indexes: indexes(attribute.indexes, &columns)?,
            references: attribute.references.into_iter().map(|r| reference(r, &columns)).collect::<Result<_, _>>()?,
            expiry: attribute.expires.map(|name| find(name, &columns)).transpose()?,
            routing: attribute.routing,
            columns,
        })
    }
}

fn named_fields(input: &DeriveInput) -> syn::Result<&Punctuated<Field, Comma>> {
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "an entity has no generic parameters"));
    }
    if let Some(clause) = &input.generics.where_clause {
        return Err(Error::new(clause.span(), "an entity has no where clause"));
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(&fields.named),
            Fields::Unnamed(_) | Fields::Unit => {
                Err(Error::new(input.ident.span(), "an entity is a struct with named fields"))
            }
        },
        Data::Enum(data) => Err(Error::new(data.enum_token.span, "an entity is a struct with named fields")),
        Data::Union(data) => Err(Error::new(data.union_token.span, "an entity is a struct with named fields")),
    }
}

fn columns(fields: &Punctuated<Field, Comma>, reach: Reach) -> syn::Result<Vec<Column<'_>>> {
    fields.iter().filter_map(|field| field.ident.as_ref().map(|ident| column(field, ident, reach))).collect()
}

fn check_id(columns: &[Column<'_>], entity: &Ident) -> syn::Result<()> {
    match columns.first() {
        Some(id) if id.ident == "id" && id.write == Write::Recorded => Ok(()),
        Some(id) if id.ident == "id" => {
            Err(Error::new(id.ident.span(), "the id never changes, so it is not `volatile`"))
        }
        other => {
            let span = other.map_or(entity, |column| column.ident).span();
            Err(Error::new(span, "the first field of an entity is `id`"))
        }
    }
}

fn column<'a>(field: &'a Field, ident: &'a Ident, reach: Reach) -> syn::Result<Column<'a>> {
    check_name(&ident.unraw().to_string(), ident.span())?;
    if ident == "tenant_id" && reach == Reach::Tenant {
        return Err(Error::new(ident.span(), format!("the store adds the column `{ident}` by itself")));
    }
    let attribute = FieldAttribute::new(&field.attrs)?;
    Ok(Column { ident, ty: &field.ty, write: attribute.write.unwrap_or_default(), default: attribute.default })
}

fn indexes<'a>(attributes: Vec<IndexAttribute>, columns: &[Column<'a>]) -> syn::Result<Vec<Index<'a>>> {
    let mut names = HashSet::new();
    let mut indexes = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        let name = &attribute.name;
        check_name(&name.unraw().to_string(), name.span())?;
        if columns.iter().any(|column| column.ident == name) {
            return Err(Error::new(name.span(), format!("`{name}` is a field; the index needs another name")));
        }
        if !names.insert(name.clone()) {
            return Err(Error::new(name.span(), format!("there are two indexes `{name}`")));
        }
        indexes.push(index(attribute, columns)?);
    }
    Ok(indexes)
}

fn index<'a>(attribute: IndexAttribute, columns: &[Column<'a>]) -> syn::Result<Index<'a>> {
    let IndexAttribute { name, columns: mentioned, uniqueness } = attribute;
    if mentioned.is_empty() {
        return Err(Error::new(name.span(), format!("the index `{name}` has no column")));
    }
    if let Some(excess) = mentioned.get(MAX_INDEX_COLUMNS) {
        return Err(Error::new(excess.span(), format!("an index has at most {MAX_INDEX_COLUMNS} columns")));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = mentioned.iter().find(|column| !seen.insert(*column)) {
        return Err(Error::new(twice.span(), format!("the index `{name}` has the column `{twice}` twice")));
    }
    let columns = mentioned.into_iter().map(|column| find(column, columns)).collect::<Result<_, _>>()?;
    Ok(Index { name, columns, uniqueness })
}

fn reference<'a>(attribute: ReferenceAttribute, columns: &[Column<'a>]) -> syn::Result<Reference<'a>> {
    let table = attribute.table.unraw().to_string();
    check_name(&table, attribute.table.span())?;
    Ok(Reference { column: find(attribute.column, columns)?, table })
}

fn find<'a>(name: Ident, columns: &[Column<'a>]) -> syn::Result<Mention<'a>> {
    match columns.iter().enumerate().find(|(_, column)| *column.ident == name) {
        Some((position, column)) => Ok(Mention { name, position, ty: column.ty }),
        None => Err(Error::new(name.span(), format!("there is no field `{name}`"))),
    }
}

fn check_name(name: &str, span: Span) -> syn::Result<()> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let goes_on_well = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !starts_well || !goes_on_well {
        let rule = "a stored name begins with a lower-case letter and has only those, digits and underscores (ASCII)";
        return Err(Error::new(span, rule));
    }
    if name.len() > MAX_NAME_CHARS {
        return Err(Error::new(span, format!("a stored name has at most {MAX_NAME_CHARS} characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
