//! Tables in a store of their own.

use std::sync::Arc;

use authkit_core::{ColumnDef, Durability, Entity, EntityDef, Manifest, Reach, Step};
use authkit_store_memory::MemoryStore;
use end_to_end::proofs::{Note, NoteId, Tick};

use super::{Odd, complete, refused, setup::Promising, with};

fn declaring<const N: usize>(tables: [EntityDef; N]) -> Odd {
    let mut manifest = Manifest::new("odd", "0.1.0");
    for def in tables {
        manifest = manifest.step(Step::Create(def.clone()));
        manifest.entities.push(Arc::new(def));
    }
    Odd::declaring(manifest)
}

fn odd() -> Odd {
    declaring([Note::def().routable(), Tick::def().routable()])
}

#[test]
fn a_table_that_can_stand_alone_is_routed() {
    assert!(with(odd()).route(["proof_notes"], MemoryStore::new()).build().is_ok());
    assert!(with(odd()).route(["proof_ticks"], Promising::may_be_lost()).build().is_ok());
}

#[test]
fn only_declared_tables_are_routed_each_once() {
    refused(
        complete().route(["auth_sesions"], MemoryStore::new()),
        ["authkit: the table auth_sesions is routed, but no plugin declares it"],
    );
    refused(
        with(odd()).route(["proof_notes"], MemoryStore::new()).route(["proof_notes"], MemoryStore::new()),
        ["authkit: the table proof_notes is routed more than once"],
    );
}

#[test]
fn what_core_keeps_stays_in_the_main_store() {
    refused(
        complete().route(["auth_audit_log"], MemoryStore::new()),
        ["authkit: the table auth_audit_log is core's own and stays in the main store"],
    );
}

#[test]
fn a_store_has_to_bear_what_is_routed_to_it() {
    refused(
        with(odd()).route(["proof_notes", "proof_ticks"], Promising::one_entity()),
        ["authkit: the store of proof_notes, proof_ticks cannot write several entities in one commit"],
    );
    refused(
        with(odd()).route(["proof_notes"], Promising::may_be_lost()),
        ["authkit: the store of proof_notes may lose acknowledged writes, which proof_notes cannot bear"],
    );
}

#[test]
fn what_refers_to_a_routed_table_comes_along() {
    let builder = |tables: &[&'static str]| {
        let lines = EntityDef::new(
            "proof_lines",
            Reach::Tenant,
            Durability::Durable,
            vec![ColumnDef::new::<NoteId>("id"), ColumnDef::new::<NoteId>("note_id")],
        );
        let lines = lines.reference(1, "proof_notes").routable();
        with(declaring([Note::def().routable(), lines])).route(tables.iter().copied(), MemoryStore::new())
    };
    refused(
        builder(&["proof_notes"]),
        ["authkit: proof_lines refers to proof_notes, so it has to be routed to the same store"],
    );
    assert!(builder(&["proof_notes", "proof_lines"]).build().is_ok());
}

#[test]
fn what_guards_what_is_written_beside_it_stays_in_the_main_store() {
    refused(
        complete().route(["auth_passwords"], MemoryStore::new()),
        [
            "authkit: the table auth_passwords is not made for another store: what is lost there cannot undo what is written \
          beside it",
        ],
    );
}
