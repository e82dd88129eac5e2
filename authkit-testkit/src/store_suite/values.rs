//! Clause 1: every value comes back as it was stored, with its kind.

use std::sync::Arc;

use authkit_core::{Id, Set, Store, Timestamp, Value};

use super::world::{Account, VALUES, World, account, by_id, by_key, id, insert, text, update, value};

/// Clause 1, for each kind and its extremes.
pub async fn every_value_comes_back_with_its_kind(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for (n, (column, stored)) in (1..).zip(extremes()) {
        let mut values = nothing(id(n));
        values[column] = stored;
        world.write([insert(&VALUES, values.clone())]).await;
        let row = world.row(&VALUES, by_id(id(n))).await.expect("clause 1: a stored row is there");
        assert_eq!(row.values, values, "clause 1: values come back as stored");
    }
}

/// Clause 1, for values written by an update.
pub async fn an_update_keeps_every_value(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([insert(&VALUES, nothing(id(1)))]).await;
    for (column, stored) in extremes() {
        world.write([update(&VALUES, by_id(id(1)), vec![], vec![Set::To(column, stored.clone())])]).await;
        let read = world.value(&VALUES, id(1), column).await;
        assert_eq!(read, Some(stored), "clause 1: updated values come back as stored");
    }
}

/// Clause 1, for NULL in every kind of column, inserted and written over a value.
pub async fn null_comes_back_as_null(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([insert(&VALUES, nothing(id(1)))]).await;
    let row = world.row(&VALUES, by_id(id(1))).await.expect("clause 1: a row of NULLs is there");
    assert_eq!(row.values, nothing(id(1)), "clause 1: NULL comes back as NULL");

    for (column, stored) in extremes() {
        for new in [stored, Value::Null] {
            world.write([update(&VALUES, by_id(id(1)), vec![], vec![Set::To(column, new)])]).await;
        }
        let read = world.value(&VALUES, id(1), column).await;
        assert_eq!(read, Some(Value::Null), "clause 1: a value can be replaced by NULL");
    }
}

/// Clause 1, for JSON: the order of keys, the spaces, the spelling of numbers and doubled keys stay.
pub async fn json_comes_back_verbatim(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let texts = [
        r#"{"b": 1,  "a":[1.0,1e2, "\u00e4\/"],"b":2}"#,
        " null ",
        r#""text""#,
        "12345678901234567890.000",
        "[]",
        "{\n\t\"ä😀\" : { } }",
    ];
    for (n, json) in (1..).zip(texts) {
        let mut values = nothing(id(n));
        values[value::JSON] = Value::Json(json.to_owned());
        world.write([insert(&VALUES, values)]).await;
        let read = world.value(&VALUES, id(n), value::JSON).await;
        assert_eq!(read, Some(Value::Json(json.to_owned())), "clause 1: JSON comes back verbatim");
    }
}

/// Clause 1, for text at the limit of what an index holds, in characters of four bytes.
pub async fn indexed_text_holds_255_characters(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let name = "😀".repeat(255);
    world.write([Account { name: name.clone(), ..account(1) }.insert()]).await;
    let found = world.row(&super::world::ACCOUNTS, by_key(account::BY_NAME, [text(&name)])).await;
    assert!(found.is_some(), "clause 1: an indexed text of 255 characters is found");
}

/// Columns and values at the ends of their range.
fn extremes() -> Vec<(usize, Value)> {
    let texts = ["", " ", " padded ", "NULL", "ä😀\u{10FFFF}e\u{301}", "'\"\\%_;--\n\r\t\u{1}\u{7f}"];
    let numbers = [i64::MIN, -1, 0, 1, i64::MAX];
    let times = [Timestamp::MIN, Timestamp::from_millis(-1), Timestamp::from_millis(0), Timestamp::MAX];
    let ids = [Id::NIL, Id::from_bytes([u8::MAX; 16]), Id::from_bytes([0x80; 16])];
    let bytes = [vec![], vec![0], (0..=u8::MAX).collect(), vec![0xAB; 100_000]];

    let mut all = vec![
        (value::FLAG, Value::Bool(false)),
        (value::FLAG, Value::Bool(true)),
        (value::TEXT, Value::Text("long ä ".repeat(20_000))),
    ];
    all.extend(texts.map(|value| (value::TEXT, text(value))));
    all.extend(numbers.map(|value| (value::NUMBER, Value::Int(value))));
    all.extend(times.map(|value| (value::AT, Value::Time(value))));
    all.extend(ids.map(|value| (value::OTHER, Value::Id(value))));
    all.extend(bytes.map(|value| (value::BYTES, Value::Bytes(value))));
    all
}

fn nothing(id: Id) -> Vec<Value> {
    let mut values = vec![Value::Null; VALUES.columns.len()];
    values[0] = Value::Id(id);
    values
}
