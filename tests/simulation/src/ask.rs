//! A request as it is sent, and what the client gets.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use authkit_account::AccountAdmin;
use authkit_core::{
    Aal, AuthError, AuthManager, Call, Class, Client, HttpMethod, Id, MethodId, OfferAction, Operation, PrincipalId,
    Progress, Reply, RequestContext, SecretText, Session, SessionChange, Timestamp, codes,
};
use authkit_password::PasswordAdmin;
use serde_json::{Value as JsonValue, json};

use crate::{
    plugin::{BADGE, WordAdmin},
    request::{Action, Tenant},
};

const PASSWORD: MethodId = MethodId::from_static("password");

/// A request with everything that is in it.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) tenant: Tenant,
    /// Which client sends it; each has an address of its own.
    pub(crate) client: u8,
    pub(crate) deed: Deed,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    SignUp { address: &'static str, password: String },
    SignIn { address: &'static str, password: String },
    BadgeSignIn { badge: String, step: i64 },
    Begin { flow: String },
    Enrol { flow: String, badge: String },
    AnswerPassword { flow: String, password: String },
    AnswerBadge { flow: String, badge: String, step: i64 },
    StepUp { token: String, action: Action },
    Raise { token: String, level: Aal },
    Redeem { token: String, grant: String, action: Action },
    ChangePassword { token: String, current: String, new: String },
    Authenticate { token: String },
    List { token: String },
    Logout { token: String },
    Revoke { token: String, ended: Id },
    EndOthers { token: String },
    EndAll { token: String },
    Disable(Id),
    Enable(Id),
    Delete(Id),
    Restore(Id),
    SetPassword { principal: Id, new: String },
}

impl Deed {
    /// The session token that is presented.
    pub(crate) fn token(&self) -> Option<&str> {
        match self {
            Self::StepUp { token, .. }
            | Self::Raise { token, .. }
            | Self::Redeem { token, .. }
            | Self::ChangePassword { token, .. }
            | Self::Authenticate { token }
            | Self::List { token }
            | Self::Logout { token }
            | Self::Revoke { token, .. }
            | Self::EndOthers { token }
            | Self::EndAll { token } => Some(token),
            _ => None,
        }
    }

    /// The flow token that is presented.
    pub(crate) fn flow(&self) -> Option<&str> {
        match self {
            Self::Begin { flow }
            | Self::Enrol { flow, .. }
            | Self::AnswerPassword { flow, .. }
            | Self::AnswerBadge { flow, .. } => Some(flow),
            _ => None,
        }
    }

    /// Short name, for coverage.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::SignUp { .. } => "sign up",
            Self::SignIn { .. } => "sign in",
            Self::BadgeSignIn { .. } => "sign in by badge",
            Self::Begin { .. } => "begin",
            Self::Enrol { .. } => "enrol",
            Self::AnswerPassword { .. } => "answer password",
            Self::AnswerBadge { .. } => "answer badge",
            Self::StepUp { .. } => "step up",
            Self::Raise { .. } => "raise",
            Self::Redeem { .. } => "redeem",
            Self::ChangePassword { .. } => "change password",
            Self::Authenticate { .. } => "authenticate",
            Self::List { .. } => "list",
            Self::Logout { .. } => "log out",
            Self::Revoke { .. } => "revoke",
            Self::EndOthers { .. } => "end others",
            Self::EndAll { .. } => "end all",
            Self::Disable(_) => "disable",
            Self::Enable(_) => "enable",
            Self::Delete(_) => "delete",
            Self::Restore(_) => "restore",
            Self::SetPassword { .. } => "set password",
        }
    }
}

/// What a client gets.
#[derive(Debug)]
pub(crate) enum Answer {
    SignedIn { token: String, session: Id, principal: Id },
    Challenged { flow: String, offers: Offers },
    Granted(String),
    Renewed(String),
    Found { session: Id, principal: Id },
    Listed(Vec<Id>),
    Done,
    Refused(Refusal),
}

/// What a challenge offers to be set up.
#[derive(Clone, Debug)]
pub(crate) enum Offers {
    Nothing,
    /// A badge, if it is begun.
    Badge,
    /// This badge.
    Shown(String),
}

/// An error, as a client sees it, and as the log does.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) class: Class,
    /// The flow token with which it goes on.
    pub(crate) retry: Option<String>,
    /// Everything else that the client is told.
    pub(crate) hints: String,
    /// All forms in which the error can be printed.
    pub(crate) printed: String,
}

/// What becomes known while a request is on its way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Noted>>);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noted {
    /// When the request began.
    pub(crate) now: Option<Timestamp>,
    /// Whether its token showed a living session.
    pub(crate) found: Option<bool>,
}

impl Notes {
    pub(crate) fn get(&self) -> Noted {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut Noted)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Sends a request.
pub(crate) async fn perform(auth: AuthManager, ask: Ask, notes: Notes) -> Answer {
    let client = Client::default().ip(IpAddr::from([10, 0, 0, ask.client])).user_agent("simulation");
    let cx = auth.request_to(ask.tenant.id(), client);
    notes.set(|noted| noted.now = Some(cx.now()));
    answer(&auth, cx, ask, &notes).await.unwrap_or_else(|error| Answer::Refused(Refusal::from(&error)))
}

async fn answer(auth: &AuthManager, cx: RequestContext, ask: Ask, notes: &Notes) -> Result<Answer, AuthError> {
    let session = match ask.deed.token() {
        Some(token) => {
            let found = cx.authenticate(token).await?;
            notes.set(|noted| noted.found = Some(found.is_some()));
            Some(found.ok_or(AuthError::new(&codes::UNAUTHENTICATED))?)
        }
        None => None,
    };
    let named = |address: &str, password: &str| json!({ "identifier": address, "password": password });
    match (ask.deed, session) {
        (Deed::SignUp { address, password }, _) => {
            call(auth, cx, None, HttpMethod::Post, "/auth/signup", named(address, &password), vec![]).await
        }
        (Deed::SignIn { address, password }, _) => Ok(cx.sign_in(&PASSWORD, named(address, &password)).await?.into()),
        (Deed::BadgeSignIn { badge, step }, _) => {
            Ok(cx.sign_in(&BADGE, json!({ "badge": badge, "step": step })).await?.into())
        }
        (Deed::Begin { flow }, _) => {
            let challenge = cx.begin(&BADGE, JsonValue::Null, Some(&flow)).await?;
            Ok(Progress::Challenged(challenge).into())
        }
        (Deed::Enrol { flow, badge }, _) => {
            Ok(cx.answer(&flow, &BADGE, json!({ "badge": badge, "step": 0 })).await?.into())
        }
        (Deed::AnswerPassword { flow, password }, _) => {
            Ok(cx.answer(&flow, &PASSWORD, json!({ "password": password })).await?.into())
        }
        (Deed::AnswerBadge { flow, badge, step }, _) => {
            Ok(cx.answer(&flow, &BADGE, json!({ "badge": badge, "step": step })).await?.into())
        }
        (Deed::StepUp { action, .. }, Some(session)) => Ok(cx.step_up(&session, action.name()).await?.into()),
        (Deed::Raise { level, .. }, Some(session)) => Ok(cx.raise(&session, level).await?.into()),
        (Deed::Redeem { grant, action, .. }, Some(session)) => {
            cx.redeem(&session, action.name(), &grant).await.map(|()| Answer::Done)
        }
        (Deed::ChangePassword { current, new, .. }, Some(session)) => {
            let input = json!({ "current_password": current, "new_password": new });
            call(auth, cx, Some(session), HttpMethod::Post, "/account/change-password", input, vec![]).await
        }
        (Deed::Authenticate { .. }, Some(session)) => {
            Ok(Answer::Found { session: session.id.into(), principal: session.principal.id.into() })
        }
        (Deed::List { .. }, Some(session)) => {
            call(auth, cx, Some(session), HttpMethod::Get, "/sessions", json!({}), vec![]).await
        }
        (Deed::Logout { .. }, Some(session)) => {
            call(auth, cx, Some(session), HttpMethod::Post, "/auth/logout", json!({}), vec![]).await
        }
        (Deed::Revoke { ended, .. }, Some(session)) => {
            let part = vec![("id".to_owned(), ended.to_string())];
            call(auth, cx, Some(session), HttpMethod::Delete, "/sessions/{id}", json!({}), part).await
        }
        (Deed::EndOthers { .. }, Some(session)) => {
            call(auth, cx, Some(session), HttpMethod::Delete, "/sessions/all", json!({}), vec![]).await
        }
        (Deed::EndAll { .. }, Some(session)) => {
            let all = json!({ "include_current": "true" });
            call(auth, cx, Some(session), HttpMethod::Delete, "/sessions/all", all, vec![]).await
        }
        (Deed::Disable(id), _) => admin(auth).disable(&cx, id.into()).await.map(|()| Answer::Done),
        (Deed::Enable(id), _) => admin(auth).enable(&cx, id.into()).await.map(|()| Answer::Done),
        (Deed::Delete(id), _) => admin(auth).delete(&cx, id.into()).await.map(|()| Answer::Done),
        (Deed::Restore(id), _) => admin(auth).restore(&cx, id.into()).await.map(|()| Answer::Done),
        (Deed::SetPassword { principal, new }, _) => {
            set_password(auth, &cx, principal.into(), new).await.map(|()| Answer::Done)
        }
        (_, None) => unreachable!("a deed with a token has a session here"),
    }
}

pub(crate) fn admin(auth: &AuthManager) -> Arc<AccountAdmin> {
    auth.capability::<AccountAdmin>().expect("authkit-account is there")
}

pub(crate) async fn set_password(
    auth: &AuthManager,
    cx: &RequestContext,
    id: PrincipalId,
    new: String,
) -> Result<(), AuthError> {
    let principal = cx.principal(id).await?.ok_or(AuthError::new(&codes::NOT_FOUND))?;
    let new = SecretText::new(new);
    match (auth.capability::<PasswordAdmin>(), auth.capability::<WordAdmin>()) {
        (Some(passwords), _) => passwords.set(cx, &principal, new).await,
        (None, words) => words.expect("one of the two is there").set(cx, &principal, new).await,
    }
}

/// Calls an operation as an edge does.
pub(crate) async fn reply(auth: &AuthManager, call: Call, method: HttpMethod, path: &str) -> Result<Reply, AuthError> {
    let wanted = |operation: &&Operation| operation.path == path && operation.method == method;
    let operation = auth.operations().iter().find(wanted).expect("the operation").clone();
    operation.call(call).await
}

async fn call(
    auth: &AuthManager,
    cx: RequestContext,
    session: Option<Session>,
    method: HttpMethod,
    path: &str,
    input: JsonValue,
    parts: Vec<(String, String)>,
) -> Result<Answer, AuthError> {
    let reply = reply(auth, Call { cx, session, input, path: parts }, method, path).await?;
    let listed = reply.body.as_ref().and_then(|body| body.get("sessions")).and_then(JsonValue::as_array);
    Ok(match (reply.session, listed) {
        (SessionChange::Start(tokens), _) => Answer::Renewed(tokens.access.expose().to_owned()),
        (_, Some(sessions)) => {
            let id = |session: &JsonValue| session.get("id")?.as_str()?.parse().ok();
            Answer::Listed(sessions.iter().filter_map(id).collect())
        }
        _ => Answer::Done,
    })
}

impl From<Progress> for Answer {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::SignedIn(signed_in) => Self::SignedIn {
                token: signed_in.tokens.access.expose().to_owned(),
                session: signed_in.session.id.into(),
                principal: signed_in.session.principal.id.into(),
            },
            Progress::Challenged(challenge) => {
                let offer = challenge.offers.iter().find(|offer| offer.action == OfferAction::Enrol);
                let shown = |prompt: &JsonValue| prompt.get("badge")?.as_str().map(str::to_owned);
                let offers =
                    offer.map_or(Offers::Nothing, |offer| shown(&offer.prompt).map_or(Offers::Badge, Offers::Shown));
                Self::Challenged { flow: challenge.flow.expose().to_owned(), offers }
            }
            Progress::Granted(token) => Self::Granted(token.expose().to_owned()),
            Progress::Sufficient => Self::Done,
            _ => unreachable!("there is no other progress"),
        }
    }
}

impl From<&AuthError> for Refusal {
    fn from(error: &AuthError) -> Self {
        let hints = format!("{error} {:?} {:?}", error.fields(), error.wait());
        Self {
            code: error.code().code,
            class: error.code().class,
            retry: error.challenge().map(|challenge| challenge.flow.expose().to_owned()),
            printed: format!("{hints} {error:?} {} {:?}", error.internal(), error.challenge()),
            hints,
        }
    }
}
