//! What every plugin and every method of authkit has to keep.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use authkit_core::{MethodId, Plugin};
use authkit_store_memory::MemoryStore;
use authkit_testkit::{Asked, Opening, Person, Uses, VerifierCase, World, plugin_suite, verifier_suite};
use serde_json::{Value, json};
use third_party_plugin::Totp;

plugin_suite!(store = MemoryStore::new(), plugin = Totp::new("Example"));

mod method {
    use super::*;

    struct Case;

    impl VerifierCase for Case {
        type Credential = String;
        const METHOD: MethodId = MethodId::from_static("totp");
        const OPENING: Opening = Opening::Never;
        const USES: Uses = Uses::Single;

        fn plugin(&self) -> impl Plugin {
            Totp::new("Example")
        }

        async fn enrol(&self, world: &World, person: &Person) -> String {
            let mut secret = String::new();
            world
                .enrol(person, |prompt| {
                    secret = prompt["secret"].as_str().unwrap().to_owned();
                    json!({ "code": code(&secret, world) })
                })
                .await;
            secret
        }

        async fn right(&self, world: &World, secret: &String, _: &Asked) -> Value {
            world.clock.advance(Duration::from_secs(30));
            json!({ "code": code(secret, world) })
        }

        async fn wrong(&self, world: &World, secret: &String, _: &Asked) -> Value {
            let right: u32 = code(secret, world).parse().unwrap();
            json!({ "code": format!("{:06}", (right + 1) % 1_000_000) })
        }
    }

    verifier_suite!(store = MemoryStore::new(), case = Case);
}

/// The code that the app shows now.
fn code(secret: &str, world: &World) -> String {
    let now = world.cx().now().millis() / 1000;
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    totp_rs::Builder::new().with_secret(secret).build().unwrap().generate(now.try_into().unwrap()).to_string()
}
