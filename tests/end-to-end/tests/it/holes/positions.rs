//! Columns and indexes that an entity does not have, made up by their position.

use authkit_core::{At, Batch, Column, Index, PrincipalId, Unique};
use end_to_end::{
    on_each_store,
    proofs::{Note, Noted},
};

use super::{note, with_notes};

/// Greater than every position of a note.
const NOWHERE: usize = 99;

on_each_store! {
    async fn what_an_entity_does_not_have_is_not_written(backend) {
        let (world, right, _) = with_notes(backend).await;
        let cx = world.cx();
        let (row, mut batch) = (note(&cx), Batch::new(&cx));
        let id = row.id;
        batch.insert(&right.0, row);
        cx.commit(Noted, batch).await.unwrap();
        let (notes, records) = (world.rows("proof_notes", "by_owner").await, world.audit().await);

        let [mut missing, mut mistyped, mut guarded] = [(); 3].map(|()| Batch::new(&cx));
        missing.update(&right.0, At::id(id), [], [Note::count.set(7), Column::<Note, i64>::at(NOWHERE).set(1)]);
        let count = Column::<Note, String>::at(Note::count.position());
        mistyped.update(&right.0, At::id(id), [], [count.set("many".to_owned())]);
        guarded.update(&right.0, At::id(id), [Column::<Note, i64>::at(NOWHERE).eq(0)], [Note::count.set(7)]);
        for batch in [missing, mistyped, guarded] {
            assert!(cx.commit(Noted, batch).await.is_err());
        }
        assert_eq!(world.rows("proof_notes", "by_owner").await, notes);
        assert_eq!(world.audit().await, records);
    }

    async fn what_an_entity_does_not_have_is_not_read(backend) {
        let (world, right, _) = with_notes(backend).await;
        let cx = world.cx();
        let (row, mut batch) = (note(&cx), Batch::new(&cx));
        let (id, owner) = (row.id, row.owner_id);
        batch.insert(&right.0, row);
        cx.commit(Noted, batch).await.unwrap();

        let nowhere = Index::<Note, (PrincipalId,), Unique>::at(NOWHERE);
        assert!(right.0.get(&cx, At::key(nowhere, (owner,))).await.is_err());
        assert!(right.0.reader((Column::<Note, i64>::at(NOWHERE),)).get(&cx, At::id(id)).await.is_err());
        assert!(right.0.reader((Column::<Note, String>::at(Note::count.position()),)).get(&cx, At::id(id)).await.is_err());
    }
}
