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
    text_enum,
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
    /// When it ends however much it is used.
    pub ends_at: Timestamp,
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
        let SessionTimes { created_at, last_seen_at, expires_at, ends_at } = times;
        Self { id, principal, aal, amr, evidence, generation, created_at, last_seen_at, expires_at, ends_at }
    }
}

/// A living session as its store holds it, with what its tokens are judged by.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "a session store makes it")]
pub struct Kept {
    /// The session.
    pub session: StoredSession,
    /// SHA-256 of its secret; what shows the session has to prove it in constant time.
    pub secret_hash: [u8; 32],
    /// How many refresh tokens followed the first one under this secret.
    pub refreshes: i64,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("session", &self.session)
            .field("refreshes", &self.refreshes)
            .finish_non_exhaustive()
    }
}

/// A living session whose token was shown, or that was just issued. Only core makes one: it proves who acts.
///
/// ```compile_fail
/// fn forged(shown: authkit_core::Shown) -> authkit_core::Session {
///     authkit_core::Session(shown)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Session(Shown);

/// A session that a token shows, and how it is known.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Shown {
    /// A signed token says so, and its store was not asked: it may have ended since the token was made. Its evidence
    /// may be absent.
    Claimed(StoredSession),
    /// Its store says so, in this request.
    Stored(StoredSession),
}

impl Session {
    pub(crate) const fn shown(shown: Shown) -> Self {
        Self(shown)
    }

    pub(crate) const fn stored(session: StoredSession) -> Self {
        Self(Shown::Stored(session))
    }

    /// Whether a signed token is all that speaks for it; see [`RequestContext::confirm`].
    #[must_use]
    pub const fn is_claimed(&self) -> bool {
        matches!(self.0, Shown::Claimed(_))
    }
}

impl Deref for Session {
    type Target = StoredSession;

    fn deref(&self) -> &StoredSession {
        match &self.0 {
            Shown::Claimed(session) | Shown::Stored(session) => session,
        }
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

/// The times of a session.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is a list of arguments")]
pub struct SessionTimes {
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
    /// When it ends however much it is used.
    pub ends_at: Timestamp,
}

/// A met requirement: the right to issue one session. Only core makes one.
///
/// ```compile_fail
/// fn forged(principal: authkit_core::Principal) -> authkit_core::Grant {
///     authkit_core::Grant { principal, evidence: vec![], aal: authkit_core::Aal::Aal3, amr: vec![], remember: false }
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
    /// Whether the client asked to be remembered for longer than usual.
    pub remember: bool,
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

/// What a refresh does to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session store has to handle every one")]
pub enum Renewal {
    /// The next refresh token takes the place of the newest one, and the use is noted.
    Next,
    /// The newest refresh token is given out again; the session stays as it is.
    Same,
    /// The newest refresh token is given out again, and the use is noted: tokens do not follow each other.
    Use,
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
/// 2. `find` is one store call. It returns a session only if it is not past its expiry, its principal is active, and its
///    epoch is at least the principal's `sessions_from`. Whoever asks compares the secret.
/// 3. `end` adds the removal to the batch, so that it lands with its record. Ending one session that is gone, or that is
///    another principal's, loses with [`codes::NOT_FOUND`](crate::codes::NOT_FOUND); ending several that are gone is no
///    error.
/// 4. `rotate` gives the session a new secret in the batch, and with a grant also what that proves; the secret before is
///    dead once the batch has landed. It raises the generation, and demands the one it is given: of several who rotate,
///    one wins; the others, and whoever rotates a session that is gone, lose with
///    [`codes::UNAUTHENTICATED`](crate::codes::UNAUTHENTICATED).
/// 5. `renew` demands that secret and number of refreshes are as they were read; of several who renew, one wins, and the
///    others lose with [`codes::CONFLICT`](crate::codes::CONFLICT), as with a session that is gone. [`Renewal::Next`]
///    raises the number by one and makes the time of the request the last use; [`Renewal::Use`] does the second only.
/// 6. `touch` keeps the session from going idle; it writes volatile columns only, and seldom.
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
    async fn find(&self, cx: &RequestContext, id: SessionId) -> Result<Option<Kept>, AuthError>;

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

    /// Adds a refresh to a batch, and returns the session as it is once that has landed.
    fn renew(&self, cx: &RequestContext, kept: &Kept, renewal: Renewal, batch: &mut Batch) -> Kept;

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
    /// Exchanged for the next tokens, where there is such a thing.
    pub refresh: Option<RefreshToken>,
}

/// A token that is exchanged for the next tokens of its session.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a token strategy makes it")]
pub struct RefreshToken {
    /// Presented to refresh, and nowhere else.
    pub text: SecretText,
    /// When it stops working unless it is used.
    pub expires_at: Timestamp,
}

impl Tokens {
    /// For token strategies.
    #[must_use]
    pub const fn new(access: SecretText, expires_at: Timestamp) -> Self {
        Self { access, expires_at, refresh: None }
    }

    /// With a refresh token.
    #[must_use]
    pub fn refreshed_by(mut self, text: SecretText, expires_at: Timestamp) -> Self {
        self.refresh = Some(RefreshToken { text, expires_at });
        self
    }
}

/// What a refresh token shows.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the pipeline has to handle every one")]
pub enum RefreshState {
    /// Nothing: it was not made here, or its session is gone or has another secret.
    Dead,
    /// The newest token of the session, where tokens do not follow each other: it stays, and the use is noted.
    Lasting(Kept),
    /// The newest token of the session, and it was not made a moment ago: the next one follows.
    Newest(Kept),
    /// The newest token may be had again, and none follows: the response with it may have been lost, or it was made a
    /// moment ago.
    Replaced(Kept),
    /// It was replaced long ago: two hold copies of one token, and one of them stole it.
    Reused(Kept, ReuseEnds),
}

text_enum! {
    /// What ends when a refresh token comes back that was replaced long ago.
    pub enum ReuseEnds {
        /// The session that it is of.
        Session = "session",
        /// Every session of the account: whoever copied one token may have copied others.
        Account = "account",
    }
}

/// How a session is shown to a client.
///
/// # Contract
///
/// 1. A token exists only after the issuing commit: `mint` and `mint_again` take its receipt.
/// 2. Text that this strategy did not make is refused without a store call, and changes nothing.
/// 3. `authenticate` and `inspect_refresh` are one store call at most, and compare secrets in constant time.
/// 4. A lost response is no theft: the token that was replaced last shows [`RefreshState::Replaced`].
/// 5. Nor is haste: tokens do not follow each other so fast that a request on its way shows one that was replaced long
///    ago.
#[async_trait]
pub trait TokenStrategy: Send + Sync + 'static {
    /// Makes the tokens of a session that was just issued.
    ///
    /// # Errors
    ///
    /// When the receipt is of another commit, or nothing can be signed with.
    async fn mint(&self, cx: &RequestContext, new: &NewSession, receipt: &Receipt<Issue>) -> Result<Tokens, AuthError>;

    /// Makes the tokens of a session that was just refreshed: its refresh token is the one of this number.
    ///
    /// # Errors
    ///
    /// When nothing can be signed with.
    async fn mint_again(&self, cx: &RequestContext, kept: &Kept, receipt: &Receipt<Issue>)
    -> Result<Tokens, AuthError>;

    /// Finds the living session that a token shows.
    ///
    /// # Errors
    ///
    /// When the store fails; a token that shows nothing is no error.
    async fn authenticate(&self, cx: &RequestContext, token: &str) -> Result<Option<Shown>, AuthError>;

    /// Judges a refresh token.
    ///
    /// # Errors
    ///
    /// When the store fails; a token that shows nothing is no error.
    async fn inspect_refresh(&self, cx: &RequestContext, token: &str) -> Result<RefreshState, AuthError>;
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
    /// The session has proved enough already. Nothing was issued, and its tokens stay what they are.
    Sufficient,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Challenged(_) => "Challenged",
            Self::Granted(_) => "Granted",
            Self::SignedIn(_) => "SignedIn",
            Self::Sufficient => "Sufficient",
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
