//! Sessions: where they live, and how they are shown to a client.

use std::{fmt, ops::Deref};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    batch::{Batch, Receipt},
    collection::{Cursor, Page},
    context::RequestContext,
    error::AuthError,
    evidence::{Aal, Evidence},
    id::{PrincipalId, SessionId},
    principal::Principal,
    secret::{Secret, SecretText},
    timestamp::Timestamp,
    value::Json,
};

/// A session as a session store keeps it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredSession {
    /// Unique within its tenant.
    pub id: SessionId,
    /// Whose it is, as of now.
    pub principal: Principal,
    /// The level that was proved.
    pub aal: Aal,
    /// Authentication method references (RFC 8176), with spaces between.
    pub amr: String,
    /// What was proved, as stored.
    pub evidence: Json<Vec<Evidence>>,
    /// How often its secret was changed. What was begun under one secret does not go on under the next.
    pub generation: i64,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it was last used, to about a minute.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
}

impl StoredSession {
    /// For session stores.
    #[must_use]
    pub const fn new(
        id: SessionId,
        principal: Principal,
        aal: Aal,
        amr: String,
        evidence: Json<Vec<Evidence>>,
        generation: i64,
        times: SessionTimes,
    ) -> Self {
        let SessionTimes { created_at, last_seen_at, expires_at } = times;
        Self { id, principal, aal, amr, evidence, generation, created_at, last_seen_at, expires_at }
    }
}

/// A living session whose token was shown, or that was just issued. Only core makes one: it proves who acts.
///
/// ```compile_fail
/// fn forged(stored: authkit_core::StoredSession) -> authkit_core::Session {
///     authkit_core::Session(stored)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Session(StoredSession);

impl Session {
    pub(crate) const fn shown(stored: StoredSession) -> Self {
        Self(stored)
    }
}

impl Deref for Session {
    type Target = StoredSession;

    fn deref(&self) -> &StoredSession {
        &self.0
    }
}

/// A session as its owner sees it in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct SessionSummary {
    /// Unique within its tenant; not secret.
    pub id: SessionId,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it was last used, to about a minute.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
    /// Address from which it was issued.
    pub ip: Option<String>,
    /// What the client said it is.
    pub user_agent: Option<String>,
    /// The level that was proved.
    pub assurance: Aal,
    /// Authentication method references (RFC 8176).
    pub amr: Vec<String>,
}

impl SessionSummary {
    /// For session stores.
    #[must_use]
    pub const fn new(id: SessionId, assurance: Aal, times: SessionTimes) -> Self {
        Self {
            id,
            created_at: times.created_at,
            last_seen_at: times.last_seen_at,
            expires_at: times.expires_at,
            ip: None,
            user_agent: None,
            assurance,
            amr: Vec::new(),
        }
    }
}

/// The three times of a session.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is a list of arguments")]
pub struct SessionTimes {
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
}

/// A met requirement: the right to issue one session. Only core makes one.
///
/// ```compile_fail
/// fn forged(principal: authkit_core::Principal) -> authkit_core::Grant {
///     authkit_core::Grant { principal, evidence: vec![], aal: authkit_core::Aal::Aal3, amr: vec![] }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Grant {
    /// To whom.
    pub principal: Principal,
    /// What was proved.
    pub evidence: Vec<Evidence>,
    /// The level that it reaches.
    pub aal: Aal,
    /// Authentication method references (RFC 8176).
    pub amr: Vec<String>,
}

/// A session that the batch is about to add.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a session store makes it")]
pub struct NewSession {
    /// The session.
    pub session: StoredSession,
    /// Its secret; the row holds the hash.
    pub secret: Secret,
}

/// Why a session gets a new secret.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a session store has to handle every one")]
pub enum Rotation<'a> {
    /// Its principal proved more: the session takes over evidence, level and references of the grant.
    Raised(&'a Grant),
    /// Its principal did something after which copies of the secret are to be dead.
    Renewed(&'a Principal),
}

impl Rotation<'_> {
    /// Whose session it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        match self {
            Self::Raised(grant) => &grant.principal,
            Self::Renewed(principal) => principal,
        }
    }
}

/// Which sessions of a principal end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session store has to handle every one")]
pub enum Ending {
    /// All that were issued or stamped under a lower epoch; one that comes later stays, however late this is done.
    All {
        /// The epoch.
        epoch: i64,
    },
    /// This one.
    One(SessionId),
    /// All but one that were issued or stamped under a lower epoch.
    Others {
        /// The one that goes on.
        keep: SessionId,
        /// The epoch that it is stamped with, so that it outlives what the others do not.
        epoch: i64,
    },
}

/// Keeps sessions.
///
/// # Contract
///
/// 1. `insert` adds the row in the issuing commit; the row holds a hash and nothing that a client could present.
/// 2. `find` is one store call. It returns a session only if its secret's hash is `secret_hash` (compared in constant
///    time), it is not past its expiry, its principal is active, and its epoch is at least the principal's
///    `sessions_from`.
/// 3. `end` adds the removal to the batch, so that it lands with its record. Ending one session that is gone, or that is
///    another principal's, loses with [`codes::NOT_FOUND`](crate::codes::NOT_FOUND); ending several that are gone is no
///    error.
/// 4. `rotate` gives the session a new secret in the batch, and with a grant also what that proves; the secret before is
///    dead once the batch has landed. It raises the generation, and demands the one it is given: of several who rotate,
///    one wins; the others, and whoever rotates a session that is gone, lose with
///    [`codes::UNAUTHENTICATED`](crate::codes::UNAUTHENTICATED).
/// 5. `touch` keeps the session from going idle; it writes volatile columns only, and seldom.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Adds a session to the issuing batch.
    ///
    /// # Errors
    ///
    /// When the evidence has no stored form.
    fn insert(&self, cx: &RequestContext, grant: &Grant, batch: &mut Batch) -> Result<NewSession, AuthError>;

    /// Finds a living session.
    ///
    /// # Errors
    ///
    /// When the store fails; an absent or dead session is no error.
    async fn find(
        &self,
        cx: &RequestContext,
        id: SessionId,
        claim: &crate::secret::TokenClaim,
    ) -> Result<Option<StoredSession>, AuthError>;

    /// The living sessions of a principal, newest first.
    ///
    /// # Errors
    ///
    /// When the store fails or the cursor is not one of this list.
    async fn list(
        &self,
        cx: &RequestContext,
        principal: PrincipalId,
        after: Option<Cursor>,
    ) -> Result<Page<SessionSummary>, AuthError>;

    /// Adds the end of sessions to a batch.
    fn end(&self, cx: &RequestContext, principal: PrincipalId, which: Ending, batch: &mut Batch);

    /// Adds a new secret for a session to a batch.
    ///
    /// # Errors
    ///
    /// [`codes::UNAUTHENTICATED`](crate::codes::UNAUTHENTICATED) if the session is gone or is not the principal's.
    async fn rotate(
        &self,
        cx: &RequestContext,
        session: SessionId,
        generation: i64,
        rotation: Rotation<'_>,
        batch: &mut Batch,
    ) -> Result<NewSession, AuthError>;

    /// Notes that the session is in use.
    ///
    /// # Errors
    ///
    /// When the store fails.
    async fn touch(&self, cx: &RequestContext, session: &Session) -> Result<(), AuthError>;
}

/// Marks receipts of commits that issue; only the pipeline has one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Issue;

/// What a client gets to show its session with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Tokens {
    /// Presented with every request.
    pub access: SecretText,
    /// When it stops working unless the session is used.
    pub expires_at: Timestamp,
}

impl Tokens {
    /// For token strategies.
    #[must_use]
    pub const fn new(access: SecretText, expires_at: Timestamp) -> Self {
        Self { access, expires_at }
    }
}

/// How a session is shown to a client.
///
/// # Contract
///
/// 1. A token exists only after the issuing commit: `mint` takes its receipt.
/// 2. Text that this strategy did not make is refused without a store call.
#[async_trait]
pub trait TokenStrategy: Send + Sync + 'static {
    /// Makes the tokens of a session that was just issued.
    ///
    /// # Errors
    ///
    /// When the receipt is of another commit.
    fn mint(&self, new: &NewSession, receipt: &Receipt<Issue>) -> Result<Tokens, AuthError>;

    /// Finds the living session that a token shows.
    ///
    /// # Errors
    ///
    /// When the store fails; a token that shows nothing is no error.
    async fn authenticate(&self, cx: &RequestContext, token: &str) -> Result<Option<StoredSession>, AuthError>;
}

const _: fn(&dyn SessionStore, &dyn TokenStrategy) = |_, _| ();

/// What became of an authentication step that was not refused.
#[non_exhaustive]
pub enum Progress {
    /// More has to be proved.
    Challenged(crate::flow::Challenge),
    /// The action may be done, once, with this token.
    Granted(SecretText),
    /// A session was issued.
    SignedIn(Box<SignedIn>),
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Challenged(_) => "Challenged",
            Self::Granted(_) => "Granted",
            Self::SignedIn(_) => "SignedIn",
        })
    }
}

/// A session that was issued.
#[derive(Debug)]
#[non_exhaustive]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// What the client shows it with.
    pub tokens: Tokens,
    /// What the client is to keep besides.
    pub mark: Option<crate::stage::Mark>,
}

impl SignedIn {
    pub(crate) const fn new(session: Session, tokens: Tokens, mark: Option<crate::stage::Mark>) -> Self {
        Self { session, tokens, mark }
    }
}
