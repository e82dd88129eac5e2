//! What errors do not say.

use authkit_core::{Op, Store as _, StoreError, Value, Write};

use crate::world::{NOW, OWNERS, Place, SCOPE, id, owner, steps, ticket, told};

#[tokio::test]
async fn no_error_holds_a_value() {
    let place = Place::new();
    let store = place.migrated().await;
    store.commit(&SCOPE, &[owner(1, "hunter2")], NOW).await.unwrap();
    let insert = |name: Value, count: Value| Op {
        def: OWNERS.clone(),
        write: Write::Insert { values: vec![Value::Id(id(0xabcdef)), name, count] },
    };
    let text = || Value::Text("hunter2".to_owned());
    for op in [
        owner(0xabcdef, "hunter2"),
        insert(text(), Value::Null),
        insert(Value::Bytes(b"hunter2".to_vec()), Value::Int(0)),
        insert(Value::Text("other".to_owned()), text()),
        ticket(2, 0xabcdef),
    ] {
        let error = store.commit(&SCOPE, &[op], NOW).await.unwrap_err();
        let (told, shown) = (told(&error), format!("{error:?}"));
        assert!(!told.contains("hunter2") && !told.contains("abcdef"), "{told}");
        assert!(!shown.contains("hunter2") && !shown.contains("abcdef"), "{shown}");
    }
}

#[tokio::test]
async fn a_missing_table_is_told_from_an_outage() {
    let store = Place::new();
    let store = store.store().await;
    let error = store.commit(&SCOPE, &[owner(1, "hunter2")], NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)));
    assert!(told(&error).contains("are the migrations applied?"), "{}", told(&error));
    assert_eq!(store.statements(&[]), Vec::<String>::new());
    assert!(store.statements(&steps()).iter().all(|text| !text.contains("hunter2")));
}
