//! Tells requests of this site from those of others, by what browsers say about themselves.

use authkit_core::PublicUrl;
use http::{HeaderMap, Method, header};

use crate::given::Given;

/// Whether another site could gain by sending the request: it changes something, or opens a WebSocket.
pub(crate) fn is_worth_forging(method: &Method, headers: &HeaderMap) -> bool {
    let upgrade = headers.get_all(header::UPGRADE).iter();
    !method.is_safe() || upgrade.into_iter().any(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Whether a browser says that a page of ours sent the request. One that says nothing is not believed.
///
/// `Sec-Fetch-Site: none` stands for what a person typed, which never changes anything; a page of a sibling domain is
/// ours only if its origin is among the `others`. What both headers say has to agree.
pub(crate) fn is_own_page(headers: &HeaderMap, own: &str, others: &[PublicUrl]) -> bool {
    match (Given::header(headers, "sec-fetch-site"), Given::header(headers, header::ORIGIN)) {
        (Given::Once("same-origin"), Given::Nothing) => true,
        (Given::Once("same-origin") | Given::Nothing, Given::Once(origin)) if origin == own => true,
        (Given::Once("same-site") | Given::Nothing, Given::Once(origin)) => {
            others.iter().any(|other| other.origin() == origin)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_a_page_of_ours_passes() {
        let others = [PublicUrl::parse("https://app.example.com").unwrap()];
        let sites: [&[&str]; 9] = [
            &[],
            &["same-origin"],
            &["same-site"],
            &["cross-site"],
            &["none"],
            &["Same-Origin"],
            &[""],
            &["same-origin", "same-origin"],
            &["same-origin", "cross-site"],
        ];
        let origins: [&[&str]; 16] = [
            &[],
            &["https://example.com"],
            &["null"],
            &[""],
            &["https://evil.example"],
            &["https://example.com.evil.example"],
            &["http://example.com"],
            &["https://example.com:8443"],
            &["https://example.com/"],
            &["https://sub.example.com"],
            &["HTTPS://EXAMPLE.COM"],
            &["https://example.com", "https://evil.example"],
            &["https://app.example.com"],
            &["https://app.example.com.evil.example"],
            &["http://app.example.com"],
            &["https://app.example.com", "https://app.example.com"],
        ];
        for (at_site, site) in sites.iter().enumerate() {
            for (at_origin, origin) in origins.iter().enumerate() {
                let mut headers = HeaderMap::new();
                let lines = site.iter().map(|v| ("sec-fetch-site", v)).chain(origin.iter().map(|v| ("origin", v)));
                for (name, value) in lines {
                    headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
                }
                let same_origin = matches!((at_site, at_origin), (1, 0) | (0 | 1, 1));
                let among_others = matches!((at_site, at_origin), (0 | 2, 12));
                let is_own = |others| is_own_page(&headers, "https://example.com", others);
                assert_eq!(is_own(&[]), same_origin, "{site:?} {origin:?}");
                assert_eq!(is_own(&others), same_origin || among_others, "{site:?} {origin:?}");
            }
        }
    }

    #[test]
    fn every_method_but_the_safe_ones_is_worth_forging() {
        let mut headers = HeaderMap::new();
        for (method, expected) in [
            ("GET", false),
            ("HEAD", false),
            ("OPTIONS", false),
            ("POST", true),
            ("DELETE", true),
            ("get", true),
            ("X", true),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(is_worth_forging(&method, &headers), expected, "{method}");
        }
        headers.insert(header::UPGRADE, HeaderValue::from_static("WebSocket"));
        assert!(is_worth_forging(&Method::GET, &headers));
    }
}
