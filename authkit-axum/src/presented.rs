//! What a request shows to be known by.

use authkit_core::{AuthError, codes};
use http::{HeaderMap, header};

use crate::{cookie::Cookies, given::Given};

/// The credentials in the headers of a request, as they are. Never looks at the URL.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'h> {
    bearer: Given<'h>,
    cookie: Given<'h>,
    device: Given<'h>,
    wants_token: bool,
}

/// How tokens travel between this client and the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// In cookies, which a browser adds to requests of other sites too: those have to be told apart.
    Cookie,
    /// In a header, and in the bodies of responses. No other site can add these headers without being allowed to.
    Token,
}

impl<'h> Presented<'h> {
    pub(crate) fn read(headers: &'h HeaderMap, cookies: &Cookies) -> Self {
        let (cookie, kept) = cookies.read(headers);
        let device = match Given::header(headers, "authkit-device") {
            Given::Nothing => kept,
            told => told,
        };
        let wants_token = Given::header(headers, "authkit-delivery") == Given::Once("token");
        Self { bearer: bearer(headers), cookie, device, wants_token }
    }

    /// The mark of the device.
    pub(crate) const fn device(&self) -> Option<&'h str> {
        self.device.once()
    }

    /// Whether there is a session cookie, readable or not.
    pub(crate) fn has_session_cookie(&self) -> bool {
        self.cookie != Given::Nothing
    }

    /// A client that shows a session cookie gets cookies, whatever it asks for: no script may turn one into a token.
    pub(crate) fn transport(&self) -> Transport {
        match (self.cookie, self.bearer) {
            (Given::Nothing, Given::Once(_)) => Transport::Token,
            (Given::Nothing, Given::Nothing) if self.wants_token => Transport::Token,
            _ => Transport::Cookie,
        }
    }

    /// The token of the session.
    ///
    /// # Errors
    ///
    /// [`codes::INVALID_INPUT`] if the request shows two, so that nobody acts as another than he thinks.
    pub(crate) fn token(&self) -> Result<Option<&'h str>, AuthError> {
        match (self.bearer, self.cookie) {
            (Given::Nothing, cookie) => Ok(cookie.once()),
            (Given::Once(token), Given::Nothing) => Ok(Some(token)),
            (Given::Once(token), Given::Once(cookie)) if token == cookie => Ok(Some(token)),
            _ => Err(AuthError::new(&codes::INVALID_INPUT).because("the request shows more than one session")),
        }
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1); other schemes are the application's.
fn bearer(headers: &HeaderMap) -> Given<'_> {
    let Given::Once(value) = Given::header(headers, header::AUTHORIZATION) else {
        return Given::header(headers, header::AUTHORIZATION);
    };
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("bearer") { Given::Once(token.trim()) } else { Given::Nothing }
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
        use Transport::{Cookie, Token};
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
        check(&[("authorization", "Bearer é")], "!", Cookie);
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
