//! Encrypted columns: what is sealed for one place opens at no other.

use std::sync::Arc;

use authkit_core::{
    AuthError, Collection, Column, Entity, Id, Manifest, Plugin, Problem, Registrar, Sealed, TenantId, id_type,
};
use end_to_end::{World, on_each_store};

id_type! {
    /// One letter.
    struct LetterId;
    /// One parcel.
    struct ParcelId;
}

#[derive(Debug, Entity)]
#[entity(table = "test_letters", durable)]
struct Letter {
    id: LetterId,
    secret: Sealed<String>,
    other: Sealed<String>,
}

/// The same columns in another table.
#[derive(Debug, Entity)]
#[entity(table = "test_parcels", durable)]
struct Parcel {
    id: ParcelId,
    secret: Sealed<String>,
    other: Sealed<String>,
}

struct Post;

struct Mail {
    letters: Collection<Letter>,
    parcels: Collection<Parcel>,
}

impl Plugin for Post {
    fn manifest(&self) -> Manifest {
        Manifest::new("test", "0.1.0").creates::<Letter>().creates::<Parcel>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let mail = Mail { letters: registrar.collection()?, parcels: registrar.collection()? };
        registrar.provide(Arc::new(mail));
        Ok(())
    }
}

/// All that anybody could read of an error, inside and out.
fn whole(error: &AuthError) -> String {
    format!("{error} {error:?} {}", error.internal())
}

on_each_store! {
    async fn a_sealed_value_opens_in_its_own_table_column_row_and_tenant_only(backend) {
        let world = World::builder(backend).plugin(Post).build().await;
        let mail = world.auth.capability::<Mail>().unwrap();
        let (here, there) = (world.cx(), world.cx_of(TenantId::from(Id::from_bytes([9; 16]))));
        let bytes = [7; 16];
        let (letter, parcel) = (LetterId::from(Id::from_bytes(bytes)), ParcelId::from(Id::from_bytes(bytes)));
        let sealed = mail.letters.seal(&here, Letter::secret, letter, &"the secret".to_owned()).unwrap();
        let open = |cx: &_, column: Column<Letter, Sealed<String>>, row| mail.letters.open(cx, column, row, &sealed);
        assert_eq!(open(&here, Letter::secret, letter).unwrap(), "the secret");

        let refused = [
            ("column", open(&here, Letter::other, letter)),
            ("row", open(&here, Letter::secret, LetterId::from(Id::from_bytes([8; 16])))),
            ("tenant", open(&there, Letter::secret, letter)),
            ("table", mail.parcels.open(&here, Parcel::secret, parcel, &sealed)),
        ];
        let refused = refused.map(|(moved, opened)| (moved, whole(&opened.unwrap_err())));
        for (moved, error) in &refused {
            assert_eq!(error, &refused[0].1, "moved to another {moved}");
        }
    }
}
