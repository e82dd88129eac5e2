use std::sync::Arc;

use authkit_core::{AuthError, Batch, CredentialImporter, MethodId, Principal, RequestContext, SecretText, codes};
use serde::Deserialize;

use crate::{
    hash::Unreadable,
    imported::ImportedHash,
    keeper::{Keeper, METHOD},
};

/// Takes over the hashes of other systems in a bulk import.
pub(crate) struct PasswordImporter(pub(crate) Arc<Keeper>);

/// A hash as another system stores it: an object with one field, which says who made it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum GivenHash {
    /// Made by Devise of a password with a pepper.
    Devise(SecretText),
    Firebase(FirebaseHash),
    /// Whoever made it, the text says how.
    Hash(SecretText),
    Keycloak(KeycloakHash),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirebaseHash {
    password_hash: SecretText,
    salt: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeycloakHash {
    secret_data: SecretText,
    credential_data: String,
}

impl GivenHash {
    fn read(&self) -> Result<ImportedHash, Unreadable> {
        match self {
            Self::Devise(hash) => Ok(ImportedHash::devise(hash.expose())),
            Self::Firebase(given) => Ok(ImportedHash::firebase(given.password_hash.expose(), &given.salt)),
            Self::Hash(hash) => Ok(ImportedHash::new(hash.expose())),
            Self::Keycloak(given) => ImportedHash::keycloak(given.secret_data.expose(), &given.credential_data),
        }
    }
}

impl CredentialImporter for PasswordImporter {
    type Given = GivenHash;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn import(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        given: GivenHash,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let password = given.read().and_then(|hash| self.0.import(&hash)).map_err(|error| {
            AuthError::new(&codes::INVALID_INPUT).field("password", format!("{error}.")).caused_by(error)
        })?;
        // What a salt in plain text may hold, but no store.
        if password.hash.contains('\0') {
            return Err(AuthError::new(&codes::INVALID_INPUT).field("password", format!("{}.", Unreadable::Malformed)));
        }
        self.0.add(cx, principal, password, batch);
        Ok(())
    }
}
