//! RSA keys of 2048 bits, which are not made any more.

use std::{sync::Arc, time::Duration};

use authkit_core::{
    AuthManager, Batch, Collection, Manifest, Plugin, Problem, Registrar, SecretText, Timestamp, from_base64url,
};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use zeroize::Zeroizing;

use super::world::{Arranged, World, add_principal, bearer, sign_in};
use crate::{
    Sessions,
    jwt::{
        Algorithm, JwtSessions, SigningKeys,
        entity::{Pkcs8, SigningKeyRow},
        key::SigningKey,
    },
};

/// Sessions, and a way to their signing keys.
struct WithRows(JwtSessions);

/// The table of signing keys.
struct Rows(Collection<SigningKeyRow>);

impl Plugin for WithRows {
    fn manifest(&self) -> Manifest {
        self.0.manifest()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        self.0.register(registrar)?;
        let rows = registrar.collection()?;
        registrar.provide(Arc::new(Rows(rows)));
        Ok(())
    }
}

/// A key as older releases made them.
fn short_key() -> Pkcs8 {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    Pkcs8(Zeroizing::new(AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec()))
}

/// Puts a key into the table that has signed for ever, and goes on.
async fn put(auth: &AuthManager, pkcs8: &Pkcs8) {
    let cx = bearer(auth);
    let rows = &auth.capability::<Rows>().unwrap().0;
    let id = cx.new_id();
    let row = SigningKeyRow {
        id,
        serial: 1,
        kid: SigningKey::from_pkcs8(Algorithm::Rs256, pkcs8).unwrap().kid().to_owned(),
        algorithm: Algorithm::Rs256,
        private: rows.seal(&cx, SigningKeyRow::private, id, pkcs8).unwrap(),
        created_at: cx.now(),
        signs_from: cx.now(),
        expires_at: Timestamp::MAX,
    };
    let mut batch = Batch::new(&cx);
    batch.insert(rows, row);
    cx.commit(Arranged, batch).await.unwrap();
}

/// Signs somebody in.
async fn token(auth: &AuthManager) -> SecretText {
    let cx = bearer(auth);
    let principal = add_principal(&cx).await;
    sign_in(&cx, principal.id).await.tokens.access
}

/// By how many bytes a token is signed.
fn signature(token: &SecretText) -> usize {
    from_base64url(token.expose().rsplit('.').next().unwrap()).unwrap().len()
}

async fn is_taken(auth: &AuthManager, token: &SecretText) -> bool {
    bearer(auth).authenticate(token.expose()).await.unwrap().is_some()
}

#[tokio::test]
async fn a_key_of_2048_bits_verifies_until_one_of_3072_has_followed_it() {
    let world = World::new();
    // Whoever never rotates keys has them followed as well.
    let plugin = Sessions::jwt().algorithm(Algorithm::Rs256).rotate_keys_every(Duration::ZERO);
    let auth = world.node(WithRows(plugin)).await;
    put(&auth, &short_key()).await;
    let first = token(&auth).await;
    assert_eq!(signature(&first), 2048 / 8);
    assert!(is_taken(&auth, &first).await);

    for _ in 0..2 {
        world.clock.advance(Duration::from_secs(30 * 60));
        auth.run_due_jobs().await;
    }
    let last = token(&auth).await;
    assert_eq!(signature(&last), 2048 / 8, "the next key is not known everywhere yet");
    world.clock.advance(Duration::from_secs(60 * 60));
    let next = token(&auth).await;
    assert_eq!(signature(&next), 3072 / 8);
    assert!(is_taken(&auth, &next).await);
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(60 * 60));
        auth.run_due_jobs().await;
    }
    let keys = auth.capability::<SigningKeys>().unwrap();
    assert_eq!(
        keys.published(&bearer(&auth)).await.unwrap().keys.len(),
        1,
        "nothing follows a key that is long enough"
    );
}
