//! One request of one client to one tenant, at one time.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use crate::{
    engine::Engine,
    id::{Id, PrincipalId, TenantId},
    keys::KeyRing,
    secret::SecretText,
    stage::StageId,
    store::Scope,
    timestamp::Timestamp,
};

/// What is known about whoever sent the request. None of it is proof of anything.
///
/// # Examples
///
/// Limits count an IPv6 client by its network, and know every spelling of an IPv4 address:
///
/// ```
/// use std::net::IpAddr;
/// use authkit_core::Client;
///
/// let prefix = |ip: &str| ip.parse::<IpAddr>().ok().and_then(|ip| Client::default().ip(ip).prefix());
/// assert_eq!(prefix("2001:db8::7"), prefix("2001:db8::8"));
/// assert_eq!(prefix("::ffff:203.0.113.7"), "203.0.113.7".parse().ok());
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Client {
    /// Address of the client, as far as trusted proxies say.
    pub ip: Option<IpAddr>,
    /// What it says it is, at most 255 characters.
    pub user_agent: Option<String>,
    /// Identifies the request in logs, at most 255 characters; a context makes one if there is none.
    pub request_id: Option<String>,
    /// The marks that earlier responses left on this device, as they came back; see [`Mark`](crate::Mark).
    pub device: Option<SecretText>,
    /// Whether it keeps its tokens itself and shows one in a header; otherwise a browser keeps a cookie for it.
    pub bearer: bool,
    /// The refresh token that a browser keeps for it.
    pub refresh: Option<SecretText>,
}

impl Client {
    /// Says where the request comes from.
    #[must_use]
    pub fn ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.ip = Some(ip.into());
        self
    }

    /// Says what the client says it is; control characters are dropped, and what exceeds 255 characters.
    #[must_use]
    pub fn user_agent(mut self, text: &str) -> Self {
        self.user_agent = Some(bounded(text));
        self
    }

    /// Names the request in logs; control characters are dropped, and what exceeds 255 characters.
    #[must_use]
    pub fn request_id(mut self, text: &str) -> Self {
        self.request_id = Some(bounded(text));
        self
    }

    /// Hands in the marks that this device presented.
    #[must_use]
    pub fn device(mut self, mark: SecretText) -> Self {
        self.device = Some(mark);
        self
    }

    /// Says that it keeps its tokens itself and shows one in a header.
    #[must_use]
    pub const fn bearer(mut self) -> Self {
        self.bearer = true;
        self
    }

    /// Hands in the refresh token that a browser keeps for it.
    #[must_use]
    pub fn refresh(mut self, token: SecretText) -> Self {
        self.refresh = Some(token);
        self
    }

    /// The mark that a stage left on this device.
    #[must_use]
    pub fn mark(&self, stage: StageId) -> Option<&str> {
        let mut parts = self.device.as_ref()?.expose().split('~');
        parts.find_map(|part| part.strip_prefix(stage)?.strip_prefix(':'))
    }

    /// What limits count by: the whole IPv4 address, or the first 64 bits of the IPv6 address.
    ///
    /// An IPv4 address written as IPv6 is the IPv4 address. None without an address.
    #[must_use]
    pub fn prefix(&self) -> Option<IpAddr> {
        Some(match self.ip?.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        })
    }
}

fn bounded(text: &str) -> String {
    if text.len() <= 255 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    text.chars().filter(|c| !c.is_control()).take(255).collect()
}

/// One tenant, one request, one time. Made by [`AuthManager::request`](crate::AuthManager::request) only.
///
/// ```compile_fail
/// fn another(cx: &authkit_core::RequestContext, tenant: authkit_core::TenantId) -> authkit_core::RequestContext {
///     authkit_core::RequestContext { tenant, ..*cx }
/// }
/// ```
pub struct RequestContext {
    pub(crate) engine: Arc<Engine>,
    tenant: TenantId,
    client: Client,
    actor: Option<PrincipalId>,
    remember: bool,
    now: Timestamp,
}

impl RequestContext {
    pub(crate) fn new(engine: Arc<Engine>, tenant: TenantId, mut client: Client) -> Self {
        let now = engine.clock.now();
        if client.request_id.is_none() {
            client.request_id = Some(engine.ids.draw(now, engine.rng.as_ref()).to_string());
        }
        Self { engine, tenant, client, actor: None, remember: false, now }
    }

    /// The tenant whose rows this request may reach.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Whoever sent the request.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Says who acts, where it is another one than whom the acts are about: an operator. It stands in every record.
    ///
    /// # Examples
    ///
    /// An operator disables nobody without standing in the record:
    ///
    /// ```
    /// use authkit_core::{AuthManager, Client, PrincipalId, RequestContext};
    ///
    /// fn console(auth: &AuthManager, operator: PrincipalId, ticket: &str) -> RequestContext {
    ///     auth.request(Client::default().request_id(ticket)).acting(operator)
    /// }
    /// ```
    #[must_use]
    pub const fn acting(mut self, actor: PrincipalId) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Who acts, if that was said.
    #[must_use]
    pub const fn actor(&self) -> Option<PrincipalId> {
        self.actor
    }

    /// Says that the client asks to be remembered for longer than usual; a session store may grant it.
    #[must_use]
    pub const fn remembering(mut self) -> Self {
        self.remember = true;
        self
    }

    pub(crate) const fn remembers(&self) -> bool {
        self.remember
    }

    /// When the request began. The same for everything that it does.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn keys(&self) -> &KeyRing {
        &self.engine.keys
    }

    /// A new id; larger than those that this process drew before.
    #[must_use]
    pub fn new_id<T: From<Id>>(&self) -> T {
        self.engine.ids.draw(self.now, self.engine.rng.as_ref()).into()
    }

    /// Random bytes that are not a token: a salt, a nonce. Tokens come from [`Batch::secret`](crate::Batch::secret).
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.engine.rng.fill(&mut bytes);
        bytes
    }

    /// Counts a request that was refused before anything was judged; a job records the sum.
    ///
    /// The reason is a name like `account.sign_up_closed`.
    pub fn turned_away(&self, reason: &'static str) {
        self.engine.audit.turned_away.count(self, reason);
    }

    pub(crate) const fn scope(&self) -> Scope {
        Scope::Tenant(self.tenant)
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("tenant", &self.tenant)
            .field("request_id", &self.client.request_id)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_ipv6_by_64_bits_and_every_spelling_of_ipv4_as_one() {
        let prefix = |ip: &str| Client::default().ip(ip.parse::<IpAddr>().unwrap()).prefix().unwrap().to_string();
        assert_eq!(prefix("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(prefix("2001:db8:1:2:ffff::1"), "2001:db8:1:2::");
        assert_eq!(prefix("203.0.113.7"), "203.0.113.7");
        assert_eq!(prefix("::ffff:203.0.113.7"), "203.0.113.7");
    }

    #[test]
    fn texts_of_the_client_are_bounded_and_hold_no_control_characters() {
        let client = Client::default().user_agent(&format!("a\r\nb\0{}", "x".repeat(300)));
        let text = client.user_agent.unwrap();
        assert!(text.starts_with("abx") && text.len() == 255, "{text}");
    }
}
