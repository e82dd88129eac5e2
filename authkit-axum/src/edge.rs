use std::{sync::Arc, time::Duration};

use authkit_core::AuthManager;
use axum::Router;
use ipnet::IpNet;

use crate::{cookie::Cookies, layer::AuthLayer, router::mount};

/// Every operation, mounted below the prefix, and `/openapi.json`; short for [`Edge::router`].
pub fn router(auth: &AuthManager) -> Router {
    Edge::new(auth).router()
}

/// What the application's own routes need for the extractors; short for [`Edge::layer`].
#[must_use]
pub fn layer(auth: &AuthManager) -> AuthLayer {
    Edge::new(auth).layer()
}

/// The place where requests enter, for applications behind a proxy.
///
/// Take the router and the layer from the same edge.
///
/// # Examples
///
/// Behind a load balancer of the private network:
///
/// ```
/// # fn app(auth: &authkit_core::AuthManager) -> Result<axum::Router, ipnet::AddrParseError> {
/// let edge = authkit_axum::Edge::new(auth).trusted_proxies(["10.0.0.0/8".parse()?]);
/// let app = axum::Router::new().merge(edge.router()).layer(edge.layer());
/// # Ok(app)
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Edge {
    pub(crate) auth: AuthManager,
    pub(crate) cookies: &'static Cookies,
    pub(crate) cookie_life: Duration,
    pub(crate) proxies: Vec<IpNet>,
}

impl Edge {
    /// An edge that trusts no proxy.
    pub fn new(auth: &AuthManager) -> Self {
        Self {
            auth: auth.clone(),
            cookies: Cookies::of(auth.public_url()),
            cookie_life: Duration::from_secs(30 * 24 * 60 * 60),
            proxies: Vec::new(),
        }
    }

    /// Proxies whose `X-Forwarded-For` is believed; nobody else's is.
    ///
    /// The client is the rightmost address that is not among them.
    ///
    /// # Security
    ///
    /// Whoever can connect from such a network chooses the address that limits count by.
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.proxies.extend(networks);
        self
    }

    /// For how long a browser keeps the session cookie, at least; 30 days by default.
    ///
    /// It ends no session: the session store does, sooner or later than this (NIST SP 800-63B-4 §5.1.1).
    pub const fn session_cookie_life(mut self, life: Duration) -> Self {
        self.cookie_life = life;
        self
    }

    /// Every operation, mounted below the prefix, and `/openapi.json`.
    ///
    /// It is complete without [`Edge::layer`], and works below it.
    pub fn router(&self) -> Router {
        mount(self)
    }

    /// What the application's own routes need for the extractors.
    #[must_use]
    pub fn layer(&self) -> AuthLayer {
        AuthLayer::new(Arc::new(self.clone()))
    }

    /// Whether both stand before the same application.
    pub(crate) fn serves_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.auth.public_url(), other.auth.public_url())
    }
}
