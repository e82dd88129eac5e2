//! The spine: what authenticates, what it can answer, and who finds it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Entity,
    batch::Batch,
    collection::{At, Collection, Scan},
    context::RequestContext,
    entity::Change,
    error::{AuthError, codes},
    evidence::{Channel, Evidence, Factors, KeyBinding, MethodId},
    id::PrincipalId,
    id_type,
    session::{Ending, Session},
    text_enum,
    timestamp::Timestamp,
};

text_enum! {
    /// What kind of thing authenticates.
    pub enum PrincipalKind {
        /// A program that acts on its own.
        Agent = "agent",
        /// A thing.
        Device = "device",
        /// A person.
        Human = "human",
        /// A program of an operator.
        Service = "service",
    }
}

text_enum! {
    /// Whether a principal may authenticate. Only `active` may.
    pub enum Status {
        /// May authenticate.
        Active = "active",
        /// Waits for its end; can be brought back until then.
        Deleted = "deleted",
        /// Was shut out.
        Disabled = "disabled",
    }
}

/// Whatever authenticates. Never assume a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Principal {
    /// Unique within its tenant.
    pub id: PrincipalId,
    /// What it is.
    pub kind: PrincipalKind,
    /// Whether it may authenticate.
    pub status: Status,
    /// Grows with every change of credential, factor or status; every issuing commit guards it.
    #[serde(skip)]
    #[schemars(skip)]
    pub epoch: i64,
}

impl Principal {
    /// A new, active principal that is not stored yet.
    #[must_use]
    pub fn new(cx: &RequestContext, kind: PrincipalKind) -> Self {
        Self { id: cx.new_id(), kind, status: Status::Active, epoch: 0 }
    }

    /// A principal as just read from its row.
    #[must_use]
    pub const fn read(id: PrincipalId, kind: PrincipalKind, status: Status, epoch: i64) -> Self {
        Self { id, kind, status, epoch }
    }
}

/// The row of a principal. Plugins refer to it; core writes it.
#[derive(Debug, Entity)]
#[entity(table = "auth_principals", durable, index(by_status: status, status_at))]
#[expect(clippy::exhaustive_structs, reason = "its entity is as declared; a new column is a breaking change")]
pub struct PrincipalRow {
    /// Unique within its tenant.
    pub id: PrincipalId,
    /// What it is.
    pub kind: PrincipalKind,
    /// Whether it may authenticate.
    pub status: Status,
    /// When the status became what it is.
    pub status_at: Timestamp,
    /// Grows with every change of credential, factor or status.
    pub epoch: i64,
    /// Sessions that were issued or stamped under a lower epoch are dead.
    pub sessions_from: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last signed in.
    #[entity(volatile)]
    pub last_login_at: Option<Timestamp>,
}

impl From<&PrincipalRow> for Principal {
    fn from(row: &PrincipalRow) -> Self {
        Self::read(row.id, row.kind, row.status, row.epoch)
    }
}

id_type! {
    /// One enrolment.
    pub struct EnrolmentId;
}

/// "This principal can answer this method": written in the commit that enrols, read once per sign-in.
#[derive(Clone, Debug, Entity)]
#[entity(
    table = "auth_enrolments",
    durable,
    unique(by_method: principal_id, method, label),
    index(by_principal: principal_id, created_at),
    references(principal_id -> auth_principals)
)]
#[expect(clippy::exhaustive_structs, reason = "its entity is as declared; a new column is a breaking change")]
pub struct Enrolment {
    /// Unique within its tenant.
    pub id: EnrolmentId,
    /// Whose it is.
    pub principal_id: PrincipalId,
    /// The method that it answers.
    pub method: MethodId,
    /// Tells several of one method apart; empty if there can be only one.
    pub label: String,
    /// The kinds of factor that an answer proves.
    pub factors: Factors,
    /// The channel over which answers come.
    pub channel: Option<Channel>,
    /// Whether an answer is bound to the origin that asked.
    pub phishing_resistant: bool,
    /// How the key is held, if there is one.
    pub key: KeyBinding,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What an [`Enrolment`] proves when it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ability {
    /// The method that is answered.
    pub method: MethodId,
    /// Tells several of one method apart; empty if there can be only one.
    pub label: String,
    /// The kinds of factor that an answer proves.
    pub factors: Factors,
    /// The channel over which answers come.
    pub channel: Option<Channel>,
    /// Whether an answer is bound to the origin that asked.
    pub phishing_resistant: bool,
    /// How the key is held, if there is one.
    pub key: KeyBinding,
}

impl Ability {
    /// The only credential of its method, over no particular channel.
    #[must_use]
    pub const fn new(method: MethodId, factors: Factors) -> Self {
        Self { method, label: String::new(), factors, channel: None, phishing_resistant: false, key: KeyBinding::None }
    }

    pub(crate) fn of(enrolment: &Enrolment) -> Self {
        Self {
            method: enrolment.method.clone(),
            label: enrolment.label.clone(),
            factors: enrolment.factors,
            channel: enrolment.channel.clone(),
            phishing_resistant: enrolment.phishing_resistant,
            key: enrolment.key,
        }
    }

    /// What an answer would prove.
    pub(crate) fn proof(self, now: Timestamp, epoch: i64) -> Evidence {
        let proof = Evidence::new(self.method, self.factors, now, epoch).channel(self.channel).key(self.key);
        if self.phishing_resistant { proof.phishing_resistant() } else { proof }
    }

    /// Says over which channel answers come.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<Option<Channel>>) -> Self {
        self.channel = channel.into();
        self
    }

    /// Tells it apart from others of its method.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says that an answer is bound to the origin that asked.
    #[must_use]
    pub const fn phishing_resistant(mut self) -> Self {
        self.phishing_resistant = true;
        self
    }

    /// Says how the key is held.
    #[must_use]
    pub const fn key(mut self, binding: KeyBinding) -> Self {
        self.key = binding;
        self
    }
}

/// Core's own tables about principals.
pub(crate) struct Spine {
    pub(crate) principals: Collection<PrincipalRow>,
    pub(crate) enrolments: Collection<Enrolment>,
}

impl RequestContext {
    /// Reads a principal of this tenant.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn principal(&self, id: PrincipalId) -> Result<Option<Principal>, AuthError> {
        let row = self.engine.spine.principals.get(self, At::id(id)).await?;
        Ok(row.as_ref().map(Principal::from))
    }

    pub(crate) async fn enrolments(&self, id: PrincipalId) -> Result<Vec<Enrolment>, AuthError> {
        let scan = Scan::of(Enrolment::by_principal, (id,)).limit(1000);
        Ok(self.engine.spine.enrolments.query(self, scan).await?.items)
    }
}

/// Which sessions a change ends.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum EndSessions<'a> {
    /// All.
    All,
    /// None.
    None,
    /// All but this one, which goes on.
    Others(&'a Session),
}

/// What core's tables have to say about a change; each demands that the principal is as it was when it was read.
impl Batch {
    /// Adds a principal.
    pub fn add_principal(&mut self, cx: &RequestContext, principal: &Principal) {
        self.add_principal_since(cx, principal, cx.now());
    }

    /// Adds a principal that was made at another time, in another system.
    pub fn add_principal_since(&mut self, cx: &RequestContext, principal: &Principal, created_at: Timestamp) {
        let row = PrincipalRow {
            id: principal.id,
            kind: principal.kind,
            status: principal.status,
            status_at: cx.now(),
            epoch: principal.epoch,
            sessions_from: 0,
            created_at,
            last_login_at: None,
        };
        self.insert(&cx.engine.spine.principals, row).or(&codes::CONFLICT);
    }

    /// Adds what the principal can answer from now on.
    pub fn add_enrolment(&mut self, cx: &RequestContext, principal: &Principal, ability: Ability) {
        let row = Enrolment {
            id: cx.new_id(),
            principal_id: principal.id,
            method: ability.method,
            label: ability.label,
            factors: ability.factors,
            channel: ability.channel,
            phishing_resistant: ability.phishing_resistant,
            key: ability.key,
            created_at: cx.now(),
        };
        self.insert(&cx.engine.spine.enrolments, row).or(&codes::CONFLICT);
    }

    /// Removes what the principal could answer. Raise the epoch in the same batch.
    pub fn remove_enrolment(&mut self, cx: &RequestContext, principal: PrincipalId, method: &MethodId, label: &str) {
        let at = At::key(Enrolment::by_method, (principal, method.clone(), label.to_owned()));
        self.take(&cx.engine.spine.enrolments, at, []).or(&codes::NOT_FOUND);
    }

    /// Raises the epoch: whatever was proved before and not issued yet counts no more. Loses to any other change.
    pub fn raise_epoch(&mut self, cx: &RequestContext, principal: &Principal, ends: EndSessions<'_>) {
        self.change_principal(cx, principal, Vec::new(), ends);
    }

    /// Sets whether the principal may authenticate, raises the epoch and ends all sessions.
    pub fn set_status(&mut self, cx: &RequestContext, principal: &Principal, status: Status) {
        let changes = vec![PrincipalRow::status.set(status), PrincipalRow::status_at.set(cx.now())];
        self.change_principal(cx, principal, changes, EndSessions::All);
    }

    /// Removes the principal and every row that refers to it.
    pub fn remove_principal(&mut self, cx: &RequestContext, principal: &Principal) {
        cx.engine.sessions.end(cx, principal.id, Ending::All { epoch: i64::MAX }, self);
        let guards = [PrincipalRow::epoch.eq(principal.epoch)];
        self.take(&cx.engine.spine.principals, At::id(principal.id), guards).or(&codes::CONFLICT);
    }

    fn change_principal(
        &mut self,
        cx: &RequestContext,
        principal: &Principal,
        mut changes: Vec<Change<PrincipalRow>>,
        ends: EndSessions<'_>,
    ) {
        let next = principal.epoch.saturating_add(1);
        changes.push(PrincipalRow::epoch.set(next));
        if !matches!(ends, EndSessions::None) {
            changes.push(PrincipalRow::sessions_from.set(next));
        }
        let guards = [PrincipalRow::epoch.eq(principal.epoch), PrincipalRow::status.eq(principal.status)];
        self.update(&cx.engine.spine.principals, At::id(principal.id), guards, changes).or(&codes::CONFLICT);
        match ends {
            EndSessions::None => {}
            EndSessions::All => cx.engine.sessions.end(cx, principal.id, Ending::All { epoch: next }, self),
            EndSessions::Others(kept) => {
                cx.engine.sessions.end(cx, principal.id, Ending::Others { keep: kept.id, epoch: next }, self);
            }
        }
    }
}

/// By what a principal is found: a kind and canonical text, unique per tenant.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Identifier {
    /// Which kind: `email`.
    pub kind: &'static str,
    /// The one spelling under which it is stored and looked up.
    pub canonical: String,
}

impl Identifier {
    /// For parsers of identifiers.
    #[must_use]
    pub const fn new(kind: &'static str, canonical: String) -> Self {
        Self { kind, canonical }
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({})", self.kind)
    }
}

/// Parses one kind of identifier.
///
/// # Examples
///
/// Numbers of employees: six digits, with or without a hyphen:
///
/// ```
/// use authkit_core::IdentifierKind;
///
/// struct EmployeeNumber;
///
/// impl IdentifierKind for EmployeeNumber {
///     fn kind(&self) -> &'static str { "employee" }
///
///     fn canonical(&self, typed: &str) -> Option<String> {
///         let digits = typed.trim().replacen('-', "", 1);
///         (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
///     }
/// }
///
/// assert_eq!(EmployeeNumber.canonical("123-456").as_deref(), Some("123456"));
/// ```
pub trait IdentifierKind: Send + Sync + 'static {
    /// Stable name: `email`.
    fn kind(&self) -> &'static str;

    /// The canonical text of whatever spelling, or none if it is not of this kind. At most 255 characters.
    fn canonical(&self, text: &str) -> Option<String>;
}

/// Finds principals by identifier and keeps what is known about them.
///
/// `authkit-account` implements it over its own entities; an application may over its own tables.
///
/// # Contract
///
/// 1. `find` costs the same whether or not there is a principal, and returns one of this tenant in any status.
/// 2. `insert` adds to the batch what makes the identifiers lead to the principal; a taken identifier loses with
///    [`codes::CONFLICT`].
/// 3. An identifier leads to one principal per tenant.
#[async_trait]
pub trait UserStore: Send + Sync + 'static {
    /// The principal to whom the identifier leads, as it is now.
    ///
    /// # Errors
    ///
    /// When the store fails; nobody is no error.
    async fn find(&self, cx: &RequestContext, identifier: &Identifier) -> Result<Option<Principal>, AuthError>;

    /// Makes identifiers lead to a principal that the same batch adds.
    ///
    /// # Errors
    ///
    /// When an identifier cannot be kept at all.
    fn insert(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        identifiers: &[Identifier],
        batch: &mut Batch,
    ) -> Result<(), AuthError>;
}

const _: fn(&dyn UserStore, &dyn IdentifierKind) = |_, _| ();

/// The registered kinds of identifier, by name.
#[derive(Default)]
pub(crate) struct IdentifierKinds(pub(crate) BTreeMap<&'static str, Arc<dyn IdentifierKind>>);

/// Longest identifier that is looked at, in bytes.
const LONGEST_IDENTIFIER: usize = 1024;

impl IdentifierKinds {
    pub(crate) fn parse(&self, text: &str) -> Option<Identifier> {
        if text.len() > LONGEST_IDENTIFIER || text.contains('\0') {
            return None;
        }
        let parsed = |parser: &Arc<dyn IdentifierKind>| Some(Identifier::new(parser.kind(), parser.canonical(text)?));
        self.0.values().find_map(parsed)
    }
}

impl RequestContext {
    /// Reads an identifier of any registered kind; none if it is of no kind.
    #[must_use]
    pub fn identifier(&self, text: &str) -> Option<Identifier> {
        self.engine.identifiers.parse(text)
    }

    /// Finds the principal of an identifier.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn find_principal(&self, identifier: &Identifier) -> Result<Option<Principal>, AuthError> {
        self.engine.users.find(self, identifier).await
    }
}
