//! Values that were chosen to be taken for something else: keys, ends, other tenants' rows, commands, scripts.

use authkit_core::{Comparison, Done, Guard, Id, Lookup, Set, StoreError, Value, Write};
use authkit_session_redis::RedisStore;

use crate::{
    server,
    world::{BODY, BY_REALM, BY_TITLE, REALM, TITLE, World, by_id, by_title, id, insert, note, text, write},
};

/// Texts that look like a part of this store, or of what carries it.
fn hostile_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "*",
        "?",
        "[a-z]",
        "-",
        "+",
        "(",
        "[",
        "-inf",
        "0",
        "nil",
        "false",
        "ok",
        "guard",
        "duplicate",
        "u00000000000000000000000000000001",
        "srealm",
        "\u{1}",
        "\u{7f}",
        "\u{10ffff}",
        "\r\n",
        "$-1\r\n",
        "*1\r\n$8\r\nFLUSHALL\r\n",
        "FLUSHALL",
        "'] redis.call('FLUSHALL') --",
        "]] redis.call('FLUSHALL') --",
        "\\",
        "\\0",
        "\"",
        "%s%n",
        "{x}",
        "{\"a\":1}",
        "authkit:schema",
        "test_notes:row:",
        ":index:by_title",
        "KEYS[1]",
        "ARGV",
        "s",
        "sa",
        "a:b",
        "\u{feff}a",
        "ｒealm",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(255));
    texts.push("😀".repeat(255));
    texts
}

#[tokio::test]
async fn every_text_is_itself_and_nothing_else() {
    needs_redis!();
    let world = World::new(server::store().await).await;
    let texts = hostile_texts();
    for (n, title) in (1..).zip(&texts) {
        let values =
            vec![Value::Id(id(n)), text(title), text(title), Value::Int(0), Value::Bytes(title.clone().into_bytes())];
        world.commit(&[insert(values)]).await.unwrap();
    }
    for (n, title) in (1..).zip(&texts) {
        let row = world.get(by_title(title)).await.unwrap().expect("it is found");
        assert_eq!(row.values[0], Value::Id(id(n)), "{title:?}");
        let rows = world.query(BY_REALM, vec![text(title)], vec![]).await.unwrap();
        assert_eq!(rows.len(), 1, "{title:?} begins no other");
        assert_eq!(rows[0].values[BODY], Value::Bytes(title.clone().into_bytes()));
        let guard = Guard { column: TITLE, comparison: Comparison::Equal, value: text(title) };
        assert_eq!(world.query(0, vec![], vec![guard]).await.unwrap().len(), 1, "{title:?}");
    }
    for (n, title) in (1..).zip(&texts) {
        let purge = write(Write::Purge { index: BY_REALM, prefix: vec![text(title)], guards: vec![] });
        assert_eq!(world.commit(&[purge]).await.unwrap(), [Done::Purged(vec![id(n)])], "{title:?}");
    }
    assert!(world.titles().await.is_empty());
}

#[tokio::test]
async fn a_text_with_an_end_inside_is_refused_everywhere() {
    needs_redis!();
    let world = World::new(server::store().await).await;
    let mut values = note(1, "x");
    values[REALM] = text("a");
    world.commit(&[insert(values)]).await.unwrap();
    // Where the end of a text is not looked at, this is realm `a` and title `x`.
    let both = "a\0sx";
    let guard = || vec![Guard { column: TITLE, comparison: Comparison::NotEqual, value: text(both) }];
    let title = || Lookup { index: BY_TITLE, key: vec![text(both)] };
    for op in [
        insert(note(2, both)),
        write(Write::Update { at: by_id(1), guards: vec![], set: vec![Set::To(TITLE, text(both))] }),
        write(Write::Update { at: by_id(1), guards: guard(), set: vec![] }),
        write(Write::Take { at: title(), guards: vec![] }),
        write(Write::Ensure { at: title(), guards: vec![] }),
        write(Write::Purge { index: BY_REALM, prefix: vec![text(both)], guards: vec![] }),
        write(Write::Purge { index: BY_TITLE, prefix: vec![text("x")], guards: guard() }),
        crate::world::bump(2, both, 1),
    ] {
        let result = world.commit(&[op]).await;
        assert!(matches!(result, Err(StoreError::Corrupt(_))), "{result:?}");
    }
    assert!(world.get(title()).await.is_err());
    assert!(world.query(BY_REALM, vec![text(both)], vec![]).await.is_err());
    assert!(world.query(0, vec![], guard()).await.is_err());
    assert_eq!(world.titles().await, [text("x")], "nothing of it was written");
}

#[tokio::test]
async fn values_that_do_not_fit_their_column_are_refused() {
    needs_redis!();
    let world = World::new(server::store().await).await;
    world.commit(&[insert(note(1, "x"))]).await.unwrap();
    let mut wrong: Vec<Vec<Value>> = vec![vec![], vec![Value::Null], vec![text("no id")], note(2, &"x".repeat(256))];
    let mut long = note(2, "y");
    long.push(Value::Null);
    wrong.push(long);
    for (column, value) in [(0, Value::Null), (TITLE, Value::Null), (TITLE, Value::Int(1)), (BODY, text("no bytes"))] {
        let mut values = note(2, "y");
        values[column] = value.clone();
        wrong.push(values);
        let set = vec![Set::To(column, value)];
        let result = world.commit(&[write(Write::Update { at: by_id(1), guards: vec![], set })]).await;
        assert!(matches!(result, Err(StoreError::Corrupt(_))), "{result:?}");
    }
    for values in wrong {
        let result = world.commit(&[insert(values)]).await;
        assert!(matches!(result, Err(StoreError::Corrupt(_))), "{result:?}");
    }
    for set in [Set::To(0, Value::Id(id(2))), Set::To(9, Value::Int(1)), Set::Add(TITLE, 1), Set::Add(9, 1)] {
        let result = world.commit(&[write(Write::Update { at: by_id(1), guards: vec![], set: vec![set] })]).await;
        assert!(matches!(result, Err(StoreError::Corrupt(_))), "{result:?}");
    }
    assert_eq!(world.get(by_id(1)).await.unwrap().unwrap().values, note(1, "x"));
    assert_eq!(world.titles().await.len(), 1);
}

#[tokio::test]
async fn no_value_reaches_into_another_tenant() {
    needs_redis!();
    let a = World::new(server::store().await).await;
    let tenants: Vec<World> = (0..=8).map(|letter| a.of(letter)).collect();
    for (n, world) in (1..).zip(&tenants) {
        world.commit(&[insert(note(n, "same")), insert(note(100 + n, &format!("own {n}")))]).await.unwrap();
    }
    for (n, world) in (1..).zip(&tenants) {
        let row = world.get(by_title("same")).await.unwrap().unwrap();
        assert_eq!(row.values[0], Value::Id(id(n)));
        assert_eq!(world.titles().await, [text("same"), text(&format!("own {n}"))]);
        // The digits of another tenant, as they stand in keys.
        for other in 0..=8_u8 {
            let digits = format!("{other:02x}").repeat(16);
            assert!(world.get(by_title(&digits)).await.unwrap().is_none());
            assert!(world.query(BY_REALM, vec![text(&digits)], vec![]).await.unwrap().is_empty());
        }
    }
    let [first, rest @ ..] = tenants.as_slice() else { panic!("tenants") };
    let all = write(Write::Purge { index: BY_REALM, prefix: vec![text("realm")], guards: vec![] });
    assert_eq!(first.commit(&[all]).await.unwrap().len(), 1);
    assert!(first.titles().await.is_empty());
    for world in rest {
        assert_eq!(world.titles().await.len(), 2);
    }
}

#[tokio::test]
async fn prefixes_that_begin_alike_do_not_meet() {
    needs_redis!();
    let base = server::own_prefix();
    let mut worlds = Vec::new();
    for end in ["", "-", ".test_notes", ".schema", "-a", "0"] {
        let config = authkit_session_redis::RedisConfig::new(server::url()).prefix(format!("{base}{end}"));
        let world = World::new(RedisStore::connect_with(config).await.unwrap()).await;
        world.commit(&[insert(note(1, &format!("of {end}")))]).await.unwrap();
        worlds.push((end, world));
    }
    for (end, world) in worlds {
        assert_eq!(world.titles().await, [text(&format!("of {end}"))]);
    }
}

#[tokio::test]
async fn large_values_and_large_commits_come_back() {
    needs_redis!();
    let world = World::new(server::store().await).await;
    let mut values = note(1, "large");
    values[BODY] = Value::Bytes((0..4_000_000_u32).map(|n| n.to_le_bytes()[0]).collect());
    world.commit(&[insert(values.clone())]).await.unwrap();
    assert_eq!(world.get(by_id(1)).await.unwrap().unwrap().values, values);

    let ops: Vec<_> = (10..5_010).map(|n| insert(note(n, &format!("note {n}")))).collect();
    assert_eq!(world.commit(&ops).await.unwrap().len(), 5_000);
    assert_eq!(world.query(0, vec![], vec![]).await.unwrap().len(), 5_001);
    let all = write(Write::Purge { index: BY_REALM, prefix: vec![text("realm")], guards: vec![] });
    let done = world.commit(&[all]).await.unwrap();
    assert!(matches!(&done[..], [Done::Purged(ids)] if ids.len() == 5_001));
    assert!(world.titles().await.is_empty());
    assert!(world.get(Lookup { index: 0, key: vec![Value::Id(Id::NIL)] }).await.unwrap().is_none());
}
