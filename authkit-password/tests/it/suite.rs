//! Holds the plugin to what every plugin and every method has to keep.

use authkit_core::{MethodId, Plugin};
use authkit_store_memory::MemoryStore;
use authkit_testkit::{Asked, Opening, Person, Uses, VerifierCase, World};
use serde_json::{Value as JsonValue, json};

use crate::home::{METHOD, cheap};

struct Case;

impl VerifierCase for Case {
    type Credential = String;
    const METHOD: MethodId = METHOD;
    const OPENING: Opening = Opening::ByIdentifier;
    const USES: Uses = Uses::Reusable;

    fn plugin(&self) -> impl Plugin {
        cheap()
    }

    async fn enrol(&self, world: &World, person: &Person) -> String {
        let password = format!("velvet anchor 61 plum {}", person.name);
        world.enrol(person, |_| json!({ "password": password })).await;
        password
    }

    async fn right(&self, _: &World, password: &String, asked: &Asked) -> JsonValue {
        json!({ "identifier": asked.name, "password": password })
    }

    async fn wrong(&self, _: &World, _: &String, asked: &Asked) -> JsonValue {
        json!({ "identifier": asked.name, "password": "marble kettle 28 finch" })
    }
}

mod plugin {
    use super::{MemoryStore, cheap};

    authkit_testkit::plugin_suite!(store = MemoryStore::new(), plugin = cheap());
}

mod verifier {
    use super::{Case, MemoryStore};

    authkit_testkit::verifier_suite!(store = MemoryStore::new(), case = Case);
}
