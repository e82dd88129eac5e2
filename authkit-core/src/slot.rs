//! What the outside world provides: time, randomness, messages.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value as JsonValue;

use crate::{error::BoxError, id::PrincipalId, id::TenantId, timestamp::Timestamp};

/// Tells the time. Only core asks, once per request.
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> Timestamp;
}

/// Draws randomness that nobody can predict.
pub trait Rng: Send + Sync + 'static {
    /// Fills the buffer.
    ///
    /// # Panics
    ///
    /// If there is no randomness to be had: going on without would be worse.
    fn fill(&self, buffer: &mut [u8]);
}

/// Delivers messages to people. Called by the outbox, at least once per message.
///
/// # Examples
///
/// A mailer of the application; the outbox tries again where it fails:
///
/// ```
/// use async_trait::async_trait;
/// use authkit_core::{BoxError, Notice, Notifier};
///
/// struct Mailer;
///
/// #[async_trait]
/// impl Notifier for Mailer {
///     async fn notify(&self, notice: &Notice) -> Result<(), BoxError> {
///         let text = match notice.template.as_str() {
///             "account_locked" => "Somebody tried to sign in to your account.",
///             other => return Err(format!("there is no template {other}").into()),
///         };
///         println!("To: {}\n\n{text}", notice.to);
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait Notifier: Send + Sync + 'static {
    /// Delivers one message, or says that it should be tried again later.
    ///
    /// # Errors
    ///
    /// Any error makes the outbox try again, later and later.
    async fn notify(&self, notice: &Notice) -> Result<(), BoxError>;
}

/// A message to a person, as it stands in the outbox.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Notice {
    /// The same for every delivery attempt of one message.
    pub id: String,
    /// Whose user it is about.
    pub tenant: TenantId,
    /// Whom it is about, if there is such a principal.
    pub principal: Option<PrincipalId>,
    /// Which template to render, such as `account_locked`.
    pub template: String,
    /// Where it goes: an e-mail address or a telephone number.
    pub to: String,
    /// What the template may show. May hold a secret of the message, so it is never logged.
    pub data: JsonValue,
}

impl Notice {
    /// A message to this address, rendered by this template. An empty address is nobody: the message is made and stored
    /// like any other and dropped at delivery, so that whether there is an account does not show.
    #[must_use]
    pub fn new(template: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            id: String::new(),
            tenant: TenantId::DEFAULT,
            principal: None,
            template: template.into(),
            to: to.into(),
            data: JsonValue::Null,
        }
    }

    /// Says whom it is about.
    #[must_use]
    pub const fn principal(mut self, id: PrincipalId) -> Self {
        self.principal = Some(id);
        self
    }

    /// Says what the template may show: an object.
    #[must_use]
    pub fn data(mut self, data: JsonValue) -> Self {
        self.data = data;
        self
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notice").field("id", &self.id).field("template", &self.template).finish_non_exhaustive()
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the slot that everything else has to use")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(crate::timestamp::millis(since_epoch))
    }
}

/// The operating system's source of randomness.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct OsRng;

impl Rng for OsRng {
    #[expect(clippy::disallowed_methods, reason = "this is the slot that everything else has to use")]
    #[expect(clippy::expect_used, reason = "without randomness no token may be made")]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives randomness");
    }
}

#[cfg(test)]
mod tests;
