//! What a request shows to be known by.

use authkit_core::{AuthError, codes};
use http::{HeaderMap, header};
use serde_json::Value as JsonValue;

use crate::{
    cookie::{CookieValues, Cookies},
    given::Given,
};

/// Largest `Authorization: Bearer` that is looked at, in bytes.
const LARGEST_BEARER: usize = 8 * 1024;

/// The credentials in the headers of a request, as they are. Never looks at the URL.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'h> {
    bearer: Given<'h>,
    cookies: CookieValues<'h>,
    told_device: Given<'h>,
    delivery: Given<'h>,
}

/// How tokens travel between this client and the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// In cookies, which a browser adds to requests of other sites too: those have to be told apart.
    Cookie,
    /// The access token as with [`Transport::Token`], the refresh token in a cookie: no script can read that one.
    Split,
    /// In a header, and in the bodies of responses. No other site can add these headers without being allowed to.
    Token,
}

impl<'h> Presented<'h> {
    pub(crate) fn read(headers: &'h HeaderMap, cookies: &Cookies) -> Self {
        Self {
            bearer: bearer(headers),
            cookies: cookies.read(headers),
            told_device: Given::header(headers, "authkit-device"),
            delivery: Given::header(headers, "authkit-delivery"),
        }
    }

    /// The mark of the device.
    pub(crate) const fn device(&self) -> Option<&'h str> {
        match self.told_device {
            Given::Nothing => self.cookies.device.once(),
            told => told.once(),
        }
    }

    /// The refresh token that a browser keeps.
    pub(crate) const fn refresh(&self) -> Option<&'h str> {
        self.cookies.refresh.once()
    }

    /// Whether there is a session cookie, readable or not.
    pub(crate) fn has_session_cookie(&self) -> bool {
        self.cookies.session != Given::Nothing
    }

    /// Whether there is a refresh cookie, readable or not.
    pub(crate) fn has_refresh_cookie(&self) -> bool {
        self.cookies.refresh != Given::Nothing
    }

    /// Whether there is a cookie that a browser would add to what another site sends.
    pub(crate) fn has_cookie(&self) -> bool {
        self.has_session_cookie() || self.has_refresh_cookie()
    }

    /// A client that shows a session cookie gets cookies, and one that shows a refresh cookie gets no other refresh
    /// token than in a cookie, whatever it asks for: no script may turn a cookie into a token that it can keep.
    pub(crate) fn transport(&self) -> Transport {
        if self.has_session_cookie() || self.bearer == Given::Ambiguous {
            return Transport::Cookie;
        }
        match (self.delivery, self.bearer) {
            (Given::Once("split"), _) => Transport::Split,
            (Given::Once("token"), _) | (_, Given::Once(_)) if self.has_refresh_cookie() => Transport::Split,
            (Given::Once("token"), _) | (_, Given::Once(_)) => Transport::Token,
            _ => Transport::Cookie,
        }
    }

    /// What is left of a session cookie that shows no living session: it decides nothing, since there is nothing in it
    /// that a script could turn into a token.
    pub(crate) const fn without_dead_cookie(mut self) -> Self {
        if let Given::Once(_) = self.cookies.session {
            self.cookies.session = Given::Nothing;
        }
        self
    }

    /// The token of the session.
    ///
    /// # Errors
    ///
    /// [`codes::INVALID_INPUT`] if the request shows two, so that nobody acts as another than he thinks, or one that
    /// has not the form of a token.
    pub(crate) fn token(&self) -> Result<Option<&'h str>, AuthError> {
        match (self.bearer, self.cookies.session) {
            (Given::Nothing, cookie) => Ok(cookie.once()),
            (Given::Once(token), Given::Nothing) => Ok(Some(token)),
            (Given::Once(token), Given::Once(cookie)) if token == cookie => Ok(Some(token)),
            _ => Err(AuthError::new(&codes::INVALID_INPUT).because("an unreadable token, or two sessions")),
        }
    }

    /// Refuses input with another refresh token than that of the cookie: which one is meant cannot be known.
    ///
    /// # Errors
    ///
    /// [`codes::INVALID_INPUT`].
    pub(crate) fn check_refresh(&self, input: &JsonValue) -> Result<(), AuthError> {
        match (input.get("refresh_token").and_then(JsonValue::as_str), self.cookies.refresh) {
            (None, _) | (_, Given::Nothing) => Ok(()),
            (Some(told), Given::Once(kept)) if told == kept => Ok(()),
            _ => Err(AuthError::new(&codes::INVALID_INPUT).because("the request shows more than one refresh token")),
        }
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1); other schemes are the application's.
pub(crate) fn bearer(headers: &HeaderMap) -> Given<'_> {
    let Given::Once(value) = Given::header(headers, header::AUTHORIZATION) else {
        return Given::header(headers, header::AUTHORIZATION);
    };
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") {
        Given::Nothing
    } else if value.len() <= LARGEST_BEARER && token.bytes().all(is_token_byte) {
        Given::Once(token)
    } else {
        Given::Ambiguous
    }
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use authkit_core::PublicUrl;
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// Token (`!` if refused) and transport.
    fn check(lines: &[(&str, &str)], token: &str, transport: Transport) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let url = PublicUrl::parse("http://localhost").unwrap();
        let presented = Presented::read(&headers, Cookies::of(&url));
        let shown = match presented.token() {
            Ok(token) => token.unwrap_or("-"),
            Err(_) => "!",
        };
        assert_eq!((shown, presented.transport()), (token, transport), "{lines:?}");
    }

    #[test]
    fn a_token_comes_from_one_place_and_says_how_tokens_travel() {
        use Transport::{Cookie, Split, Token};
        let (cookie, other) = (("cookie", "authkit_session=a"), ("cookie", "authkit_session=b"));
        let (bearer, wants) = (("authorization", "Bearer a"), ("authkit-delivery", "token"));
        check(&[], "-", Cookie);
        check(&[cookie], "a", Cookie);
        check(&[bearer], "a", Token);
        check(&[("authorization", "bEARER  a ")], "a", Token);
        check(&[("authorization", "Bearer")], "", Token);
        check(&[("authorization", "Basic a")], "-", Cookie);
        check(&[("authorization", "Basic a"), wants], "-", Token);
        check(&[("authorization", "Basic a"), cookie], "a", Cookie);
        check(&[wants], "-", Token);
        check(&[("authkit-delivery", "Token")], "-", Cookie);
        check(&[("authkit-delivery", "token"), wants], "-", Cookie);
        check(&[wants, cookie], "a", Cookie);
        check(&[bearer, cookie], "a", Cookie);
        check(&[bearer, other], "!", Cookie);
        check(&[bearer, cookie, other], "!", Cookie);
        check(&[cookie, other], "-", Cookie);
        check(&[bearer, bearer], "!", Cookie);
        check(&[bearer, bearer, wants], "!", Cookie);
        for unreadable in
            ["Bearer é", "Bearer Bearer a", "Bearer a, Bearer a", "Bearer a b", "Bearer \"a\"", "Bearer a;b"]
        {
            check(&[("authorization", unreadable)], "!", Cookie);
            check(&[("authorization", unreadable), wants], "!", Cookie);
        }
        let (refresh, split) = (("cookie", "authkit_refresh=r"), ("authkit-delivery", "split"));
        check(&[split], "-", Split);
        check(&[split, bearer], "a", Split);
        check(&[split, cookie], "a", Cookie);
        check(&[split, wants], "-", Cookie);
        check(&[("authkit-delivery", "split, token")], "-", Cookie);
        check(&[refresh], "-", Cookie);
        check(&[refresh, split], "-", Split);
        check(&[refresh, wants], "-", Split);
        check(&[refresh, bearer], "a", Split);
        check(&[refresh, refresh, wants], "-", Split);
        check(&[refresh, refresh, bearer], "a", Split);
        check(&[refresh, cookie, wants], "a", Cookie);
        check(&[refresh, cookie, bearer], "a", Cookie);
    }

    #[test]
    fn a_huge_token_is_not_looked_at() {
        let largest = "a".repeat(LARGEST_BEARER - "Bearer ".len());
        check(&[("authorization", &format!("Bearer {largest}"))], &largest, Transport::Token);
        check(&[("authorization", &format!("Bearer {largest}a"))], "!", Transport::Cookie);
        check(&[("authorization", &format!("Basic {largest}aa"))], "-", Transport::Cookie);
    }

    #[test]
    fn two_refresh_tokens_are_none() {
        let url = PublicUrl::parse("http://localhost").unwrap();
        let refused = |cookie: &'static str, input: JsonValue| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
            Presented::read(&headers, Cookies::of(&url)).check_refresh(&input).is_err()
        };
        let told = |token: &str| serde_json::json!({ "refresh_token": token });
        assert!(!refused("authkit_refresh=a", told("a")));
        assert!(!refused("authkit_refresh=a", serde_json::json!({ "refresh_token": null })));
        assert!(!refused("x=a", told("b")));
        assert!(refused("authkit_refresh=a", told("b")));
        assert!(refused("authkit_refresh=a", told("")));
        assert!(refused("authkit_refresh=a; authkit_refresh=a", told("a")));
    }

    #[test]
    fn the_header_of_the_device_goes_before_its_cookie() {
        let url = PublicUrl::parse("http://localhost").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("authkit_device=kept"));
        assert_eq!(Presented::read(&headers, Cookies::of(&url)).device(), Some("kept"));
        headers.insert("authkit-device", HeaderValue::from_static("told"));
        assert_eq!(Presented::read(&headers, Cookies::of(&url)).device(), Some("told"));
        headers.append("authkit-device", HeaderValue::from_static("told"));
        assert_eq!(Presented::read(&headers, Cookies::of(&url)).device(), None);
    }
}
