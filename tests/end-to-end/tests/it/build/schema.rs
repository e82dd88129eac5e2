//! Tables: what is declared, what the migrations add up to, and what every store can hold.

use std::sync::Arc;

use authkit_core::{
    ColumnDef, Durability, Entity, EntityDef, IndexDef, Json, Manifest, Migration, PrincipalId, Reach, Step, Timestamp,
    Uniqueness::{Shared, Unique},
};
use end_to_end::proofs::{Note, Tick, TickId};

use super::{Odd, complete, refused, with};

fn manifest() -> Manifest {
    Manifest::new("odd", "0.1.0")
}

/// A plugin that declares a table as one thing and makes it as another.
#[track_caller]
fn drifted<const N: usize>(declared: EntityDef, made: EntityDef, expected: [&str; N]) {
    let mut manifest = manifest().step(Step::Create(made));
    manifest.entities.push(Arc::new(declared));
    refused(with(Odd::declaring(manifest)), expected);
}

/// A table that is made as it is declared.
#[track_caller]
fn unfit<const N: usize>(def: EntityDef, expected: [&str; N]) {
    drifted(def.clone(), def, expected);
}

fn table(more: impl IntoIterator<Item = ColumnDef>) -> EntityDef {
    let mut columns = vec![ColumnDef::new::<PrincipalId>("id")];
    columns.extend(more);
    EntityDef::new("rows", Reach::Tenant, Durability::Durable, columns)
}

fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new::<i64>(name)
}

#[test]
fn a_history_that_does_not_add_up_is_told_by_the_step() {
    refused(
        with(Odd::declaring(manifest().creates::<Note>().step(Step::Create(Note::def())))),
        ["authkit: migration 2 of odd: the table proof_notes exists already"],
    );
    let index = || IndexDef::clone(&Note::def().indexes[1]);
    for step in [
        Step::AddColumn { table: "proof_notes", column: number("more").default(0) },
        Step::AddIndex { table: "proof_notes", index: index() },
        Step::DropIndex { table: "proof_notes", index: "by_name" },
    ] {
        refused(
            with(Odd::declaring(manifest().step(step).creates::<Note>())),
            ["authkit: migration 1 of odd: there is no table proof_notes"],
        );
    }
    refused(
        with(Odd::declaring(
            manifest().creates::<Note>().step(Step::DropIndex { table: "proof_notes", index: "by_nam" }),
        )),
        ["authkit: migration 2 of odd: there is no index by_nam"],
    );
    let bare = Step::AddColumn { table: "proof_notes", column: number("more") };
    refused(
        with(Odd::declaring(manifest().creates::<Note>().step(bare))),
        ["authkit: migration 2 of odd: the new column more needs a default or has to be nullable"],
    );
}

#[test]
fn an_entity_without_a_table_is_named() {
    refused(
        with(Odd::declaring(manifest().declares::<Note>())),
        ["odd: no migration creates the table proof_notes; add .creates::<…>() or a Step::Create"],
    );
}

#[test]
fn an_entity_that_is_not_what_its_migrations_make_is_told_by_column_and_index() {
    let column = |name| {
        format!(
            "odd: column {name} of rows is not the same in the entity and in its migrations; add a step that makes \
             the difference"
        )
    };
    let count = column("count");
    drifted(table([number("count")]), table([]), [&count]);
    drifted(table([]), table([number("count")]), [&count]);
    drifted(table([number("count")]), table([ColumnDef::new::<bool>("count")]), [&count]);
    drifted(table([number("count")]), table([number("count").volatile()]), [&count]);
    drifted(table([number("count")]), table([number("count").default(0)]), [&count]);
    drifted(table([number("count"), number("more")]), table([number("more"), number("count")]), [&count]);

    let index = "odd: index by_count of rows is not the same in the entity and in its migrations; add a step that makes \
                 the difference";
    let indexed = |kind| table([number("count")]).index("by_count", &[1], kind);
    drifted(indexed(Shared), table([number("count")]), [index]);
    drifted(table([number("count")]), indexed(Shared), [index]);
    drifted(indexed(Shared), indexed(Unique), [index]);
}

#[test]
fn an_entity_that_differs_in_anything_else_is_told_so() {
    let other = "odd: the order of the indexes, the references, the expiry, the reach or the durability of rows is not \
                 the same in the entity and in its migrations; add a step that makes the difference";
    let until = || table([ColumnDef::new::<Timestamp>("until")]);
    let indexes = |first, second| until().index(first, &[1], Shared).index(second, &[1], Shared);
    drifted(indexes("a", "b"), indexes("b", "a"), [other]);
    drifted(until().expiry(1), until(), [other]);
    drifted(table([]).reference(0, "auth_principals"), table([]), [other]);
    let remade = |reach, durability| EntityDef::new("rows", reach, durability, table([]).columns);
    drifted(table([]), remade(Reach::Global, Durability::Durable), [other]);
    drifted(table([]), remade(Reach::Tenant, Durability::Ephemeral), [other]);
}

#[test]
fn a_step_on_the_table_of_another_plugin_is_refused() {
    let step = Step::DropIndex { table: "auth_sessions", index: "by_principal" };
    // Before and after the plugin whose table it is.
    for name in ["odd", "zeal"] {
        refused(
            with(Odd::declaring(Manifest::new(name, "0.1.0").step(step.clone()))),
            [&format!("{name}: migration 1 changes auth_sessions, which is not a table of its own; drop the step")],
        );
    }
}

#[test]
fn names_are_plain_so_that_no_store_takes_two_for_one() {
    let named = |name| EntityDef::new(name, Reach::Tenant, Durability::Durable, table([]).columns);
    let plain = |table: &str, name: &str| {
        format!("odd: the name {name:?} in {table} has to be lower-case words with underscores, at most 40 characters")
    };
    for name in
        ["Auth_Passwords", "rows\"; --", "my rows", "", "_rows", "2rows", "a2345678901234567890123456789012345678901"]
    {
        unfit(named(name), [&plain(name, name)]);
    }
    unfit(table([number("Id")]), [&plain("rows", "Id")]);
    unfit(table([number("a")]).index("by a", &[1], Shared), [&plain("rows", "by a")]);
    unfit(
        named("authkit_migrations"),
        ["odd: the table authkit_migrations begins with authkit_, which is for stores; rename it"],
    );
}

#[test]
fn a_step_bears_the_name_of_its_plugin_and_its_number() {
    let numbered = |plugin, number| {
        let mut manifest = manifest().creates::<Note>();
        manifest.migrations = vec![Migration::new(plugin, number, Step::Create(Note::def()))];
        with(Odd::declaring(manifest))
    };
    assert!(numbered("odd", 1).build().is_ok());
    for (plugin, number) in [("session", 2), ("odd", 2), ("odd", 0)] {
        let expected = format!("odd: step 1 calls itself migration {number} of {plugin}; add it with .step(…)");
        refused(numbered(plugin, number), [&expected]);
    }
}

#[test]
fn a_reference_leads_to_a_lasting_row_of_the_same_reach() {
    let owned = |other| table([ColumnDef::new::<PrincipalId>("owner_id")]).reference(1, other);
    unfit(owned("nowhere"), ["odd: rows refers to nowhere, which no plugin declares"]);
    unfit(owned("auth_jobs"), ["odd: rows refers to auth_jobs, which has another reach"]);
    unfit(owned("auth_flows"), ["odd: rows refers to auth_flows, whose rows expire"]);
    unfit(owned("auth_outbox"), ["odd: rows refers to auth_outbox, which has another reach"]);
    unfit(
        owned("auth_passwords"),
        ["odd: rows refers to auth_passwords, a table of another plugin; refer to one of core or of its own"],
    );
    let mut global = owned("auth_principals");
    global.reach = Reach::Global;
    unfit(global, ["odd: rows refers to auth_principals, which has another reach"]);
}

#[test]
fn durable_rows_do_not_go_with_rows_that_go_without_a_record() {
    let mut manifest = manifest().creates::<Tick>();
    let def = table([ColumnDef::new::<TickId>("tick_id")]).reference(1, "proof_ticks");
    manifest = manifest.step(Step::Create(def.clone()));
    manifest.entities.push(Arc::new(def));
    refused(
        with(Odd::declaring(manifest)),
        ["odd: rows is durable, but refers to proof_ticks, whose rows go without a record"],
    );
}

#[test]
fn an_index_holds_what_has_an_order_and_a_unique_one_what_is_recorded() {
    let json = || table([ColumnDef::new::<Json<i64>>("data")]);
    unfit(json().index("by_data", &[1], Shared), ["odd: the index by_data of rows holds JSON, which has no order"]);
    let volatile = || table([number("count").volatile()]);
    unfit(
        volatile().index("by_count", &[1], Unique),
        ["odd: the unique index by_count of rows holds a volatile column"],
    );
    let mut manifest = manifest().step(Step::Create(volatile().index("by_count", &[1], Shared)));
    manifest.entities.push(Arc::new(volatile().index("by_count", &[1], Shared)));
    assert!(with(Odd::declaring(manifest)).build().is_ok());
}

#[test]
fn an_ephemeral_entity_has_no_volatile_columns() {
    let mut def = table([number("count").volatile()]);
    def.durability = Durability::Ephemeral;
    unfit(def, ["odd: rows is ephemeral, so its columns need not be volatile"]);
}

#[test]
fn an_entity_of_another_plugin_is_refused_whether_declared_or_not() {
    refused(
        with(Odd::trying("odd", |registrar| registrar.collection::<Note>().map(drop))),
        ["odd: the entity proof_notes is used but not declared in the manifest; add .creates::<…>() to it"],
    );
    refused(
        with(Odd::trying("odd", |registrar| registrar.collection::<authkit_core::PrincipalRow>().map(drop))),
        ["odd: the entity auth_principals is used but not declared in the manifest; add .creates::<…>() to it"],
    );
    refused(
        with(Odd::declaring(manifest().declares::<authkit_core::AuditRecord>())),
        ["authkit: the table auth_audit_log is declared more than once, by authkit and odd; rename or drop one"],
    );
    let owner = Odd::declaring(Manifest::new("owner", "0.1.0").creates::<Note>());
    let thief = Odd::trying("thief", |registrar| registrar.collection::<Note>().map(drop));
    refused(
        complete().plugin(owner).plugin(thief),
        ["thief: the entity proof_notes is used but not declared in the manifest; add .creates::<…>() to it"],
    );
}

#[test]
fn a_plugin_with_entities_of_its_own_is_accepted() {
    let manifest = manifest().creates::<Note>().creates::<Tick>();
    assert!(with(Odd::declaring(manifest)).build().is_ok());
}
