//! Values that were made to be taken for statements, and commits of a size that nobody expects.

use authkit_core::{Op, Store as _, StoreError, Value, Write};
use authkit_store_sqlx::SqlxStore;

use super::Schema;
use crate::{
    hostile::survives_all,
    world::{NOW, OWNERS, SCOPE, find, id, owner},
};

#[tokio::test]
async fn no_value_is_taken_for_a_statement() {
    survives_all(&Schema::new().await.peopled().await).await;
}

#[tokio::test]
async fn a_text_with_the_character_that_no_text_has_is_refused_whole() {
    let schema = Schema::new().await;
    let store = schema.peopled().await;
    for text in ["\0", "a\0b", "'\0; DROP TABLE it_owners"] {
        for ops in [vec![owner(9, text)], vec![owner(8, "before"), owner(9, text)]] {
            let refused = store.commit(&SCOPE, &ops, NOW).await;
            assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
            assert!(find(&store, &OWNERS, 8).await.is_none());
        }
        store.commit(&SCOPE, &[owner(7, "after"), owner(8, "too")], NOW).await.unwrap();
        schema.run("DELETE FROM it_owners WHERE name IN ('after', 'too')").await;
    }
}

#[tokio::test]
async fn a_commit_of_thousands_of_ops_lands_or_leaves_nothing() {
    let schema = Schema::new().await;
    let store = schema.migrated().await;
    let ops: Vec<Op> = (0..5000).map(|n| owner(n, &format!("{n} {}", "'x".repeat(100)))).collect();
    let last = owner(4000, "taken by op 4000");
    let failing: Vec<Op> = ops.iter().cloned().chain([last]).collect();
    let refused = store.commit(&SCOPE, &failing, NOW).await;
    assert!(matches!(refused, Err(StoreError::Duplicate { op: 5000, index: 0 })), "{refused:?}");
    assert_eq!(schema.number("SELECT count(*) FROM it_owners").await, 0);
    assert_eq!(store.commit(&SCOPE, &ops, NOW).await.unwrap().len(), 5000);
    assert_eq!(schema.number("SELECT count(*) FROM it_owners").await, 5000);
}

#[tokio::test]
async fn a_value_of_another_kind_is_refused() {
    let schema = Schema::new().await;
    let store = schema.peopled().await;
    for name in [Value::Bytes(b"'".to_vec()), Value::Int(1), Value::Json("1".to_owned()), Value::Bool(true)] {
        let write = Write::Insert { values: vec![Value::Id(id(9)), name, Value::Int(0)] };
        let op = Op { def: OWNERS.clone(), write };
        for ops in [vec![op.clone()], vec![owner(8, "before"), op]] {
            let refused = store.commit(&SCOPE, &ops, NOW).await;
            assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
            assert!(find(&store, &OWNERS, 8).await.is_none());
        }
    }
}

#[tokio::test]
async fn settings_of_the_server_do_not_change_what_a_literal_says() {
    let schema = Schema::new().await;
    schema.migrated().await;
    let settings = [
        ("standard_conforming_strings", "off"),
        ("backslash_quote", "on"),
        ("bytea_output", "escape"),
        ("default_transaction_isolation", "serializable"),
    ];
    let options: String = settings.iter().map(|(name, value)| format!("&options[{name}]={value}")).collect();
    let store = SqlxStore::connect(&format!("{}{options}", schema.url())).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a")], NOW).await.unwrap();
    survives_all(&store).await;
}
