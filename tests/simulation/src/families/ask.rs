//! A request as it is sent, and what the client gets.

use std::net::IpAddr;

use authkit_core::{
    Aal, AuthError, AuthManager, Call, Client, HttpMethod, Id, MethodId, Progress, RequestContext, Session,
    SessionChange, Tokens, codes,
};
use serde_json::{Value as JsonValue, json};

use super::history::Who;
use crate::{
    ask::{Refusal, admin, reply, set_password},
    request::Tenant,
};

const PASSWORD: MethodId = MethodId::from_static("password");
/// Whose family it is.
pub(super) const ADDRESS: &str = "ann@post.example";

/// A request with everything that is in it.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) who: Who,
    pub(super) deed: Deed,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    SignUp { password: String },
    SignIn { password: String },
    Refresh { token: String },
    Forge { token: String },
    Use { access: String },
    Confirm { access: String },
    Logout { access: String },
    LogoutRefresh { token: String },
    StepUp { access: String, password: String },
    ChangePassword { access: String, current: String, new: String },
    Revoke { access: String, family: Id },
    EndOthers { access: String },
    Disable(Id),
    Enable(Id),
    SetPassword { principal: Id, new: String },
}

impl Deed {
    /// Short name, for coverage.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::SignUp { .. } => "sign up",
            Self::SignIn { .. } => "sign in",
            Self::Refresh { .. } => "refresh",
            Self::Forge { .. } => "forge",
            Self::Use { .. } => "use",
            Self::Confirm { .. } => "confirm",
            Self::Logout { .. } => "log out",
            Self::LogoutRefresh { .. } => "log out by refresh token",
            Self::StepUp { .. } => "step up",
            Self::ChangePassword { .. } => "change password",
            Self::Revoke { .. } => "revoke",
            Self::EndOthers { .. } => "end others",
            Self::Disable(_) => "disable",
            Self::Enable(_) => "enable",
            Self::SetPassword { .. } => "set password",
        }
    }

    /// The access token that is shown.
    pub(super) fn access(&self) -> Option<&str> {
        match self {
            Self::Use { access }
            | Self::Confirm { access }
            | Self::Logout { access }
            | Self::StepUp { access, .. }
            | Self::ChangePassword { access, .. }
            | Self::Revoke { access, .. }
            | Self::EndOthers { access } => Some(access),
            _ => None,
        }
    }

    /// The refresh token that is shown.
    pub(super) fn refresh(&self) -> Option<&str> {
        match self {
            Self::Refresh { token } | Self::Forge { token } | Self::LogoutRefresh { token } => Some(token),
            _ => None,
        }
    }
}

/// What a client gets.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Tokens(Pair),
    Found(Id),
    Done,
    Refused(Refusal),
}

/// The tokens of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
}

impl From<Tokens> for Answer {
    fn from(tokens: Tokens) -> Self {
        Self::Tokens(Pair {
            access: tokens.access.expose().to_owned(),
            refresh: tokens.refresh.map(|token| token.text.expose().to_owned()),
        })
    }
}

/// Sends a request.
pub(super) async fn perform(auth: AuthManager, ask: Ask) -> Answer {
    let client = Client::default().ip(IpAddr::from([10, 0, 0, ask.who.slot() as u8])).user_agent("simulation");
    let client = if ask.who == Who::Desk { client } else { client.bearer() };
    let cx = auth.request_to(Tenant::North.id(), client);
    answer(&auth, cx, ask.deed).await.unwrap_or_else(|error| Answer::Refused(Refusal::from(&error)))
}

async fn answer(auth: &AuthManager, cx: RequestContext, deed: Deed) -> Result<Answer, AuthError> {
    let named = |password: &str| json!({ "identifier": ADDRESS, "password": password });
    let session = match deed.access() {
        Some(access) => Some(cx.authenticate(access).await?.ok_or(AuthError::new(&codes::UNAUTHENTICATED))?),
        None => None,
    };
    match (deed, session) {
        (Deed::SignUp { password }, _) => {
            call(auth, cx, None, HttpMethod::Post, "/auth/signup", named(&password), None).await
        }
        (Deed::SignIn { password }, _) => progress(cx.sign_in(&PASSWORD, named(&password)).await?),
        (Deed::Refresh { token } | Deed::Forge { token }, _) => Ok(cx.refresh(&token).await?.tokens.into()),
        (Deed::Use { .. }, Some(shown)) => Ok(Answer::Found(shown.id.into())),
        (Deed::Confirm { .. }, Some(shown)) => {
            let found = cx.confirm(&shown).await?.ok_or(AuthError::new(&codes::UNAUTHENTICATED))?;
            Ok(Answer::Found(found.id.into()))
        }
        (Deed::Logout { .. }, shown) => call(auth, cx, shown, HttpMethod::Post, "/auth/logout", json!({}), None).await,
        (Deed::LogoutRefresh { token }, _) => {
            let input = json!({ "refresh_token": token });
            call(auth, cx, None, HttpMethod::Post, "/auth/logout", input, None).await
        }
        (Deed::StepUp { password, .. }, Some(shown)) => match cx.raise(&shown, Aal::Aal1).await? {
            Progress::Challenged(challenge) => {
                let response = json!({ "password": password });
                progress(cx.answer(challenge.flow.expose(), &PASSWORD, response).await?)
            }
            Progress::Sufficient => Ok(Answer::Done),
            raised => progress(raised),
        },
        (Deed::ChangePassword { current, new, .. }, shown) => {
            let input = json!({ "current_password": current, "new_password": new });
            call(auth, cx, shown, HttpMethod::Post, "/account/change-password", input, None).await
        }
        (Deed::Revoke { family, .. }, shown) => {
            call(auth, cx, shown, HttpMethod::Delete, "/sessions/{id}", json!({}), Some(family)).await
        }
        (Deed::EndOthers { .. }, shown) => {
            call(auth, cx, shown, HttpMethod::Delete, "/sessions/all", json!({}), None).await
        }
        (Deed::Disable(id), _) => admin(auth).disable(&cx, id.into()).await.map(|()| Answer::Done),
        (Deed::Enable(id), _) => admin(auth).enable(&cx, id.into()).await.map(|()| Answer::Done),
        (Deed::SetPassword { principal, new }, _) => {
            set_password(auth, &cx, principal.into(), new).await.map(|()| Answer::Done)
        }
        (_, None) => unreachable!("a deed with a token has a session here"),
    }
}

/// Calls an operation as an edge does, which looks a session up that only its token speaks for.
async fn call(
    auth: &AuthManager,
    cx: RequestContext,
    session: Option<Session>,
    method: HttpMethod,
    path: &str,
    input: JsonValue,
    id: Option<Id>,
) -> Result<Answer, AuthError> {
    let session = match session {
        Some(shown) => cx.confirm(&shown).await?,
        None => None,
    };
    let path_parts = id.map(|id| ("id".to_owned(), id.to_string())).into_iter().collect();
    match reply(auth, Call { cx, session, input, path: path_parts }, method, path).await?.session {
        SessionChange::Start(tokens) => Ok(tokens.into()),
        _ => Ok(Answer::Done),
    }
}

fn progress(progress: Progress) -> Result<Answer, AuthError> {
    match progress {
        Progress::SignedIn(signed_in) => Ok(signed_in.tokens.into()),
        _ => Err(AuthError::new(&codes::STEP_UP_REQUIRED)),
    }
}
