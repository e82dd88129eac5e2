use std::iter::once;

use authkit_core::IdentifierKind;
use email_address::{EmailAddress, Options};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// The kind `email`.
///
/// The canonical text is the local part in NFC with ASCII letters in lower case, and the domain as lower-case A-labels
/// (UTS #46, non-transitional). Letters beyond ASCII keep their case: Unicode case mapping makes one address of several
/// that a mail server tells apart (CVE-2019-19844), and changes between Unicode versions.
#[derive(Debug)]
pub(crate) struct Email;

impl IdentifierKind for Email {
    fn kind(&self) -> &'static str {
        "email"
    }

    fn canonical(&self, text: &str) -> Option<String> {
        let text = text.trim();
        if text.len() > LONGEST {
            return None;
        }
        let (local, domain) = text.rsplit_once('@')?;
        let address = format!("{}@{}", local_part(local)?, domain_name(domain)?);
        let grammar = Options::default().with_required_tld().without_domain_literal().without_display_text();
        let valid = address.len() <= LONGEST && EmailAddress::parse_with_options(&address, grammar).is_ok();
        valid.then_some(address)
    }
}

/// RFC 5321 §4.5.3.1.3 permits a path of 256 bytes, which includes the angle brackets.
const LONGEST: usize = 254;

fn local_part(text: &str) -> Option<String> {
    // An encoded word (RFC 2047) is decoded by some mailers into another address; a leading hyphen is an option to
    // programs that send mail.
    let deceptive = text.contains("=?") || text.starts_with('-');
    if deceptive || !text.chars().all(is_plain) {
        return None;
    }
    let mut local: String = text.nfc().collect();
    local.make_ascii_lowercase();
    // There is a composed form of h with a macron below, but none of H.
    Some(local.nfc().collect())
}

/// Whether a character may stand in a local part at all; the grammar has the rest to say about ASCII.
fn is_plain(c: char) -> bool {
    if c.is_ascii() {
        // Quoted local parts hide anything, `!` and `%` route the mail elsewhere.
        return !matches!(c, '"' | '!' | '%');
    }
    // The Kelvin sign is only another spelling of K, and the like.
    let is_alias = once(c).nfc().any(|c| c.is_ascii());
    !is_alias && (c.is_alphanumeric() || is_combining_mark(c))
}

fn domain_name(text: &str) -> Option<String> {
    let ascii =
        Uts46::new().to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify).ok()?;
    // No top-level domain begins with a digit; an IPv4 address ends like that.
    let (_, top) = ascii.rsplit_once('.')?;
    top.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| ascii.into_owned())
}

#[cfg(test)]
mod tests;
