use std::path::Path;

use figment::{
    Figment,
    providers::{Env, Format as _, Toml},
};
use serde_json::Value as JsonValue;

/// Why settings could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the settings cannot be read")]
#[non_exhaustive]
pub struct SettingsError(#[source] Box<figment::Error>);

/// Reads settings for [`Builder::config`](authkit_core::Builder::config): a TOML file, and environment variables over it.
///
/// A section is a plugin's id. `AUTHKIT__PASSWORD__MIN_LENGTH=20` is `min_length = 20` in `[password]`. A file that is
/// not there is empty. What neither names keeps the value given in code, or its default.
///
/// # Errors
///
/// [`SettingsError`] if the file is not TOML.
///
/// # Examples
///
/// A file that may be absent, and `AUTHKIT__…` over it:
///
/// ```
/// use authkit_axum::SettingsError;
/// use authkit_core::{AuthManager, Builder};
///
/// fn builder() -> Result<Builder, SettingsError> {
///     Ok(AuthManager::builder().config(authkit_axum::settings("authkit.toml")?))
/// }
/// ```
pub fn settings(file: impl AsRef<Path>) -> Result<JsonValue, SettingsError> {
    let sources = Figment::new().merge(Toml::file(file.as_ref())).merge(Env::prefixed("AUTHKIT__").split("__"));
    sources.extract().map_err(|error| SettingsError(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_tree_of_sections_and_a_missing_one_is_empty() {
        let file = std::env::temp_dir().join(format!("authkit-settings-{}.toml", std::process::id()));
        std::fs::write(&file, "[password]\nmin_length = 20\n\n[session]\nidle = 3600\n").unwrap();
        let tree = settings(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(tree, serde_json::json!({ "password": { "min_length": 20 }, "session": { "idle": 3600 } }));
        assert_eq!(settings(&file).unwrap(), serde_json::json!({}));
    }

    #[test]
    fn a_file_that_is_not_toml_is_refused() {
        let file = std::env::temp_dir().join(format!("authkit-broken-{}.toml", std::process::id()));
        std::fs::write(&file, "password = [").unwrap();
        assert!(settings(&file).is_err());
        std::fs::remove_file(&file).unwrap();
    }
}
