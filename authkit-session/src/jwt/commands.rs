use std::sync::Arc;

use authkit_core::{Command, Run};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::signing_keys::SigningKeys;

#[derive(Deserialize, JsonSchema)]
struct RotateInput {
    /// Drops all other keys at once, for when somebody may have copied one. Access tokens of before are refused within a
    /// minute; clients refresh.
    #[serde(default)]
    replace: bool,
}

#[derive(Serialize, JsonSchema)]
struct Rotated {
    /// The ids of the keys that are published now.
    published: Vec<String>,
}

/// Makes the next key that signs access tokens.
pub(crate) fn rotate(keys: Arc<SigningKeys>) -> Command {
    let handler = move |run: Run<Rotated>, input: RotateInput| {
        let keys = keys.clone();
        async move {
            let cx = run.cx();
            if input.replace {
                keys.replace(&cx).await?;
            } else {
                keys.rotate(&cx).await?;
            }
            let published = keys.published(&cx).await?.keys.iter().map(|key| key.kid.clone()).collect();
            Ok(Rotated { published })
        }
    };
    Command::new(
        "keys rotate",
        "Makes a new key for access tokens. It signs in an hour, when everybody knows it.",
        handler,
    )
}
