//! `Store::migrate`: forward only, once, by many nodes at once.

use std::sync::Arc;

use authkit_core::{
    ColumnDef, Def, Durability, EntityDef, Get, Id, IndexDef, Migration, Op, Reach, Set, Shape, Step, Store,
    StoreError, Uniqueness, Value,
};

use super::world::{self, ACCOUNTS, World, account, by_id, by_key, duplicate, id, insert, query, race, text, update};

const TABLE: &str = "suite_grown";

/// The table as it was first.
fn first() -> EntityDef {
    let columns = vec![ColumnDef::new::<Id>("id"), ColumnDef::new::<String>("name")];
    EntityDef::new(TABLE, Reach::Tenant, Durability::Durable, columns).index("by_name", &[1], Uniqueness::Unique)
}

fn count() -> ColumnDef {
    ColumnDef::new::<i64>("count").default(42)
}

fn label() -> ColumnDef {
    ColumnDef::new::<String>("label").default("none yet, isn't it".to_owned())
}

fn note() -> ColumnDef {
    ColumnDef::new::<Option<String>>("note")
}

fn by_note() -> EntityDef {
    let mut def = second();
    def.indexes.retain(|index| index.name != "by_name");
    def.index("by_note", &[4], Uniqueness::Unique)
}

/// The table with three more columns.
fn second() -> EntityDef {
    let mut def = first();
    def.columns.extend([count(), label(), note()]);
    def
}

/// One step more than the last: made, three columns, an index more, an index less.
fn steps() -> Vec<Migration> {
    let index: Option<IndexDef> = by_note().indexes.pop();
    let mut steps = vec![
        Step::Create(first()),
        Step::AddColumn { table: TABLE, column: count() },
        Step::AddColumn { table: TABLE, column: label() },
        Step::AddColumn { table: TABLE, column: note() },
    ];
    steps.extend(index.map(|index| Step::AddIndex { table: TABLE, index }));
    steps.push(Step::DropIndex { table: TABLE, index: "by_name" });
    (1..).zip(steps).map(|(number, step)| Migration::new("suite.grown", number, step)).collect()
}

fn named(n: u64, name: &str) -> Op {
    insert(&Arc::new(first()), vec![Value::Id(id(n)), text(name)])
}

async fn migrate(store: &Arc<dyn Store>, steps: &[Migration], def: EntityDef) {
    let result = store.migrate(steps, &[Arc::new(def)]).await;
    assert!(result.is_ok(), "migrate: the steps lead to what is declared: {result:?}");
}

/// The suite's tenant, looking at a store with the first step of this table.
async fn young(store: Arc<dyn Store>) -> World {
    let world = World::new(store).await;
    migrate(&world.store, &steps()[..1], first()).await;
    world
}

/// Without tables there is an error, not a panic and not an empty answer.
pub async fn a_call_before_migrate_is_an_error(store: Arc<dyn Store>) {
    let get = Get { shape: Arc::new(Shape::whole(&ACCOUNTS)), at: by_id(id(1)), now: world::NOW };
    let scope = authkit_core::Scope::Tenant(world::tenant(b'a'));
    let read = store.get(&scope, &get).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_) | StoreError::Corrupt(_))), "migrate first: {read:?}");
    let written = store.commit(&scope, &[account(1).insert()], world::NOW).await;
    assert!(matches!(written, Err(StoreError::Unavailable(_) | StoreError::Corrupt(_))), "migrate first: {written:?}");
}

/// Applying the same steps again does nothing, and rows stay.
pub async fn steps_are_applied_once_and_forward(store: Arc<dyn Store>) {
    let world = young(store).await;
    world.write([named(1, "one")]).await;
    for _ in 0..2 {
        migrate(&world.store, &steps()[..1], first()).await;
        assert!(world.has(&Arc::new(first()), id(1)).await, "migrate: rows stay");
    }
    for _ in 0..2 {
        migrate(&world.store, &steps(), by_note()).await;
        assert!(world.has(&Arc::new(by_note()), id(1)).await, "migrate: rows stay on the way forward");
    }
    world.write([account(1).insert()]).await;
}

/// Old rows have the default of a new column, or NULL where it has none; new rows have what they are given.
pub async fn old_rows_get_the_default_of_a_new_column(store: Arc<dyn Store>) {
    let world = young(store).await;
    world.write([named(1, "one")]).await;
    migrate(&world.store, &steps()[..4], second()).await;

    let def: Def = Arc::new(second());
    let row = world.row(&def, by_id(id(1))).await.expect("migrate: the old row is there");
    let added = [Value::Int(42), text("none yet, isn't it"), Value::Null];
    assert_eq!(row.values[2..], added, "migrate: an old row has the defaults");

    let given = vec![Value::Id(id(2)), text("two"), Value::Int(-1), text(""), text("note")];
    world.write([insert(&def, given.clone())]).await;
    let row = world.row(&def, by_id(id(2))).await.expect("migrate: the new row is there");
    assert_eq!(row.values, given, "migrate: a new row has what it was given");
}

/// Steps that expand leave the version before running: its inserts, updates, reads and its own migrate.
pub async fn the_version_before_runs_on_the_new_schema(store: Arc<dyn Store>) {
    let world = young(store).await;
    migrate(&world.store, &steps()[..4], second()).await;
    migrate(&world.store, &steps()[..1], first()).await;

    let (old, new) = (Arc::new(first()), Arc::new(second()));
    world.write([named(1, "one"), insert(&old, vec![Value::Id(id(2)), text("two")])]).await;
    world.write([update(&old, by_id(id(1)), vec![], vec![Set::To(1, text("renamed"))])]).await;
    let row = world.row(&old, by_key(1, [text("renamed")])).await.expect("migrate: the version before reads");
    assert_eq!(row.values, [Value::Id(id(1)), text("renamed")], "migrate: the columns that it knows");
    assert_eq!(world.ids(query(&old, 1, vec![])).await, [id(1), id(2)], "migrate: and lists");
    let row = world.row(&new, by_id(id(1))).await.expect("migrate: the version after reads the row");
    assert_eq!(row.values[2], Value::Int(42), "migrate: with the default where nothing was given");
}

/// Indexes come and go under rows.
pub async fn an_added_unique_index_holds_and_a_dropped_one_does_not(store: Arc<dyn Store>) {
    let world = young(store).await;
    world.write([named(1, "one"), named(2, "two")]).await;
    duplicate(world.commit(&[named(3, "one")]).await, 0, 1, "clause 3: the index holds before");
    migrate(&world.store, &steps(), by_note()).await;

    let def: Def = Arc::new(by_note());
    let noted = |n, note| insert(&def, vec![Value::Id(id(n)), text("one"), Value::Int(0), text(""), note]);
    let result = world.commit(&[noted(3, text("n"))]).await;
    assert!(result.is_ok(), "migrate: a dropped unique index does not hold: {result:?}");
    duplicate(world.commit(&[noted(4, text("n"))]).await, 0, 1, "clause 3: an added unique index holds");
    world.write([noted(4, Value::Null)]).await;
    let found = world.row(&def, by_key(1, [text("n")])).await;
    assert_eq!(found.map(|row| world::id_of(&row)), Some(id(3)), "migrate: an added index finds its row");
    let old = world.ids(query(&def, 1, vec![Value::Null])).await;
    assert_eq!(old, [id(1), id(2), id(4)], "migrate: rows from before are in it");
}

/// What was applied stands; a step that says something else under its number is refused, and nothing follows.
pub async fn an_edited_step_is_refused(store: Arc<dyn Store>) {
    let world = young(store).await;
    let mut edited = steps();
    edited[0] = Migration::new("suite.grown", 1, Step::Create(second()));
    let result = world.store.migrate(&edited[..1], &[Arc::new(second())]).await;
    assert!(matches!(result, Err(StoreError::Corrupt(_))), "migrate: an edited step is refused: {result:?}");
    let result = world.store.migrate(&edited, &[Arc::new(by_note())]).await;
    assert!(matches!(result, Err(StoreError::Corrupt(_))), "migrate: also before later steps: {result:?}");
    world.write([named(1, "one")]).await;
    duplicate(world.commit(&[named(2, "one")]).await, 0, 1, "migrate: and no later step was applied");
}

/// A declaration that asks for more than there is, is refused.
pub async fn a_table_that_differs_from_its_declaration_is_refused(store: Arc<dyn Store>) {
    let world = young(store).await;
    let mut index = first();
    index.indexes.extend(by_note().indexes.pop());
    let mut nullable = first();
    nullable.columns[1] = ColumnDef::new::<Option<String>>("name");
    let mut kind = first();
    kind.columns[1] = ColumnDef::new::<i64>("name");
    let mut name = first();
    name.columns[1] = ColumnDef::new::<String>("called");
    for (def, why) in [(second(), "columns"), (index, "index"), (nullable, "nullable"), (kind, "kind"), (name, "name")]
    {
        let result = world.store.migrate(&steps()[..1], &[Arc::new(def)]).await;
        assert!(matches!(result, Err(StoreError::Corrupt(_))), "migrate: drift is refused, {why}: {result:?}");
    }
    migrate(&world.store, &steps()[..1], first()).await;
}

/// Nodes that start at the same time all come up, and each step was applied once.
pub async fn nodes_that_migrate_at_once_agree(store: Arc<dyn Store>) {
    let results = race(20, |_| {
        let store = store.clone();
        async move {
            store.migrate(&world::steps(), &world::defs()).await?;
            store.migrate(&steps(), &[Arc::new(by_note())]).await
        }
    })
    .await;
    for result in results {
        assert!(result.is_ok(), "migrate: every node comes up: {result:?}");
    }
    let world = World::new(store).await;
    let def: Def = Arc::new(by_note());
    world
        .write([
            account(1).insert(),
            insert(&def, vec![Value::Id(id(1)), text(""), Value::Int(0), text(""), Value::Null]),
        ])
        .await;
}
