//! The address of the client, as far as proxies can be believed about it.

use std::{
    iter,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};

/// Most proxies that one request is believed to have passed.
const MOST_PROXIES: usize = 32;

/// The one header in which trusted proxies say whom a request came from.
///
/// It has to be one that the proxy sets itself, whatever the client sent: of the others the client is the author.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressHeader {
    /// The `for` of `Forwarded` (RFC 7239): a list, to whose end each proxy adds.
    Forwarded,
    /// `X-Forwarded-For`: a list, to whose end each proxy adds.
    #[default]
    XForwardedFor,
    /// `X-Real-IP`: one address, set anew by the proxy that clients reach.
    XRealIp,
}

/// Who is believed about addresses, and where it is said.
#[derive(Clone, Debug)]
pub(crate) struct Proxies {
    pub(crate) header: AddressHeader,
    trusted: Trusted,
}

#[derive(Clone, Debug)]
enum Trusted {
    /// So many that every request passes, wherever they are.
    Hops(usize),
    /// Whoever connects from there.
    Networks(Vec<IpNet>),
}

impl Proxies {
    pub(crate) const fn none() -> Self {
        Self { header: AddressHeader::XForwardedFor, trusted: Trusted::Hops(0) }
    }

    pub(crate) fn trust_hops(&mut self, hops: u8) {
        self.trusted = Trusted::Hops(hops.into());
    }

    pub(crate) fn trust_networks(&mut self, networks: impl IntoIterator<Item = IpNet>) {
        let networks = networks.into_iter().map(canonical);
        match &mut self.trusted {
            Trusted::Hops(_) => self.trusted = Trusted::Networks(networks.collect()),
            Trusted::Networks(known) => known.extend(networks),
        }
    }

    /// The address of the client in its canonical form, none if nobody knows it.
    ///
    /// What cannot be read as far as it counts is not believed: the peer stands for whoever is behind it.
    pub(crate) fn client(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
        let peer = peer.map(|ip| ip.to_canonical());
        self.told(headers, peer).or(peer)
    }

    /// Every proxy adds whom it was asked by, so what stands before the words of trusted ones may be made up.
    fn told(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
        let networks = match (&self.trusted, self.header) {
            (Trusted::Hops(0), _) => return None,
            (Trusted::Hops(_), AddressHeader::XRealIp) => return self.last_first(headers).next()?,
            (Trusted::Hops(hops), _) => return self.last_first(headers).nth(hops.saturating_sub(1))?,
            (Trusted::Networks(networks), _) => networks,
        };
        let trusts = |ip: &IpAddr| networks.iter().any(|network| network.contains(ip));
        let mut farthest = peer.filter(trusts)?;
        let mut entries = self.last_first(headers);
        for entry in entries.by_ref().take(MOST_PROXIES) {
            farthest = entry?;
            if !trusts(&farthest) {
                return Some(farthest);
            }
        }
        entries.next().is_none().then_some(farthest)
    }

    /// The entries of the header from its end; none for one that is no address.
    fn last_first<'h>(&self, headers: &'h HeaderMap) -> Box<dyn Iterator<Item = Option<IpAddr>> + 'h> {
        let lines = |name| headers.get_all(name).iter().rev().map(|line| line.as_bytes());
        let text = |bytes| Some(str::from_utf8(bytes).ok()?.trim_matches(BLANK));
        match self.header {
            AddressHeader::Forwarded => {
                Box::new(lines("forwarded").flat_map(elements).map(move |element| forwarded_for(text(element)?)))
            }
            AddressHeader::XForwardedFor => {
                let entries = lines("x-forwarded-for").flat_map(|line| line.rsplit(|byte| *byte == b','));
                Box::new(entries.map(move |entry| bare(text(entry)?)))
            }
            AddressHeader::XRealIp => {
                let mut lines = lines("x-real-ip");
                let only = lines.next().filter(|_| lines.next().is_none());
                Box::new(iter::once(only.and_then(text).and_then(bare)))
            }
        }
    }
}

/// A network of IPv4 addresses written as IPv6 is the IPv4 network, as its addresses are IPv4 addresses.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(ip, length)| Ipv4Net::new(ip, length).ok()).map_or(network, IpNet::V4)
}

/// The elements of a list from its end; a comma within quotes separates none.
///
/// From the end, because what a proxy added is well formed, and what a client wrote before it may open a quote.
fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = Some(line);
    iter::from_fn(move || {
        let (before, element) = cut_last(left?);
        left = before;
        Some(element)
    })
}

fn cut_last(list: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut is_quoted = false;
    for (at, byte) in list.iter().enumerate().rev() {
        let (before, rest) = list.split_at(at);
        match byte {
            b'"' if !ends_in_escape(before) => is_quoted = !is_quoted,
            b',' if !is_quoted => return (Some(before), rest.strip_prefix(b",").unwrap_or_default()),
            _ => {}
        }
    }
    (None, list)
}

fn ends_in_escape(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The only `for` of one element of `Forwarded` (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut found = None;
    let mut rest = element;
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_matches(BLANK);
        let (value, after) = value(after)?;
        let after = after.trim_start_matches(BLANK);
        rest = if after.is_empty() { after } else { after.strip_prefix(';')? };
        if !is_token(name) || name.eq_ignore_ascii_case("for") && found.replace(node(value)?).is_some() {
            return None;
        }
    }
    found
}

/// A token, or what is between quotes, and what comes after it. Escapes stay: no address has one.
fn value(text: &str) -> Option<(&str, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, after) = text.split_at(text.find([';', ' ', '\t']).unwrap_or(text.len()));
        return is_token(token).then_some((token, after));
    };
    let mut is_escaped = false;
    let end = quoted.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })?;
    let (value, after) = quoted.split_at(end);
    Some((value, after.strip_prefix('"')?))
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// An entry of the headers that no standard describes: as in `Forwarded`, but an IPv6 address needs no brackets.
fn bare(text: &str) -> Option<IpAddr> {
    let has_brackets = text.starts_with('[');
    if !has_brackets && text.matches(':').nth(1).is_some() { v6(text) } else { node(text) }
}

/// An address with or without a port (RFC 7239 §6). `unknown` and names like `_hidden` are none.
fn node(text: &str) -> Option<IpAddr> {
    let (ip, port) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (ip, port) = bracketed.split_once(']')?;
            (v6(ip)?, port)
        }
        None => {
            let (ip, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (IpAddr::V4(ip.parse::<Ipv4Addr>().ok()?), port)
        }
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let is_port = |port: &str| match port.strip_prefix('_') {
        Some(name) => !name.is_empty() && name.bytes().all(is_plain),
        None => (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit()),
    };
    (port.is_empty() || is_port(port.strip_prefix(':')?)).then_some(ip)
}

/// An IPv6 address without its zone (RFC 4007 §11), which means nothing to anybody but the proxy.
fn v6(text: &str) -> Option<IpAddr> {
    let (ip, zone) = text.split_once('%').unwrap_or((text, "0"));
    let is_zone = !zone.is_empty() && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"%-._~".contains(&b));
    let ip = ip.parse::<Ipv6Addr>().ok().filter(|_| is_zone)?;
    Some(IpAddr::V6(ip).to_canonical())
}

const BLANK: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests;
