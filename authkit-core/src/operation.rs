//! HTTP operations as data; an edge such as `authkit-axum` mounts them.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as JsonValue;

use crate::{
    context::RequestContext,
    error::{AuthError, codes},
    session::{Session, Tokens},
    stage::Mark,
    verifier::read_input,
};

/// The HTTP method of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HttpMethod {
    /// Removes; no body. The input is the query.
    Delete,
    /// Reads. The input is the query.
    Get,
    /// Changes a part. The input is the body.
    Patch,
    /// Does. The input is the body.
    Post,
    /// Replaces. The input is the body.
    Put,
}

impl HttpMethod {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }

    /// Whether the input is the JSON body; otherwise it is the query.
    #[must_use]
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Patch | Self::Post | Self::Put)
    }

    /// Whether it changes nothing (RFC 9110 §9.2.1).
    #[must_use]
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get)
    }
}

/// Who may call an operation.
///
/// # Examples
///
/// Deleting asks for a proof of the last five minutes:
///
/// ```
/// use std::time::Duration;
/// use authkit_core::Access;
///
/// const FRESH: Access = Access::FreshSession(Duration::from_secs(5 * 60));
/// assert_ne!(FRESH, Access::Session);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Whoever has a session with a proof that was made at most so long ago; give [`FRESH`](crate::FRESH) or more.
    FreshSession(Duration),
    /// Anybody.
    Public,
    /// Whoever has a session.
    Session,
}

impl Access {
    /// Whether this session, or none, may call.
    ///
    /// # Errors
    ///
    /// [`codes::UNAUTHENTICATED`] without a session, [`codes::STEP_UP_REQUIRED`] with one that is too old.
    pub fn check(self, cx: &RequestContext, session: Option<&Session>) -> Result<(), AuthError> {
        match (self, session) {
            (Self::Public, _) | (Self::Session, Some(_)) => Ok(()),
            (_, None) => Err(AuthError::new(&codes::UNAUTHENTICATED)),
            (Self::FreshSession(age), Some(session)) if cx.now().since(session.created_at) <= age => Ok(()),
            (Self::FreshSession(age), Some(session)) => {
                let fresh = session.evidence.get()?.iter().any(|proof| cx.now().since(proof.at) <= age);
                if fresh { Ok(()) } else { Err(AuthError::new(&codes::STEP_UP_REQUIRED)) }
            }
        }
    }
}

/// One call of an operation.
///
/// # Examples
///
/// Whose session it is, and the part of the path of `/orders/{id}`:
///
/// ```
/// use authkit_core::{AuthError, Call, Id, PrincipalId};
///
/// fn order_of(call: &Call) -> Result<(PrincipalId, Id), AuthError> {
///     Ok((call.session()?.principal.id, call.part("id")?))
/// }
/// ```
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "an edge makes it")]
pub struct Call {
    /// The request.
    pub cx: RequestContext,
    /// The session, if the client showed a living one.
    pub session: Option<Session>,
    /// The body, or the query as an object of texts.
    pub input: JsonValue,
    /// The parts of the path that the operation names.
    pub path: Vec<(String, String)>,
}

impl Call {
    /// The session; operations whose access demands one always have it.
    ///
    /// # Errors
    ///
    /// [`codes::UNAUTHENTICATED`] without one.
    pub fn session(&self) -> Result<&Session, AuthError> {
        self.session.as_ref().ok_or(AuthError::new(&codes::UNAUTHENTICATED))
    }

    /// A part of the path.
    ///
    /// # Errors
    ///
    /// [`codes::NOT_FOUND`] if it is not of this form: there cannot be such a thing.
    pub fn part<T: std::str::FromStr>(&self, name: &str) -> Result<T, AuthError> {
        let text = self.path.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        text.and_then(|text| text.parse().ok()).ok_or(AuthError::new(&codes::NOT_FOUND))
    }
}

/// What an operation answers.
#[derive(Debug)]
#[non_exhaustive]
pub struct Reply<O = JsonValue> {
    /// HTTP status.
    pub status: u16,
    /// The body; none for 204.
    pub body: Option<O>,
    /// What becomes of the session that the client shows.
    pub session: SessionChange,
    /// What the client is to keep besides.
    pub mark: Option<Mark>,
    /// For how long anybody may keep the answer; nobody may unless it is set.
    pub fresh_for: Option<Duration>,
}

/// What a reply does to the session that the client shows. The edge renders tokens; a body never holds them.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "an edge has to render every one")]
pub enum SessionChange {
    /// The client has none any more.
    End,
    /// Nothing.
    None,
    /// The client has this one from now on.
    Start(Tokens),
}

impl<O> Reply<O> {
    /// Status 200 with a body.
    #[must_use]
    pub const fn ok(body: O) -> Self {
        Self { status: 200, body: Some(body), session: SessionChange::None, mark: None, fresh_for: None }
    }

    /// Status 204.
    #[must_use]
    pub const fn no_content() -> Self {
        Self { status: 204, body: None, session: SessionChange::None, mark: None, fresh_for: None }
    }

    /// Another status.
    #[must_use]
    pub const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Gives the client a session.
    #[must_use]
    pub fn start(mut self, tokens: Tokens) -> Self {
        self.session = SessionChange::Start(tokens);
        self
    }

    /// Takes the client's session.
    #[must_use]
    pub fn end(mut self) -> Self {
        self.session = SessionChange::End;
        self
    }

    /// Lets anybody keep the answer for so long (RFC 9111 §5.2.2.1).
    #[must_use]
    pub const fn fresh_for(mut self, span: Duration) -> Self {
        self.fresh_for = Some(span);
        self
    }

    /// Asks the client to keep something.
    #[must_use]
    pub fn mark(mut self, mark: Option<Mark>) -> Self {
        self.mark = mark;
        self
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Reply, AuthError>> + Send>>;

/// One HTTP operation: what it is, who may call it, what goes in and what comes out.
///
/// # Examples
///
/// An operation for whoever has a session, with typed input and output:
///
/// ```
/// use authkit_core::{Access, AuthError, Call, HttpMethod, Operation, Reply};
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Greet { name: String }
///
/// #[derive(Serialize, JsonSchema)]
/// struct Greeting { text: String }
///
/// async fn greet(_: Call, input: Greet) -> Result<Reply<Greeting>, AuthError> {
///     Ok(Reply::ok(Greeting { text: format!("Hello {}", input.name) }))
/// }
///
/// let operation = Operation::new(HttpMethod::Post, "/greetings", Access::Session, "Greets somebody.", greet);
/// assert_eq!(operation.path_below("/v1"), "/v1/greetings");
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Operation {
    /// Method.
    pub method: HttpMethod,
    /// Path below the prefix, with parts in braces: `/sessions/{id}`. Below `/.well-known/` (RFC 8615) it is whole.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What goes in.
    pub input: Schema,
    /// What comes out.
    pub output: Schema,
    /// The statuses with which it is done: 204 if nothing comes out, else 200, unless [`Operation::answers`] says more.
    pub statuses: &'static [u16],
    /// Whether the client may get a session, or new tokens for its own.
    pub starts_session: bool,
    handler: Arc<dyn Fn(Call) -> Answer + Send + Sync>,
}

impl Operation {
    /// Declares an operation over a typed input and output.
    pub fn new<I, O, F, A>(
        method: HttpMethod,
        path: &'static str,
        access: Access,
        summary: &'static str,
        handler: F,
    ) -> Self
    where
        I: DeserializeOwned + JsonSchema + Send + 'static,
        O: Serialize + JsonSchema + Send + 'static,
        F: Fn(Call, I) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Reply<O>, AuthError>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let erased = move |mut call: Call| -> Answer {
            let handler = handler.clone();
            Box::pin(async move {
                let input: I = read_input(call.input.take())?;
                let Reply { status, body, session, mark, fresh_for } = handler(call, input).await?;
                let body = body.map(serde_json::to_value).transpose();
                let body = body.map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error))?;
                Ok(Reply { status, body, session, mark, fresh_for })
            })
        };
        let (input, output) = (schema_for!(I), schema_for!(O));
        let statuses: &[u16] = if output == schema_for!(()) { &[204] } else { &[200] };
        let handler = Arc::new(erased);
        Self { method, path, access, summary, input, output, statuses, starts_session: false, handler }
    }

    /// Says with which statuses it is done, where that is not one of 200 and 204.
    #[must_use]
    pub const fn answers(mut self, statuses: &'static [u16]) -> Self {
        self.statuses = statuses;
        self
    }

    /// Says that the client may get a session from it, or new tokens for its own.
    #[must_use]
    pub const fn starts_session(mut self) -> Self {
        self.starts_session = true;
        self
    }

    /// The whole path of the operation below this prefix.
    #[must_use]
    pub fn path_below(&self, prefix: &str) -> String {
        let prefix = if self.path.starts_with("/.well-known/") { "" } else { prefix };
        format!("{prefix}{}", self.path)
    }

    /// Checks the access and runs the operation, with a session that is confirmed.
    ///
    /// # Errors
    ///
    /// Those of [`Access::check`] and of the operation.
    pub async fn call(&self, mut call: Call) -> Result<Reply, AuthError> {
        if let Some(session) = call.session.take() {
            call.session = call.cx.confirm(&session).await?;
        }
        self.access.check(&call.cx, call.session.as_ref())?;
        (self.handler)(call).await
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Operation({} {})", self.method.as_str(), self.path)
    }
}
