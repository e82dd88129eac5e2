//! The cookies: their names, how they are read, how they are set.

use std::time::Duration;

use authkit_core::{AuthError, PublicUrl, codes};
use http::{HeaderMap, HeaderValue, header};

use crate::given::Given;

/// The cookies of one application.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cookies {
    pub(crate) session: Cookie,
    pub(crate) refresh: Cookie,
    pub(crate) device: Cookie,
}

/// The name of a cookie and what is said with its value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) name: &'static str,
    attributes: &'static str,
}

/// What a request has in its cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CookieValues<'h> {
    pub(crate) session: Given<'h>,
    pub(crate) refresh: Given<'h>,
    pub(crate) device: Given<'h>,
}

// RFC 6265bis §4.1.3.2: no other host can set a cookie whose name begins with `__Host-`, and its path is `/`.
//
// The session cookie is `Lax`, or whoever follows a link to the application would be signed out there. The refresh
// cookie is `Strict`: a script of the application sends it, never a link.
static SECURE: Cookies = Cookies {
    session: Cookie { name: "__Host-authkit_session", attributes: "Path=/; Secure; HttpOnly; SameSite=Lax" },
    refresh: Cookie { name: "__Host-authkit_refresh", attributes: "Path=/; Secure; HttpOnly; SameSite=Strict" },
    device: Cookie { name: "__Host-authkit_device", attributes: "Path=/; Secure; HttpOnly; SameSite=Lax" },
};

/// Only for a loopback address without TLS, where some browsers refuse `Secure`.
static LOOPBACK: Cookies = Cookies {
    session: Cookie { name: "authkit_session", attributes: "Path=/; HttpOnly; SameSite=Lax" },
    refresh: Cookie { name: "authkit_refresh", attributes: "Path=/; HttpOnly; SameSite=Strict" },
    device: Cookie { name: "authkit_device", attributes: "Path=/; HttpOnly; SameSite=Lax" },
};

/// The largest value that is read, and the largest cookie that is set, with its name and attributes; in bytes.
///
/// RFC 6265 §6.1: no browser has to keep a larger one.
const LARGEST: usize = 4096;

impl Cookies {
    pub(crate) fn of(url: &PublicUrl) -> &'static Self {
        if url.is_loopback() && !url.is_secure() { &LOOPBACK } else { &SECURE }
    }

    /// Our cookies of a request.
    ///
    /// Of two cookies of one name neither is believed: one of them may have been planted.
    pub(crate) fn read<'h>(&self, headers: &'h HeaderMap) -> CookieValues<'h> {
        let mut values = CookieValues { session: Given::Nothing, refresh: Given::Nothing, device: Given::Nothing };
        let lines = headers.get_all(header::COOKIE).iter();
        for pair in lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')) {
            let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
            let (name, value) = pair.split_at(at);
            let slot = match name.trim_ascii() {
                name if name == self.session.name.as_bytes() => &mut values.session,
                name if name == self.refresh.name.as_bytes() => &mut values.refresh,
                name if name == self.device.name.as_bytes() => &mut values.device,
                _ => continue,
            };
            let value = value.strip_prefix(b"=").and_then(readable);
            *slot = match (*slot, value) {
                (Given::Nothing, Some(value)) => Given::Once(value),
                _ => Given::Ambiguous,
            };
        }
        values
    }
}

impl Cookie {
    /// A `Set-Cookie` that keeps the value for so long.
    ///
    /// # Errors
    ///
    /// [`codes::INTERNAL`] if the value is no cookie value (RFC 6265 §4.1.1), or the whole is larger than [`LARGEST`].
    pub(crate) fn set(&self, value: &str, life: Duration) -> Result<HeaderValue, AuthError> {
        let unfit = || AuthError::new(&codes::INTERNAL).because("a token that no cookie can hold");
        let text = format!("{}={value}; Max-Age={}; {}", self.name, life.as_secs(), self.attributes);
        if !value.bytes().all(is_cookie_octet) || text.len() > LARGEST {
            return Err(unfit());
        }
        let mut header = HeaderValue::try_from(text).map_err(|_error| unfit())?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// A `Set-Cookie` that removes the cookie.
    pub(crate) fn clear(&self) -> Result<HeaderValue, AuthError> {
        self.set("", Duration::ZERO)
    }
}

fn readable(value: &[u8]) -> Option<&str> {
    let value = value.trim_ascii();
    if value.len() > LARGEST || !value.iter().copied().all(is_cookie_octet) {
        return None;
    }
    std::str::from_utf8(value).ok()
}

const fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Session, refresh and device.
    fn read(cookies: &Cookies, lines: &[&'static [u8]]) -> [String; 3] {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        let values = cookies.read(&headers);
        let shown = |given| match given {
            Given::Ambiguous => "?".to_owned(),
            Given::Nothing => "-".to_owned(),
            Given::Once(value) => value.to_owned(),
        };
        [shown(values.session), shown(values.refresh), shown(values.device)]
    }

    #[test]
    fn cookies_are_read_by_their_exact_names() {
        let cases: [(&[&[u8]], [&str; 3]); 15] = [
            (&[], ["-", "-", "-"]),
            (&[b"authkit_session=a"], ["a", "-", "-"]),
            (&[b"x=1; authkit_session=a; authkit_device=b; authkit_refresh=c"], ["a", "c", "b"]),
            (&[b"x=1", b"authkit_device=b;authkit_session=a"], ["a", "-", "b"]),
            (&[b"authkit_session=a=b"], ["a=b", "-", "-"]),
            (&[b"authkit_session=%61"], ["%61", "-", "-"]),
            (&[b"authkit_session=a; authkit_session=b"], ["?", "-", "-"]),
            (&[b"authkit_session=a", b"authkit_session=a"], ["?", "-", "-"]),
            (&[b"authkit_refresh=a; authkit_refresh=b; authkit_refresh=a"], ["-", "?", "-"]),
            (&[b"authkit_session=\"a\""], ["?", "-", "-"]),
            (&[b"authkit_session=\xff"], ["?", "-", "-"]),
            (&[b"Authkit_Session=a; __Host-authkit_session=b; xauthkit_session=c"], ["-", "-", "-"]),
            (&[b"Authkit_Refresh=a; __Host-authkit_refresh=b; authkit_refresh2=c"], ["-", "-", "-"]),
            (&[b"authkit_session; =; ;;"], ["-", "-", "-"]),
            (&[b"authkit_session="], ["", "-", "-"]),
        ];
        for (lines, expected) in cases {
            assert_eq!(read(&LOOPBACK, lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_secure_site_ignores_the_names_that_another_host_can_set() {
        let lines: &[&[u8]] = &[b"authkit_session=planted; authkit_refresh=planted; __Host-authkit_device=d"];
        assert_eq!(read(&SECURE, lines), ["-", "-", "d"]);
    }

    #[test]
    fn a_value_that_is_too_long_is_not_read() {
        let line = format!("authkit_session={}", "a".repeat(LARGEST + 1)).into_bytes();
        assert_eq!(read(&LOOPBACK, &[line.leak()])[0], "?");
    }

    #[test]
    fn no_cookie_is_set_that_is_larger_than_browsers_have_to_keep() {
        let longest_life = Duration::from_secs(u64::MAX);
        for cookies in [&SECURE, &LOOPBACK] {
            for cookie in [&cookies.session, &cookies.refresh, &cookies.device] {
                let around = cookie.set("", longest_life).unwrap().len();
                let set = |length: usize| cookie.set(&"a".repeat(length), longest_life);
                assert_eq!(set(LARGEST - around).unwrap().len(), 4096);
                assert!(set(LARGEST - around + 1).is_err());
            }
        }
    }

    #[test]
    fn set_and_clear_have_the_same_attributes() {
        let url = |text| PublicUrl::parse(text).unwrap();
        let life = Duration::from_secs(60);
        let shown = |cookies: &Cookies, life, value| {
            let header = cookies.session.set(value, life).unwrap();
            assert!(header.is_sensitive());
            header.to_str().unwrap().to_owned()
        };
        let secure = Cookies::of(&url("https://example.com"));
        let expected = "__Host-authkit_session=aks_x; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(shown(secure, life, "aks_x"), expected);
        let expected = "__Host-authkit_session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(secure.session.clear().unwrap(), expected);
        let expected = "__Host-authkit_refresh=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict";
        assert_eq!(secure.refresh.clear().unwrap(), expected);
        let plain = Cookies::of(&url("http://localhost:3000"));
        let expected = "authkit_session=aks_x; Max-Age=60; Path=/; HttpOnly; SameSite=Lax";
        assert_eq!(shown(plain, life, "aks_x"), expected);
        assert_eq!(Cookies::of(&url("https://localhost")), &SECURE);
    }

    #[test]
    fn a_value_cannot_bring_attributes_of_its_own() {
        for value in ["a; Domain=evil.example", "a,b", "a b", "a\r\nSet-Cookie: b=c", "é", "a\\b", "\"a\""] {
            for cookie in [&SECURE.session, &SECURE.refresh, &SECURE.device] {
                assert!(cookie.set(value, Duration::ZERO).is_err(), "{value}");
            }
        }
    }
}
