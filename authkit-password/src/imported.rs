use std::{collections::HashMap, fmt};

use authkit_core::SecretText;
use serde::Deserialize;

use crate::hash::Unreadable;

/// A hash that another system made, to be compared with at the first sign-in here.
///
/// [`PasswordAdmin::import`](crate::PasswordAdmin::import) takes it. `Debug` shows none of it.
///
/// # Examples
///
/// As it stands in the column of Django, and as Keycloak exports it:
///
/// ```
/// use authkit_password::{ImportedHash, Unreadable};
///
/// let django = ImportedHash::new("pbkdf2_sha256$870000$aXsZ1x0bWv2c$0H8sQ6cVgO1rT0S1Fq0y1o0bJzv0h0M2mHk0c0Xy0aA=");
/// let keycloak = ImportedHash::keycloak(
///     r#"{"value":"iqfo8hJS0Gz4YkqB1pTf4g==","salt":"c2FsdHNhbHRzYWx0c2FsdA=="}"#,
///     r#"{"algorithm":"pbkdf2-sha256","hashIterations":27500}"#,
/// )?;
/// assert_eq!(format!("{django:?} {keycloak:?}"), "ImportedHash(..) ImportedHash(..)");
/// # Ok::<(), Unreadable>(())
/// ```
pub struct ImportedHash(SecretText);

impl ImportedHash {
    /// Takes a hash as the other system stores it.
    ///
    /// The kinds that are known, and the Cargo features that add kinds, stand in the documentation of the crate.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(SecretText::new(text.to_owned()))
    }

    /// Takes a hash of Devise whose password has a pepper, which
    /// [`Passwords::devise_pepper`](crate::Passwords::devise_pepper) has to be told.
    #[must_use]
    pub fn devise(encrypted_password: &str) -> Self {
        Self(SecretText::new(format!("{DEVISE}{encrypted_password}")))
    }

    /// Takes `passwordHash` and `salt` of a user that Firebase exported. Cargo feature `imports`.
    #[must_use]
    pub fn firebase(password_hash: &str, salt: &str) -> Self {
        Self(SecretText::new(format!("{FIREBASE}{salt}${password_hash}")))
    }

    /// Takes `secretData` and `credentialData` of a credential of Keycloak, two JSON texts.
    ///
    /// # Errors
    ///
    /// [`Unreadable::Malformed`] if they are not, [`Unreadable::Unknown`] for another algorithm than PBKDF2 and Argon2.
    pub fn keycloak(secret_data: &str, credential_data: &str) -> Result<Self, Unreadable> {
        let secret: KeycloakSecret = serde_json::from_str(secret_data).or(Err(Unreadable::Malformed))?;
        let credential: KeycloakCredential = serde_json::from_str(credential_data).or(Err(Unreadable::Malformed))?;
        credential.text(&secret).map(SecretText::new).map(Self)
    }

    pub(crate) fn text(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for ImportedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportedHash(..)")
    }
}

#[derive(Deserialize)]
struct KeycloakSecret {
    value: String,
    salt: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeycloakCredential {
    hash_iterations: u32,
    algorithm: String,
    #[serde(default)]
    additional_parameters: HashMap<String, Vec<String>>,
}

impl KeycloakCredential {
    /// The same hash as others write it.
    fn text(&self, secret: &KeycloakSecret) -> Result<String, Unreadable> {
        let (salt, value) = (secret.salt.trim_end_matches('='), secret.value.trim_end_matches('='));
        let rounds = self.hash_iterations;
        match self.algorithm.as_str() {
            "argon2" => {
                let kind = self.parameter("type")?;
                let version = match self.parameter("version")? {
                    "1.0" => 16,
                    "1.3" => 19,
                    _ => return Err(Unreadable::Malformed),
                };
                let (memory, lanes) = (self.parameter("memory")?, self.parameter("parallelism")?);
                Ok(format!("$argon2{kind}$v={version}$m={memory},t={rounds},p={lanes}${salt}${value}"))
            }
            kind @ ("pbkdf2" | "pbkdf2-sha256" | "pbkdf2-sha512") => Ok(format!("${kind}${rounds}${salt}${value}")),
            _ => Err(Unreadable::Unknown),
        }
    }

    fn parameter(&self, name: &str) -> Result<&str, Unreadable> {
        match self.additional_parameters.get(name).map(Vec::as_slice) {
            Some([value]) => Ok(value),
            _ => Err(Unreadable::Malformed),
        }
    }
}

/// Stands before the bcrypt hash of a password with a pepper.
pub(crate) const DEVISE: &str = "$devise";

/// Stands before the salt and the output.
pub(crate) const FIREBASE: &str = "$firebase-scrypt$";
