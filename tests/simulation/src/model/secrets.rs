//! No secret in any row, nor in anything that is printed.

use authkit_core::{Value, from_base64url};

use super::Model;
use crate::{
    breach::{Checked, breach},
    rows::{Change, Table},
};

/// What every password, badge and token of the simulation begins with.
const CANARIES: (&str, [&str; 3]) = ("canary-", ["aks_", "akf_", "akg_"]);

impl Model {
    /// A token came into the hands of a client.
    pub(super) fn revealed(&mut self, token: &str) {
        let encoded = token.split_once('_').map_or("", |(_, encoded)| encoded);
        let bytes = from_base64url(encoded).unwrap_or_default();
        self.raw.push(bytes.get(16..48).unwrap_or_default().to_vec());
    }

    /// No row that was written holds a secret.
    pub(super) fn holds_no_secret(&self, name: &str, table: &Table, change: &Change) -> Checked {
        let written = change.added.iter().chain(&change.changed).filter_map(|id| table.get(*id));
        for value in written.flat_map(|row| row.values()) {
            let leaks = match value {
                Value::Text(text) | Value::Json(text) => names_secret(text),
                Value::Bytes(bytes) => {
                    // Sealed bytes are random: the shorter ones of the canaries turn up in them by chance.
                    let (canary, _) = CANARIES;
                    bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
                        || self.raw.iter().any(|raw| raw == bytes)
                }
                _ => false,
            };
            if leaks {
                return Err(breach("I5", format!("a secret in a row of {name}")));
            }
        }
        Ok(())
    }
}

/// Whether a text shows a secret.
pub(super) fn names_secret(text: &str) -> bool {
    let (canary, tokens) = CANARIES;
    text.contains(canary) || tokens.iter().any(|token| text.contains(token))
}
