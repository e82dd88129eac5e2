//! The one origin under which clients reach the application.

use std::{fmt, net::IpAddr};

use http::Uri;

/// Scheme, host and port of the application, as clients see them. Links and origin checks use it, never a header.
///
/// # Examples
///
/// An origin and nothing else:
///
/// ```
/// use authkit_core::PublicUrl;
///
/// assert_eq!(PublicUrl::parse("https://Example.com:443")?.origin(), "https://example.com");
/// assert!(PublicUrl::parse("https://example.com/login").is_err());
/// # Ok::<(), authkit_core::InvalidPublicUrl>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    loopback: bool,
}

/// The text is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give scheme, host and port only, such as https://login.example.com")]
#[non_exhaustive]
pub struct InvalidPublicUrl;

impl PublicUrl {
    /// Reads `http://` or `https://`, a host and perhaps a port; nothing else.
    ///
    /// # Errors
    ///
    /// [`InvalidPublicUrl`] for anything else: user info, path, query, fragment.
    pub fn parse(text: &str) -> Result<Self, InvalidPublicUrl> {
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_error| InvalidPublicUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(InvalidPublicUrl);
        };
        let secure = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(InvalidPublicUrl),
        };
        let bare = authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() || text.contains('#');
        let host = authority.host().to_ascii_lowercase();
        if bare || host.is_empty() {
            return Err(InvalidPublicUrl);
        }
        let default_port = if secure { 443 } else { 80 };
        let port = authority.port_u16().filter(|port| *port != default_port);
        let origin = match port {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        };
        Ok(Self { origin, loopback: is_loopback(&host) })
    }

    /// The origin as browsers write it (RFC 6454 §6.1): no default port, no trailing slash.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// Whether it is on this machine.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.loopback
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_as_browsers_write_it() {
        let origin = |text| PublicUrl::parse(text).map(|url| url.origin);
        assert_eq!(origin("https://Login.Example.com:443/").unwrap(), "https://login.example.com");
        assert_eq!(origin("http://localhost:3000").unwrap(), "http://localhost:3000");
        for bad in
            ["", "example.com", "ftp://a", "https://u@a", "https://a/b", "https://a?b", "https://a#b", "https://"]
        {
            assert_eq!(origin(bad), Err(InvalidPublicUrl), "{bad}");
        }
    }

    #[test]
    fn loopback_is_told_from_names_that_look_like_it() {
        let loopback = |text: &str| PublicUrl::parse(text).unwrap().is_loopback();
        assert!(loopback("http://localhost:3000") && loopback("http://127.0.0.1") && loopback("http://[::1]:1"));
        assert!(!loopback("http://localhost.example.com") && !loopback("http://127.0.0.1.example.com"));
    }
}
