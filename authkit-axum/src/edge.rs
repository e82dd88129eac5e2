use std::{sync::Arc, time::Duration};

use authkit_core::{AuthManager, PublicUrl};
use axum::Router;
use http::{HeaderValue, Method};
use ipnet::IpNet;

use crate::{
    address::{AddressHeader, Proxies},
    cookie::Cookies,
    cors::CorsLayer,
    layer::AuthLayer,
    router::mount,
};

/// Every operation, mounted below the prefix, and `/openapi.json`; short for [`Edge::router`].
///
/// # Examples
///
/// The whole of a small application:
///
/// ```
/// use authkit_axum::Session;
/// use axum::{Router, routing::get};
///
/// fn app(auth: &authkit_core::AuthManager) -> Router {
///     Router::new()
///         .route("/me", get(|session: Session| async move { session.principal.id.to_string() }))
///         .merge(authkit_axum::router(auth))
///         .layer(authkit_axum::layer(auth))
/// }
/// ```
pub fn router(auth: &AuthManager) -> Router {
    Edge::new(auth).router()
}

/// What the application's own routes need for the extractors; short for [`Edge::layer`].
///
/// # Examples
///
/// Last, so that it is outside of every route; the address of the client comes with the connection:
///
/// ```
/// use std::net::SocketAddr;
/// use axum::{Router, extract::connect_info::IntoMakeServiceWithConnectInfo};
///
/// fn service(auth: &authkit_core::AuthManager, app: Router) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
///     app.layer(authkit_axum::layer(auth)).into_make_service_with_connect_info()
/// }
/// ```
#[must_use]
pub fn layer(auth: &AuthManager) -> AuthLayer {
    Edge::new(auth).layer()
}

/// The place where requests enter, for applications behind a proxy or with pages of another origin.
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
    pub(crate) proxies: Proxies,
    pub(crate) origins: Vec<PublicUrl>,
    origins_have_cookies: bool,
    /// What a browser is to forget when a session ends.
    pub(crate) forgotten: Option<HeaderValue>,
}

impl Edge {
    /// An edge that trusts no proxy, and no page of another origin.
    pub fn new(auth: &AuthManager) -> Self {
        Self {
            auth: auth.clone(),
            cookies: Cookies::of(auth.public_url()),
            cookie_life: Duration::from_secs(30 * 24 * 60 * 60),
            proxies: Proxies::none(),
            origins: Vec::new(),
            origins_have_cookies: false,
            forgotten: None,
        }
    }

    /// Trusts the proxies that connect from these networks; none are trusted unless this or
    /// [`Edge::trusted_hops`] says so.
    ///
    /// The client is the last address in the header that is in none of them. Name the header that your proxy sets with
    /// [`Edge::address_header`]; `X-Forwarded-For` unless that is called.
    ///
    /// # Security
    ///
    /// Whoever can connect from such a network chooses the address that limits count by and records show.
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.proxies.trust_networks(networks);
        self
    }

    /// Trusts as many proxies as every request passes, whatever their addresses are; replaces [`Edge::trusted_proxies`].
    ///
    /// The client is the address that the outermost of them added: entry `hops` of the header, from its end.
    ///
    /// # Security
    ///
    /// Whoever reaches the application past one of these proxies chooses his own address. Where you know the networks
    /// of your proxies, name those.
    pub fn trusted_hops(mut self, hops: u8) -> Self {
        self.proxies.trust_hops(hops);
        self
    }

    /// The only header that trusted proxies are believed in; `X-Forwarded-For` by default.
    ///
    /// # Security
    ///
    /// A proxy passes on the headers that it does not know as the client wrote them: name the one that it sets.
    ///
    /// # Examples
    ///
    /// One proxy on the same machine, over a Unix socket, with `proxy_set_header X-Real-IP $remote_addr`:
    ///
    /// ```
    /// # fn edge(auth: &authkit_core::AuthManager) -> authkit_axum::Edge {
    /// authkit_axum::Edge::new(auth).trusted_hops(1).address_header(authkit_axum::AddressHeader::XRealIp)
    /// # }
    /// ```
    pub const fn address_header(mut self, header: AddressHeader) -> Self {
        self.proxies.header = header;
        self
    }

    /// For how long a browser keeps the session cookie, at least; 30 days by default.
    ///
    /// It ends no session: the session store does, sooner or later than this (NIST SP 800-63B-4 §5.1.1).
    pub const fn session_cookie_life(mut self, life: Duration) -> Self {
        self.cookie_life = life;
        self
    }

    /// Origins whose pages may call the operations and read the responses: single-page applications.
    ///
    /// Each is compared whole and exactly. Such a page shows tokens in headers; cookies of it are refused, unless
    /// [`Edge::cors_with_cookies`] is called too. The application's own routes need [`Edge::cors_layer`].
    ///
    /// # Examples
    ///
    /// A single-page application with its refresh token in a cookie:
    ///
    /// ```
    /// # use authkit_core::{AuthManager, InvalidPublicUrl, PublicUrl};
    /// # fn app(auth: &AuthManager) -> Result<axum::Router, InvalidPublicUrl> {
    /// let edge = authkit_axum::Edge::new(auth)
    ///     .cors([PublicUrl::parse("https://app.example.com")?])
    ///     .cors_with_cookies();
    /// let app = axum::Router::new().merge(edge.router()).layer(edge.layer()).layer(edge.cors_layer());
    /// # Ok(app)
    /// # }
    /// ```
    pub fn cors(mut self, origins: impl IntoIterator<Item = PublicUrl>) -> Self {
        self.origins.extend(origins);
        self
    }

    /// Pages of the origins of [`Edge::cors`] may use cookies, as if they were of `public_url`.
    ///
    /// Browsers send and keep our cookies only for pages of the same site: same scheme and registrable domain.
    ///
    /// # Security
    ///
    /// Whoever controls such a page, or the way to one without TLS, acts as whoever looks at it.
    pub const fn cors_with_cookies(mut self) -> Self {
        self.origins_have_cookies = true;
        self
    }

    /// Asks browsers to forget what they keep of this origin when a session ends.
    ///
    /// Responses that end one, such as that to a sign-out, have `Clear-Site-Data: "cache", "storage"` (ASVS 5.0 V14.3.1).
    /// It is what the pages of the whole origin keep, not only ours: caches, `localStorage`, IndexedDB, service workers.
    /// Cookies are left out, because a browser would clear those of all hosts of the domain; ours are cleared one by
    /// one, without this too.
    pub fn clear_site_data(mut self) -> Self {
        self.forgotten = Some(HeaderValue::from_static("\"cache\", \"storage\""));
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

    /// Lets pages of the origins of [`Edge::cors`] call the application's own routes; the operations need none.
    ///
    /// Add it after [`Edge::layer`], so that it is outside: a response of that layer can be read too.
    #[must_use]
    pub fn cors_layer(&self) -> CorsLayer {
        CorsLayer::new(self, [Method::DELETE, Method::GET, Method::PATCH, Method::POST, Method::PUT])
    }

    /// The other origins whose cookies are believed.
    pub(crate) fn cookie_origins(&self) -> &[PublicUrl] {
        if self.origins_have_cookies { &self.origins } else { &[] }
    }

    /// Whether both stand before the same application.
    pub(crate) fn serves_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.auth.public_url(), other.auth.public_url())
    }
}
