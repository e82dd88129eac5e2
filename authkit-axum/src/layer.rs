//! What happens to every request, the application's own included.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use authkit_core::{AuthError, Client, RequestContext, SecretText, Session, codes};
use axum::{
    extract::{MatchedPath, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, request::Parts};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};

use crate::{
    client, csrf,
    edge::Edge,
    given::Given,
    presented::{self, Presented, Transport},
    problem::HttpError,
};

/// Gives requests a context, and refuses those that another site sent with a session or refresh cookie.
///
/// It asks the store nothing: an extractor does. Made by [`layer`](crate::layer()).
#[derive(Clone, Debug)]
pub struct AuthLayer {
    edge: Arc<Edge>,
}

impl AuthLayer {
    pub(crate) const fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { edge: self.edge.clone(), inner }
    }
}

/// The service that [`AuthLayer`] makes.
#[derive(Clone, Debug)]
pub struct AuthService<S> {
    edge: Arc<Edge>,
    inner: S,
}

impl<S> Service<Request> for AuthService<S>
where
    S: Service<Request, Error = Infallible> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The clone was not asked whether it is ready; the one that was takes the request.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let (mut parts, body) = request.into_parts();
        let (carried, span) = match Carried::of(&parts) {
            // The router stands below a layer of the application that has done this.
            Some(carried) if carried.edge.serves_same(&self.edge) => (carried.clone(), Span::none()),
            _ => {
                let carried = Arc::new(Carried::new(self.edge.clone(), &parts));
                let span = carried.span.clone();
                parts.extensions.insert(carried.clone());
                (carried, span)
            }
        };
        let answer = async move {
            if let Err(error) = carried.refuse_cross_site(&parts, |presented| presented.has_cookie()) {
                return Ok(carried.refuse(error));
            }
            Ok(inner.call(Request::from_parts(parts, body)).await.into_response())
        };
        Box::pin(answer.instrument(span))
    }
}

/// What a request carries from the layer to the extractors and operations.
pub(crate) struct Carried {
    pub(crate) edge: Arc<Edge>,
    pub(crate) cx: RequestContext,
    has_bearer: bool,
    span: Span,
    session: OnceLock<Option<Arc<Session>>>,
    confirmed: OnceLock<Option<Arc<Session>>>,
}

impl Carried {
    fn new(edge: Arc<Edge>, parts: &Parts) -> Self {
        let cx = edge.auth.request(client::describe(&edge, parts));
        let has_bearer = presented::bearer(&parts.headers) != Given::Nothing;
        let span = Self::span(&cx, parts);
        Self { edge, cx, has_bearer, span, session: OnceLock::new(), confirmed: OnceLock::new() }
    }

    pub(crate) fn of(parts: &Parts) -> Option<&Arc<Self>> {
        parts.extensions.get()
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.cx.client().request_id.as_deref()
    }

    /// Whether the request shows a token in `Authorization`.
    pub(crate) const fn has_bearer(&self) -> bool {
        self.has_bearer
    }

    /// The session that the request shows; the store is asked once at most, however often this is called.
    pub(crate) async fn session(&self, headers: &HeaderMap) -> Result<Option<Arc<Session>>, AuthError> {
        if let Some(known) = self.session.get() {
            return Ok(known.clone());
        }
        let found = match Presented::read(headers, self.edge.cookies).token()? {
            Some(token) => self.cx.authenticate(token).await?.map(Arc::new),
            None => None,
        };
        if let Some(session) = &found {
            self.span.record("principal", tracing::field::display(session.principal.id));
        }
        Ok(self.session.get_or_init(|| found).clone())
    }

    /// The living session that the request shows: the store said so, in this request.
    pub(crate) async fn confirmed(&self, headers: &HeaderMap) -> Result<Option<Arc<Session>>, AuthError> {
        if let Some(known) = self.confirmed.get() {
            return Ok(known.clone());
        }
        let found = match self.session(headers).await? {
            Some(session) if session.is_claimed() => self.cx.confirm(&session).await?.map(Arc::new),
            session => session,
        };
        Ok(self.confirmed.get_or_init(|| found).clone())
    }

    /// Refuses what a page of another site may have sent, if what the request shows is of concern.
    ///
    /// # Errors
    ///
    /// [`codes::CROSS_SITE`], after it was counted.
    pub(crate) fn refuse_cross_site(
        &self,
        parts: &Parts,
        concerned: impl FnOnce(&Presented<'_>) -> bool,
    ) -> Result<(), AuthError> {
        let (own, others) = (self.edge.auth.public_url().origin(), self.edge.cookie_origins());
        if !csrf::is_worth_forging(&parts.method, &parts.headers)
            || !concerned(&Presented::read(&parts.headers, self.edge.cookies))
            || csrf::is_own_page(&parts.headers, own, others)
        {
            return Ok(());
        }
        self.cx.turned_away("axum.cross_site");
        Err(AuthError::new(&codes::CROSS_SITE).because("no Sec-Fetch-Site: same-origin, and no Origin that is ours"))
    }

    pub(crate) fn refuse(&self, error: AuthError) -> Response {
        HttpError::of(self, error).into_response()
    }

    /// The same request as a context that an operation can own.
    pub(crate) fn own_context(&self, transport: Transport) -> RequestContext {
        let known = self.cx.client();
        let mut client = Client::default();
        client.ip = known.ip;
        client.user_agent.clone_from(&known.user_agent);
        client.request_id.clone_from(&known.request_id);
        client.bearer = transport != Transport::Cookie;
        let again = |text: &SecretText| SecretText::new(text.expose().to_owned());
        client.device = known.device.as_ref().map(again);
        client.refresh = known.refresh.as_ref().map(again);
        self.edge.auth.request_to(self.cx.tenant(), client)
    }

    /// Never the URL: its query may hold what belongs into no log.
    fn span(cx: &RequestContext, parts: &Parts) -> Span {
        tracing::info_span!(
            "authkit.request",
            request_id = cx.client().request_id.as_deref(),
            method = parts.method.as_str(),
            path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str),
            tenant = %cx.tenant(),
            client = cx.client().ip.map(tracing::field::display),
            principal = tracing::field::Empty,
        )
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").field("cx", &self.cx).finish_non_exhaustive()
    }
}
