use authkit_core::AuthError;

use crate::{hash::HashError, policy::Weakness};

/// The errors of this plugin.
pub mod codes {
    use authkit_core::{Class, ErrorCode};

    /// Too many passwords are being checked at once.
    pub static BUSY: ErrorCode =
        ErrorCode::new("password.busy", Class::Unavailable, "The service is busy. Try again in a moment.");
    /// The policy refuses a new password; each field error says what to change.
    pub static TOO_WEAK: ErrorCode =
        ErrorCode::new("password.too_weak", Class::Invalid, "This password cannot be used. Choose another one.");
}

/// What a caller is told when there is no hash.
pub(crate) fn not_hashed(error: HashError) -> AuthError {
    match error {
        HashError::Busy { retry_after } => AuthError::new(&codes::BUSY).retry_after(retry_after).caused_by(error),
        error => AuthError::new(&authkit_core::codes::INTERNAL).caused_by(error),
    }
}

/// What a caller is told about a new password.
pub(crate) fn too_weak(field: &'static str, weaknesses: &[Weakness]) -> AuthError {
    let refused = AuthError::new(&codes::TOO_WEAK).because("the policy refuses the new password");
    weaknesses.iter().fold(refused, |error, weakness| error.field(field, weakness.feedback()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn full_queue_is_503_and_says_when_to_come_back() {
        let error = not_hashed(HashError::Busy { retry_after: Duration::from_secs(3) });
        assert_eq!((error.code().code, error.code().class.status()), ("password.busy", 503));
        assert_eq!(error.wait(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn every_weakness_is_told() {
        let error = too_weak("password", &[Weakness::Common, Weakness::Short { min_length: 15 }]);
        let messages: Vec<_> = error.fields().iter().map(|field| (field.field, field.message.as_str())).collect();
        assert_eq!(messages, [("password", "Too common."), ("password", "Add length: at least 15 characters.")]);
    }
}
