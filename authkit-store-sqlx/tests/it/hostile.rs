//! Values that were made to be taken for statements.
#![expect(clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::sync::{Arc, LazyLock};

use authkit_core::{
    ColumnDef, Comparison, Def, Done, Durability, EntityDef, Get, Guard, Id, Json, Lookup, Migration, Op, Reach, Row,
    Set, Shape, Step, Store, Timestamp, Uniqueness, Value, Write,
};

use crate::world::{NOW, OWNERS, Place, SCOPE, by_id, find, id, owner};

const TEXT: usize = 1;
const BYTES: usize = 2;
const AT: usize = 4;
const COUNT: usize = 5;
const BY_TEXT: usize = 1;

/// A row with every kind of value that can hold more than digits.
static THINGS: LazyLock<Def> = LazyLock::new(|| {
    let columns = vec![
        ColumnDef::new::<Id>("id"),
        ColumnDef::new::<String>("text"),
        ColumnDef::new::<Vec<u8>>("bytes"),
        ColumnDef::new::<Json<()>>("json"),
        ColumnDef::new::<Timestamp>("at"),
        ColumnDef::new::<i64>("count"),
    ];
    let def = EntityDef::new("it_things", Reach::Tenant, Durability::Durable, columns);
    Arc::new(def.index("by_text", &[TEXT], Uniqueness::Unique))
});

static HOSTILE: &[&str] = &[
    "'",
    "''",
    "\\",
    "\\'",
    "\\\\'",
    "\"",
    "`",
    "'; DROP TABLE it_owners; --",
    "\\'; DROP TABLE it_owners; --",
    "\\x27; DROP TABLE it_owners; --",
    "E'\\x27; DROP TABLE it_owners; --",
    "');DROP TABLE it_owners;COMMIT;--",
    "$$; DROP TABLE it_owners; $$",
    "$1",
    "?",
    "/* ",
    " */ -- ",
    ";\n;\r\n\t\u{b}\u{1}\u{7f}\u{1b}[2J",
    "1 / 0",
    "NULL",
    "DEFAULT",
    "%s%n{}",
    "\u{fffd}\u{feff}\u{202e}\u{2028}\u{a0}",
    "\u{1f511}\u{10ffff}\u{d7ff}\u{e000}",
    "\u{0130}I\u{131}i\u{df}SS",
    "\u{ff07}; DROP TABLE it_owners; --",
    "\u{2bc}\u{2019}; DROP TABLE it_owners; --",
];

/// Makes every kind of write with every hostile text in every value, on a store that has the owner 1.
pub(crate) async fn survives_all(store: &impl Store) {
    let step = Migration::new("things", 1, Step::Create(EntityDef::clone(&THINGS)));
    store.migrate(&[step], std::slice::from_ref(&THINGS)).await.unwrap();
    for (n, text) in (1..).zip(HOSTILE) {
        // As one statement, and beside another.
        let other = Op { def: OWNERS.clone(), write: Write::Ensure { at: by_id(1), guards: vec![] } };
        for (n, beside) in [(2 * n, [].as_slice()), (2 * n + 1, &[other])] {
            survives(store, n, text, beside).await;
        }
    }
    assert!(find(store, &OWNERS, 1).await.is_some(), "the table that was to be dropped is there");
}

/// Makes every kind of write with this text in every value.
async fn survives(store: &impl Store, n: u64, text: &str, beside: &[Op]) {
    let commit = async |op: Op| {
        let ops: Vec<Op> = [op].into_iter().chain(beside.iter().cloned()).collect();
        let mut done = store.commit(&SCOPE, &ops, NOW).await.unwrap_or_else(|error| panic!("{text:?}: {error:?}"));
        done.remove(0)
    };
    let op = |write| Op { def: THINGS.clone(), write };
    let values = |text: &str| {
        vec![
            Value::Id(id(n)),
            Value::Text(text.to_owned()),
            Value::Bytes(text.as_bytes().to_vec()),
            Value::Json(json(text)),
            Value::Time(Timestamp::MIN),
            Value::Int(i64::MIN),
        ]
    };
    let by_text = |text: &str| Lookup { index: BY_TEXT, key: vec![Value::Text(text.to_owned())] };
    let equal = |column| Guard { column, comparison: Comparison::Equal, value: values(text)[column].clone() };
    let differ = |column| Guard { column, comparison: Comparison::NotEqual, value: values("other")[column].clone() };
    let guards = || vec![equal(TEXT), equal(BYTES), equal(AT), differ(TEXT), differ(BYTES), equal(COUNT)];

    assert_eq!(commit(op(Write::Insert { values: values(text) })).await, Done::Written);
    let row = read(store, by_text(text)).await.unwrap_or_else(|| panic!("{text:?} is not found by itself"));
    assert_eq!(row.values, values(text));

    let set = (1..=COUNT).map(|column| Set::To(column, values(text)[column].clone())).collect();
    commit(op(Write::Update { at: by_text(text), guards: guards(), set })).await;
    commit(op(Write::Ensure { at: by_text(text), guards: guards() })).await;
    let taken = commit(op(Write::Take { at: by_text(text), guards: guards() })).await;
    assert_eq!(taken, Done::Taken(row));

    let (index, column) = (BY_TEXT, COUNT);
    let bump = || Write::Bump { index, values: values(text), column, by: 7, floor: None, max: Some(14) };
    assert_eq!(commit(op(bump())).await, Done::Bumped(7));
    assert_eq!(commit(op(bump())).await, Done::Bumped(14));
    let guards = vec![equal(TEXT), equal(BYTES), differ(TEXT)];
    let purged = commit(op(Write::Purge { index, prefix: vec![Value::Text(text.to_owned())], guards })).await;
    assert_eq!(purged, Done::Purged(vec![id(n)]));
    assert!(read(store, by_text(text)).await.is_none());
}

async fn read(store: &impl Store, at: Lookup) -> Option<Row> {
    let get = Get { shape: Arc::new(Shape::whole(&THINGS)), at, now: NOW };
    store.get(&SCOPE, &get).await.unwrap()
}

/// A text as JSON.
fn json(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_ascii_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[tokio::test]
async fn no_value_is_taken_for_a_statement_by_sqlite() {
    let place = Place::new();
    let store = place.migrated().await;
    store.commit(&SCOPE, &[owner(1, "ada")], NOW).await.unwrap();
    survives_all(&store).await;
}
