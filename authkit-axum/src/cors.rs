//! Lets pages of other origins call: the CORS protocol of the Fetch standard.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{extract::Request, response::Response};
use http::{HeaderName, HeaderValue, Method, header};
use tower::{Layer, Service};
use tower_http::cors;

use crate::edge::Edge;

/// For how long a browser need not ask again; none keeps it for longer than a day.
const PREFLIGHT_LIFE: Duration = Duration::from_secs(2 * 60 * 60);

/// Lets pages of the origins of [`Edge::cors`] read responses. Made by [`Edge::cors_layer`].
///
/// It answers every `OPTIONS` request itself.
///
/// # Examples
///
/// The application's own routes, for the page of another origin; the operations of authkit need none:
///
/// ```
/// use authkit_core::{AuthManager, InvalidPublicUrl, PublicUrl};
/// use axum::Router;
///
/// fn app(auth: &AuthManager, routes: Router) -> Result<Router, InvalidPublicUrl> {
///     let edge = authkit_axum::Edge::new(auth).cors([PublicUrl::parse("https://app.example.com")?]);
///     Ok(routes.layer(edge.layer()).layer(edge.cors_layer()).merge(edge.router()))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CorsLayer(cors::CorsLayer);

impl CorsLayer {
    /// For routes with these methods.
    pub(crate) fn new(edge: &Edge, methods: impl IntoIterator<Item = Method>) -> Self {
        // An origin is ASCII; what is not a header value cannot be an `Origin` either.
        let origins = edge.origins.iter().filter_map(|origin| HeaderValue::from_str(origin.origin()).ok());
        let layer = cors::CorsLayer::new()
            .allow_origin(origins.collect::<Vec<_>>())
            .allow_credentials(!edge.cookie_origins().is_empty())
            .allow_methods(methods.into_iter().collect::<Vec<_>>())
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                HeaderName::from_static("authkit-delivery"),
                HeaderName::from_static("authkit-device"),
                HeaderName::from_static("x-request-id"),
            ])
            .expose_headers([header::RETRY_AFTER, HeaderName::from_static("x-request-id")])
            .max_age(PREFLIGHT_LIFE);
        Self(layer)
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = CorsService<S>;

    fn layer(&self, inner: S) -> CorsService<S> {
        CorsService(self.0.layer(inner))
    }
}

/// The service that [`CorsLayer`] makes.
#[derive(Clone, Debug)]
pub struct CorsService<S>(cors::Cors<S>);

impl<S> Service<Request> for CorsService<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Box::pin(self.0.call(request))
    }
}
