//! What the derive makes of a declaration, seen through `authkit-core`.

use authkit_core::{
    Column, ColumnKind, DecodeError, Durability, Durable, Entity, EntityDef, Ephemeral, Field as _, FlowId, Id, Index,
    PrincipalId, Reach, Recorded, Shared, Timestamp, Unique, Value, Volatile, id_type,
};

id_type! {
    /// One enrolled authenticator app.
    pub struct FactorId;
}

/// Every key of the attribute at once.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(
    table = "auth_totp_factors",
    durable,
    unique(by_label: principal_id, label),
    index(by_principal: principal_id, created_at),
    index(by_type: r#type),
    references(principal_id -> auth_principals),
    expires(expires_at)
)]
struct TotpFactor {
    id: FactorId,
    principal_id: PrincipalId,
    label: String,
    #[entity(volatile)]
    last_used_at: Option<Timestamp>,
    #[entity(default = 0)]
    last_step: i64,
    #[entity(volatile, default = "totp".to_owned())]
    r#type: String,
    created_at: Timestamp,
    expires_at: Timestamp,
}

/// As little as possible.
#[derive(Debug, PartialEq, Entity)]
#[entity(table = "settings", ephemeral, global)]
struct Setting {
    id: FlowId,
}

fn factor() -> TotpFactor {
    TotpFactor {
        id: Id::from_bytes([1; 16]).into(),
        principal_id: Id::from_bytes([2; 16]).into(),
        label: "phone".to_owned(),
        last_used_at: None,
        last_step: 7,
        r#type: "totp".to_owned(),
        created_at: Timestamp::from_millis(1_000),
        expires_at: Timestamp::from_millis(2_000),
    }
}

fn column_names(def: &EntityDef) -> Vec<&str> {
    def.columns.iter().map(|column| column.name).collect()
}

#[test]
fn table_reach_and_durability_are_as_declared() {
    let def = TotpFactor::def();
    assert_eq!((def.table, def.reach, def.durability), ("auth_totp_factors", Reach::Tenant, Durability::Durable));
    let def = Setting::def();
    assert_eq!((def.table, def.reach, def.durability), ("settings", Reach::Global, Durability::Ephemeral));
}

#[test]
fn associated_types_follow_the_declaration() {
    fn check<E: Entity<Id = I, Durability = D>, I, D>() {}
    check::<TotpFactor, FactorId, Durable>();
    check::<Setting, FlowId, Ephemeral>();
}

#[test]
fn columns_stand_in_the_order_of_the_fields() {
    let names = ["id", "principal_id", "label", "last_used_at", "last_step", "type", "created_at", "expires_at"];
    assert_eq!(column_names(&TotpFactor::def()), names);
    assert_eq!(column_names(&Setting::def()), ["id"]);
}

#[test]
fn kinds_and_nullability_come_from_the_types() {
    let kinds: Vec<ColumnKind> = TotpFactor::def().columns.iter().map(|column| column.kind).collect();
    use ColumnKind::{Id, Int, Text, Time};
    assert_eq!(kinds, [Id, Id, Text, Time, Int, Text, Time, Time]);

    let nullable: Vec<_> = TotpFactor::def().columns.into_iter().filter(|column| column.nullable).collect();
    assert_eq!(nullable.iter().map(|column| column.name).collect::<Vec<_>>(), ["last_used_at"]);
}

#[test]
fn volatile_columns_and_defaults_are_marked() {
    let def = TotpFactor::def();
    let volatile: Vec<&str> = def.columns.iter().filter(|column| column.volatile).map(|column| column.name).collect();
    assert_eq!(volatile, ["last_used_at", "type"]);

    let defaults: Vec<_> = def.columns.iter().filter_map(|c| c.default.clone().map(|value| (c.name, value))).collect();
    assert_eq!(defaults, [("last_step", Value::Int(0)), ("type", Value::Text("totp".to_owned()))]);
}

#[test]
fn constants_have_the_positions_and_types_of_the_columns() {
    let id: Column<TotpFactor, FactorId, Recorded> = TotpFactor::id;
    let label: Column<TotpFactor, String> = TotpFactor::label;
    let last_used_at: Column<TotpFactor, Option<Timestamp>, Volatile> = TotpFactor::last_used_at;
    let r#type: Column<TotpFactor, String, Volatile> = TotpFactor::r#type;
    let positions = [id.position(), label.position(), last_used_at.position(), r#type.position()];
    assert_eq!(positions, [0, 2, 3, 5]);
}

#[test]
fn declared_indexes_follow_the_primary_key() {
    let by_label: Index<TotpFactor, (PrincipalId, String), Unique> = TotpFactor::by_label;
    let by_principal: Index<TotpFactor, (PrincipalId, Timestamp), Shared> = TotpFactor::by_principal;
    let by_type: Index<TotpFactor, (String,), Shared> = TotpFactor::by_type;
    assert_eq!([by_label.position(), by_principal.position(), by_type.position()], [1, 2, 3]);

    let def = TotpFactor::def();
    let indexes: Vec<_> = def.indexes.iter().map(|i| (i.name, i.columns.as_slice(), i.unique)).collect();
    let expected: [(&str, &[usize], bool); 4] =
        [("id", &[0], true), ("by_label", &[1, 2], true), ("by_principal", &[1, 6], false), ("by_type", &[5], false)];
    assert_eq!(indexes, expected);
}

#[test]
fn references_and_expiry_point_at_their_columns() {
    let def = TotpFactor::def();
    let references: Vec<_> = def.references.iter().map(|reference| (reference.column, reference.table)).collect();
    assert_eq!(references, [(1, "auth_principals")]);
    assert_eq!(def.expiry, Some(7));
    assert_eq!(Setting::def().expiry, None);
}

#[test]
fn a_row_is_expired_from_its_expiry_on() {
    let (def, values) = (TotpFactor::def(), factor().into_values());
    assert!(!def.is_expired(&values, Timestamp::from_millis(1_999)));
    assert!(def.is_expired(&values, Timestamp::from_millis(2_000)));
}

#[test]
fn values_come_back_as_the_same_row() {
    let values = factor().into_values();
    assert_eq!(values.get(2), Some(&Value::Text("phone".to_owned())));
    assert_eq!(values.get(3), Some(&Value::Null));
    assert_eq!(TotpFactor::from_values(values.into_iter()), Ok(factor()));
}

#[test]
fn a_row_that_is_too_short_names_the_entity() {
    let mut values = factor().into_values();
    values.pop();
    assert_eq!(TotpFactor::from_values(values.into_iter()), Err(DecodeError::new("TotpFactor")));
}

#[test]
fn a_value_of_another_kind_is_refused() {
    let mut values = factor().into_values();
    values[4] = "7".to_owned().into_value();
    assert_eq!(TotpFactor::from_values(values.into_iter()), Err(DecodeError::new("i64")));
}
