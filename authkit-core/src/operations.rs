//! The operations of core: they serve every method that is registered, whatever it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;

use crate::{
    audit::{AuditEntry, AuditRecord, Settlement},
    batch::Batch,
    collection::{Cursor, Scan},
    context::RequestContext,
    error::{AuthError, codes},
    event::{Logout, SessionRevoked, SessionsRevokedAll},
    evidence::{Aal, MethodId},
    flow::{Challenge, Offer},
    id::SessionId,
    operation::{Access, Call, HttpMethod, Operation, Reply},
    principal::{EndSessions, Principal},
    secret::SecretText,
    session::{Ending, Progress, Session, SessionSummary, StoredSession},
    timestamp::Timestamp,
};

pub(crate) fn all() -> Vec<Operation> {
    use HttpMethod::{Delete, Get, Post};
    vec![
        Operation::new(Post, "/auth/login", Access::Public, "Signs in.", login).starts_session(),
        Operation::new(Post, "/auth/challenges/begin", Access::Public, "Begins a method.", begin),
        Operation::new(Post, "/auth/challenges/answer", Access::Public, "Answers a challenge.", answer)
            .starts_session(),
        Operation::new(Post, "/auth/step-up", Access::Session, "Proves afresh who is there.", step_up).starts_session(),
        Operation::new(Post, "/auth/logout", Access::Public, "Ends the session that is shown.", logout),
        Operation::new(Get, "/sessions", Access::Session, "Lists the caller's sessions.", sessions),
        Operation::new(Delete, "/sessions/all", Access::Session, "Ends all other sessions.", end_all),
        Operation::new(Delete, "/sessions/{id}", Access::Session, "Ends one session.", end_one),
        Operation::new(Get, "/account/audit-events", Access::Session, "Lists what happened to the account.", events),
    ]
}

/// Answers of a method, and which one it is.
#[derive(Deserialize, JsonSchema)]
struct LoginInput {
    /// The method; `password` if absent.
    #[serde(default = "password")]
    method: MethodId,
    /// Whether to be remembered for longer than usual, where that is permitted.
    #[serde(default)]
    remember: bool,
    /// What the method takes.
    #[serde(flatten)]
    response: serde_json::Map<String, JsonValue>,
}

fn password() -> MethodId {
    MethodId::from_static("password")
}

#[derive(Deserialize, JsonSchema)]
struct BeginInput {
    /// The method.
    method: MethodId,
    /// The flow in which it is begun; absent to start one.
    flow: Option<SecretText>,
    /// What the method takes to begin.
    #[serde(default)]
    input: JsonValue,
}

#[derive(Deserialize, JsonSchema)]
struct AnswerInput {
    /// The flow's present token.
    flow: SecretText,
    /// The method.
    method: MethodId,
    /// What the method takes.
    #[serde(flatten)]
    response: serde_json::Map<String, JsonValue>,
}

/// How an authentication stands.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Standing {
    /// More has to be proved.
    Challenge {
        /// What.
        challenge: ChallengeBody,
    },
    /// The action may be done, once.
    Granted {
        /// Permits it.
        grant: String,
    },
    /// A session was issued.
    SignedIn {
        /// To whom.
        principal: Principal,
        /// Which.
        session: SessionBody,
    },
}

/// What a client sees of a flow.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ChallengeBody {
    /// Continues the flow, once.
    flow: String,
    /// Why more is demanded.
    reason: String,
    /// What would help.
    offers: Vec<Offer>,
    /// When the flow ends.
    expires_at: Timestamp,
}

impl From<&Challenge> for ChallengeBody {
    fn from(challenge: &Challenge) -> Self {
        Self {
            flow: challenge.flow.expose().to_owned(),
            reason: challenge.reason.clone(),
            offers: challenge.offers.clone(),
            expires_at: challenge.expires_at,
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct SessionBody {
    /// Not secret.
    id: SessionId,
    /// When it ends unless it is used.
    expires_at: Timestamp,
    /// The level that was proved.
    assurance: Aal,
    /// Authentication method references (RFC 8176).
    amr: Vec<String>,
}

impl From<&Session> for SessionBody {
    fn from(session: &Session) -> Self {
        let amr = session.amr.split_whitespace().map(str::to_owned).collect();
        Self { id: session.id, expires_at: session.expires_at, assurance: session.aal, amr }
    }
}

fn standing(call: &Call, progress: Progress) -> Result<Reply<Standing>, AuthError> {
    let signed_in = |session: &Session| {
        Reply::ok(Standing::SignedIn { principal: session.principal.clone(), session: SessionBody::from(session) })
    };
    Ok(match progress {
        Progress::Challenged(challenge) => Reply::ok(Standing::Challenge { challenge: (&challenge).into() }),
        Progress::Granted(grant) => Reply::ok(Standing::Granted { grant: grant.expose().to_owned() }),
        Progress::SignedIn(new) => signed_in(&new.session).start(new.tokens).mark(new.mark),
        Progress::Sufficient => signed_in(call.session()?),
    })
}

async fn stand(call: &Call, progress: Progress) -> Result<Reply<Standing>, AuthError> {
    if let Progress::SignedIn(signed_in) = &progress {
        end_replaced(call, &signed_in.session).await;
    }
    standing(call, progress)
}

/// Ends what the client showed before it got its new session, which is to outlive all of it (ASVS 5.0 V7.2.4).
///
/// The new session stands, and its proof may be good only once: what cannot be ended lives on until its own end.
async fn end_replaced(call: &Call, new: &Session) {
    let mut ended = Vec::new();
    if let Some(before) = call.session.as_ref().filter(|before| before.id != new.id) {
        ended.push(end_own(&call.cx, before).await);
    }
    if let Some(refresh) = &call.cx.client().refresh {
        ended.push(call.cx.end_refreshed(refresh.expose(), Some(new)).await.map(drop));
    }
    for error in ended.into_iter().filter_map(Result::err) {
        tracing::warn!(?error, "a session could not be ended that a sign-in replaced");
    }
}

async fn login(call: Call, input: LoginInput) -> Result<Reply<Standing>, AuthError> {
    let call = if input.remember { Call { cx: call.cx.remembering(), ..call } } else { call };
    let progress = call.cx.sign_in(&input.method, JsonValue::Object(input.response)).await?;
    stand(&call, progress).await
}

async fn begin(call: Call, input: BeginInput) -> Result<Reply<ChallengeBody>, AuthError> {
    let flow = input.flow.as_ref().map(SecretText::expose);
    let challenge = call.cx.begin(&input.method, input.input, flow).await?;
    Ok(Reply::ok((&challenge).into()))
}

async fn answer(call: Call, input: AnswerInput) -> Result<Reply<Standing>, AuthError> {
    let response = JsonValue::Object(input.response);
    let progress = call.cx.answer(input.flow.expose(), &input.method, response).await?;
    stand(&call, progress).await
}

#[derive(Deserialize, JsonSchema)]
struct StepUpInput {
    /// The one action that is to be permitted; absent to raise the session.
    action: Option<String>,
    /// The level to which the session is raised; `aal1` if absent.
    assurance: Option<Aal>,
}

async fn step_up(call: Call, input: StepUpInput) -> Result<Reply<Standing>, AuthError> {
    let session = call.session()?;
    let progress = match (&input.action, input.assurance) {
        (Some(action), None) => call.cx.step_up(session, action).await?,
        (None, level) => call.cx.raise(session, level.unwrap_or(Aal::Aal1)).await?,
        (Some(_), Some(_)) => {
            return Err(
                AuthError::new(&codes::INVALID_INPUT).field("assurance", "Give an action or a level, not both.")
            );
        }
    };
    standing(&call, progress)
}

/// Takes no input.
#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct LogoutInput {
    /// Shows the session where its access token does not any more.
    refresh_token: Option<SecretText>,
}

async fn logout(call: Call, input: LogoutInput) -> Result<Reply<()>, AuthError> {
    let refresh = input.refresh_token.as_ref().or(call.cx.client().refresh.as_ref());
    if call.session.is_none() && refresh.is_none() {
        return Err(AuthError::new(&codes::UNAUTHENTICATED));
    }
    if let Some(session) = &call.session {
        end_own(&call.cx, session).await?;
    }
    if let Some(token) = refresh {
        // One of the session that just ended shows none any more.
        let ended = call.cx.end_refreshed(token.expose(), None).await?;
        if !ended && call.session.is_none() {
            call.cx.turned_away("core.refresh_token");
        }
    }
    Ok(Reply::no_content().end())
}

/// Ends the session that the client shows; that somebody else was faster is no error.
pub(crate) async fn end_own(cx: &RequestContext, session: &StoredSession) -> Result<(), AuthError> {
    let mut batch = Batch::new(cx);
    cx.engine.sessions.end(cx, session.principal.id, Ending::One(session.id), &mut batch);
    match cx.commit(Logout { principal: session.principal.id, session: session.id }, batch).await {
        Err(error) if *error.code() == codes::NOT_FOUND => Ok(()),
        ended => ended.map(drop),
    }
}

#[derive(Deserialize, JsonSchema)]
struct PageInput {
    /// Where the page before ended.
    after: Option<String>,
    /// At most so many, from 1 to 100; 50 if absent.
    limit: Option<String>,
}

impl PageInput {
    fn cursor(&self) -> Result<Option<Cursor>, AuthError> {
        let invalid = |_error| AuthError::new(&codes::INVALID_INPUT).field("after", "This cursor is not valid.");
        self.after.as_deref().map(Cursor::from_text).transpose().map_err(invalid)
    }

    fn limit(&self) -> Result<usize, AuthError> {
        let invalid = |_error| AuthError::new(&codes::INVALID_INPUT).field("limit", "Give a number from 1 to 100.");
        let limit = self.limit.as_deref().map(str::parse::<usize>).transpose().map_err(invalid)?;
        Ok(limit.unwrap_or(50).clamp(1, 100))
    }
}

#[derive(Serialize, JsonSchema)]
struct SessionList {
    /// Newest first.
    sessions: Vec<SessionItem>,
    /// Leads to the next page.
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct SessionItem {
    /// Whether it is the caller's own.
    current: bool,
    #[serde(flatten)]
    summary: SessionSummary,
}

async fn sessions(call: Call, input: PageInput) -> Result<Reply<SessionList>, AuthError> {
    let own = call.session()?;
    let page = call.cx.engine.sessions.list(&call.cx, own.principal.id, input.cursor()?).await?;
    let item = |summary: SessionSummary| SessionItem { current: summary.id == own.id, summary };
    Ok(Reply::ok(SessionList {
        sessions: page.items.into_iter().map(item).collect(),
        next: page.next.map(|cursor| cursor.to_text()),
    }))
}

async fn end_one(call: Call, _: Nothing) -> Result<Reply<()>, AuthError> {
    let own = call.session()?;
    let ended: SessionId = call.part("id")?;
    if ended == own.id {
        end_own(&call.cx, own).await?;
        return Ok(Reply::no_content().end());
    }
    let mut batch = Batch::new(&call.cx);
    call.cx.engine.sessions.end(&call.cx, own.principal.id, Ending::One(ended), &mut batch);
    let event = SessionRevoked { principal: own.principal.id, session: own.id, ended };
    call.cx.commit(event, batch).await?;
    Ok(Reply::no_content())
}

#[derive(Deserialize, JsonSchema)]
struct EndAllInput {
    /// `true` ends the caller's own session too.
    include_current: Option<String>,
}

async fn end_all(call: Call, input: EndAllInput) -> Result<Reply<()>, AuthError> {
    let own = call.session()?;
    let everything = match input.include_current.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(AuthError::new(&codes::INVALID_INPUT).field("include_current", "Give true or false."));
        }
    };
    let (ends, kept) = if everything { (EndSessions::All, None) } else { (EndSessions::Others(own), Some(own.id)) };
    let mut batch = Batch::new(&call.cx);
    batch.raise_epoch(&call.cx, &own.principal, ends);
    let event = SessionsRevokedAll { principal: own.principal.id, session: Some(own.id), kept };
    call.cx.commit(event, batch).await?;
    let reply = Reply::no_content();
    Ok(if everything { reply.end() } else { reply })
}

#[derive(Serialize, JsonSchema)]
struct EventList {
    /// Newest first.
    events: Vec<AuditEntry>,
    /// Leads to the next page.
    next: Option<String>,
}

async fn events(call: Call, input: PageInput) -> Result<Reply<EventList>, AuthError> {
    let own = call.session()?;
    let scan = Scan::of(AuditRecord::by_principal, (Some(own.principal.id),))
        .filter(AuditRecord::settlement.ne(Settlement::Aborted))
        .descending()
        .limit(input.limit()?)
        .after(input.cursor()?);
    let page = call.cx.engine.audit.records.query(&call.cx, scan).await?;
    Ok(Reply::ok(EventList {
        events: page.items.iter().map(|record| AuditEntry::of(record, call.cx.tenant())).collect(),
        next: page.next.map(|cursor| cursor.to_text()),
    }))
}
