//! Errors: a stable public code with a text that is safe by type, and internals that are never sent.

use std::{fmt, time::Duration};

use crate::principal::Principal;
use crate::{flow::Challenge, store::StoreError, value::DecodeError};

/// Any error, as a source.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a caller can do about an error; decides the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Something that was to be proved was not, whatever it was; looks the same in every case. Status 401.
    Rejected,
    /// The input is malformed or breaks a rule that is told. Status 400.
    Invalid,
    /// Who is asking is known and may not. Status 403.
    Forbidden,
    /// There is no such thing, or it is somebody else's. Status 404.
    NotFound,
    /// It exists already, or changed at the same time. Status 409.
    Conflict,
    /// Too much input. Status 413.
    TooLarge,
    /// Too many attempts; try again later. Status 429.
    Limited,
    /// A fault of this service. Status 500.
    Internal,
    /// The service cannot answer now; try again later. Status 503.
    Unavailable,
}

impl Class {
    /// The HTTP status code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Rejected => 401,
            Self::Invalid => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Limited => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }
}

/// A public error: declared once as a `static` by its owner, listed in its manifest, never reused.
///
/// # Examples
///
/// An error of a plugin, and how it is used:
///
/// ```
/// use authkit_core::{AuthError, Class, ErrorCode};
///
/// static SOLD_OUT: ErrorCode = ErrorCode::new("shop.sold_out", Class::Conflict, "This is sold out.");
///
/// fn take(left: u32) -> Result<u32, AuthError> {
///     left.checked_sub(1).ok_or(AuthError::new(&SOLD_OUT))
/// }
///
/// assert_eq!(take(0).unwrap_err().code().class.status(), 409);
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorCode {
    /// Stable name, prefixed by its owner: `core.rejected`, `password.too_weak`.
    pub code: &'static str,
    /// What the caller can do about it.
    pub class: Class,
    /// What the caller is told: a sentence without any data of the request.
    pub text: &'static str,
}

impl ErrorCode {
    /// Declares an error.
    #[must_use]
    pub const fn new(code: &'static str, class: Class, text: &'static str) -> Self {
        Self { code, class, text }
    }
}

/// The errors of core.
pub mod codes {
    use super::{Class, ErrorCode};

    macro_rules! codes {
        ($($(#[$meta:meta])* $name:ident = $code:literal, $class:ident, $text:literal;)+) => {
            $($(#[$meta])* pub static $name: ErrorCode = ErrorCode::new($code, Class::$class, $text);)+
            pub(crate) static ALL: &[&ErrorCode] = &[$(&$name),+];
        };
    }

    codes! {
        /// The one answer to every failed proof, replay and lock included.
        REJECTED = "core.rejected", Rejected, "The credentials are not valid.";
        /// The request needs a session, and there is none that is alive.
        UNAUTHENTICATED = "core.unauthenticated", Rejected, "Sign in first.";
        /// The flow token is unknown, used or expired.
        FLOW_INVALID = "core.flow_invalid", Rejected, "This attempt has expired or was already used. Start again.";
        /// What is demanded cannot be proved with what the principal has.
        UNREACHABLE = "core.assurance_unreachable", Forbidden, "A stronger sign-in method has to be set up first.";
        /// A fresher or stronger proof is needed.
        STEP_UP_REQUIRED = "core.step_up_required", Forbidden, "Confirm who you are first.";
        /// A stage denies the act.
        DENIED = "core.denied", Forbidden, "This is not allowed.";
        /// The input cannot be read.
        INVALID_INPUT = "core.invalid_input", Invalid, "The request cannot be read.";
        /// No such method is registered.
        UNKNOWN_METHOD = "core.unknown_method", Invalid, "This sign-in method is not available.";
        /// There is no such thing for this caller.
        NOT_FOUND = "core.not_found", NotFound, "There is no such thing.";
        /// Another request was faster.
        CONFLICT = "core.conflict", Conflict, "Something changed at the same time. Try again.";
        /// The body is larger than permitted.
        TOO_LARGE = "core.too_large", TooLarge, "The request is too large.";
        /// A browser sent it from another site, or it does not say from where.
        CROSS_SITE = "core.cross_site", Forbidden, "The request does not come from a page of this site. A client that is no page sends authkit-delivery: token.";
        /// A limit was reached.
        LIMITED = "core.limited", Limited, "Too many attempts. Try again later.";
        /// The store cannot answer.
        UNAVAILABLE = "core.unavailable", Unavailable, "The service is temporarily unavailable. Try again later.";
        /// A required audit logger refused.
        AUDIT_UNAVAILABLE = "core.audit_unavailable", Unavailable, "The service is temporarily unavailable. Try again later.";
        /// A fault of this service.
        INTERNAL = "core.internal", Internal, "Something went wrong on our side.";
    }
}

/// What went wrong: a public [`ErrorCode`], and internals for the log.
///
/// `Display` is the public text, so an accidental `to_string()` leaks nothing.
///
/// # Examples
///
/// The caller is told what is public; the cause is for the log:
///
/// ```
/// use authkit_core::{AuthError, codes};
///
/// let cause = std::io::Error::other("10.0.0.5:5432 refused the connection");
/// let error = AuthError::new(&codes::UNAVAILABLE).caused_by(cause);
/// assert_eq!(error.to_string(), "The service is temporarily unavailable. Try again later.");
/// assert_eq!(error.internal(), "10.0.0.5:5432 refused the connection");
/// ```
pub struct AuthError {
    code: &'static ErrorCode,
    retry_after: Option<Duration>,
    fields: Vec<FieldError>,
    internal: Internal,
    retry: Option<Box<Challenge>>,
    landed: bool,
    whose: Option<Box<Principal>>,
}

enum Internal {
    Nothing,
    Reason(&'static str),
    Source(BoxError),
}

/// What is wrong with one field of the input; all of it is sent to the caller.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct FieldError {
    /// Name of the field.
    pub field: &'static str,
    /// What to do about it: a sentence without the value.
    pub message: String,
}

impl AuthError {
    /// An error with nothing to add for the log.
    #[must_use]
    pub const fn new(code: &'static ErrorCode) -> Self {
        Self {
            code,
            retry_after: None,
            fields: Vec::new(),
            internal: Internal::Nothing,
            retry: None,
            landed: false,
            whose: None,
        }
    }

    /// Adds why, for log and audit; never sent, and never data of the request.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.internal = Internal::Reason(reason);
        self
    }

    /// Adds the cause, for the log; never sent.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<BoxError>) -> Self {
        self.internal = Internal::Source(source.into());
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds what is wrong with one field; sent to the caller.
    #[must_use]
    pub fn field(mut self, field: &'static str, message: impl Into<String>) -> Self {
        self.fields.push(FieldError { field, message: message.into() });
        self
    }

    /// Adds the challenge with which the flow goes on; the token before is used up.
    #[must_use]
    pub(crate) fn retry(mut self, challenge: Challenge) -> Self {
        self.retry = Some(Box::new(challenge));
        self
    }

    /// Says whose proof was refused, where the response named nobody: for the record and the stages, never for the caller.
    #[must_use]
    pub fn about(mut self, principal: &Principal) -> Self {
        self.whose = Some(Box::new(principal.clone()));
        self
    }

    pub(crate) fn whose(&self) -> Option<&Principal> {
        self.whose.as_deref()
    }

    /// Says that the main store's part of the commit has landed: what it settled is not settled again.
    #[must_use]
    pub(crate) const fn landed(mut self) -> Self {
        self.landed = true;
        self
    }

    pub(crate) const fn has_landed(&self) -> bool {
        self.landed
    }

    /// The challenge with which the flow goes on.
    #[must_use]
    pub fn challenge(&self) -> Option<&Challenge> {
        self.retry.as_deref()
    }

    /// The public error.
    #[must_use]
    pub const fn code(&self) -> &'static ErrorCode {
        self.code
    }

    /// When to try again.
    #[must_use]
    pub const fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What is wrong with single fields.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.fields
    }

    /// Why, for log and audit; never for a client.
    #[must_use]
    pub fn internal(&self) -> String {
        match &self.internal {
            Internal::Nothing => String::new(),
            Internal::Reason(reason) => (*reason).to_owned(),
            Internal::Source(source) => {
                let mut text = source.to_string();
                let mut cause = source.source();
                while let Some(error) = cause {
                    text = format!("{text}: {error}");
                    cause = error.source();
                }
                text
            }
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.text)
    }
}

impl fmt::Debug for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code.code, self.internal())
    }
}

impl std::error::Error for AuthError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.internal {
            Internal::Source(source) => Some(source.as_ref()),
            _ => None,
        }
    }
}

impl From<&'static ErrorCode> for AuthError {
    fn from(code: &'static ErrorCode) -> Self {
        Self::new(code)
    }
}

impl From<DecodeError> for AuthError {
    fn from(error: DecodeError) -> Self {
        Self::new(&codes::INTERNAL).caused_by(error)
    }
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Duplicate { .. } | StoreError::Guard { .. } => &codes::CONFLICT,
            StoreError::Busy | StoreError::Unavailable(_) | StoreError::Unknown => &codes::UNAVAILABLE,
            StoreError::Corrupt(_) => &codes::INTERNAL,
        };
        let wait = matches!(code.class, Class::Unavailable).then_some(Duration::from_secs(1));
        Self { retry_after: wait, ..Self::new(code).caused_by(error) }
    }
}
