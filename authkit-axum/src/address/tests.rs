use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fastrand::Rng;
use http::{HeaderMap, HeaderValue};

use super::{AddressHeader, MOST_PROXIES, Proxies};

const NAMES: [(AddressHeader, &str); 3] = [
    (AddressHeader::Forwarded, "forwarded"),
    (AddressHeader::XForwardedFor, "x-forwarded-for"),
    (AddressHeader::XRealIp, "x-real-ip"),
];

/// Believes the networks `10.0.0.0/8` and `fd00::/8`.
fn networks(header: AddressHeader) -> Proxies {
    let mut proxies = Proxies::none();
    proxies.header = header;
    proxies.trust_networks(["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    proxies
}

fn hops(header: AddressHeader, hops: u8) -> Proxies {
    let mut proxies = Proxies::none();
    proxies.header = header;
    proxies.trust_hops(hops);
    proxies
}

fn name(header: AddressHeader) -> &'static str {
    NAMES.iter().find(|(known, _)| *known == header).map(|(_, name)| *name).unwrap()
}

fn find(proxies: &Proxies, peer: &str, lines: &[impl AsRef<[u8]>]) -> String {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name(proxies.header), HeaderValue::from_bytes(line.as_ref()).unwrap());
    }
    let found = proxies.client(&headers, peer.parse().ok());
    found.map_or("nobody".to_owned(), |ip| ip.to_string())
}

fn check(peer: &str, lines: &[&str], expected: &str) {
    assert_eq!(find(&networks(AddressHeader::XForwardedFor), peer, lines), expected, "{peer} {lines:?}");
}

#[test]
fn only_trusted_proxies_say_who_the_client_is() {
    check("203.0.113.9", &[], "203.0.113.9");
    check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
    check("10.0.0.1", &[], "10.0.0.1");
    check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
    check("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1");
    check("fd00::1", &["2001:db8::1"], "2001:db8::1");
    check("", &["198.51.100.1"], "nobody");
}

#[test]
fn the_last_address_that_is_not_trusted_counts() {
    check("10.0.0.1", &["192.0.2.66, 198.51.100.1"], "198.51.100.1");
    check("10.0.0.1", &["198.51.100.1,10.0.0.2 , 10.0.0.3"], "198.51.100.1");
    check("10.0.0.1", &["192.0.2.66", "198.51.100.1, 10.0.0.2"], "198.51.100.1");
    check("10.0.0.1", &["garbage, 198.51.100.1"], "198.51.100.1");
    check("10.0.0.1", &["é, \", 198.51.100.1"], "198.51.100.1");
    check("10.0.0.1", &["10.0.0.7, 10.0.0.8"], "10.0.0.7");
    check("10.0.0.1", &["garbage, 10.0.0.8"], "10.0.0.1");
}

#[test]
fn no_proxy_is_trusted_unless_somebody_says_so() {
    for (header, name) in NAMES {
        let mut proxies = Proxies::none();
        proxies.header = header;
        for line in ["198.51.100.1", "for=198.51.100.1"] {
            for peer in ["127.0.0.1", "10.0.0.1", "::1"] {
                assert_eq!(find(&proxies, peer, &[line]), peer, "{name}");
            }
        }
    }
}

#[test]
fn only_the_named_header_is_believed() {
    let line = |header| if header == AddressHeader::Forwarded { "for=198.51.100.1" } else { "198.51.100.1" };
    for (named, _) in NAMES {
        for (sent, name) in NAMES {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(line(sent)))]);
            let expected = if named == sent { "198.51.100.1" } else { "10.0.0.1" };
            for proxies in [networks(named), hops(named, 1)] {
                let found = proxies.client(&headers, "10.0.0.1".parse().ok()).unwrap();
                assert_eq!(found.to_string(), expected, "{named:?} {name}");
            }
        }
    }
}

#[test]
fn hops_are_counted_from_the_end() {
    let two = hops(AddressHeader::XForwardedFor, 2);
    let check = |lines: &[&str], expected| assert_eq!(find(&two, "203.0.113.9", lines), expected, "{lines:?}");
    check(&["198.51.100.1, 192.0.2.1"], "198.51.100.1");
    check(&["192.0.2.66, 198.51.100.1, 192.0.2.1"], "198.51.100.1");
    check(&["garbage", "198.51.100.1", "192.0.2.1"], "198.51.100.1");
    check(&["198.51.100.1, unknown"], "198.51.100.1");
    // Fewer than there are proxies: somebody came past one of them.
    check(&["198.51.100.1"], "203.0.113.9");
    check(&["garbage, 192.0.2.1"], "203.0.113.9");
    check(&[], "203.0.113.9");
}

#[test]
fn hops_count_where_the_peer_has_no_address() {
    let one = hops(AddressHeader::XForwardedFor, 1);
    assert_eq!(find(&one, "", &["192.0.2.66, 198.51.100.1"]), "198.51.100.1");
    assert_eq!(find(&one, "", &["garbage"]), "nobody");
}

#[test]
fn networks_are_canonical_and_replace_hops() {
    let mut proxies = hops(AddressHeader::XForwardedFor, 1);
    proxies.trust_networks(["::ffff:10.0.0.0/104".parse().unwrap()]);
    proxies.trust_networks(["192.0.2.0/24".parse().unwrap()]);
    for (peer, expected) in [
        ("10.1.2.3", "198.51.100.1"),
        ("::ffff:10.1.2.3", "198.51.100.1"),
        ("192.0.2.1", "198.51.100.1"),
        ("11.0.0.1", "11.0.0.1"),
        ("::10.0.0.1", "::a00:1"),
    ] {
        assert_eq!(find(&proxies, peer, &["198.51.100.1"]), expected, "{peer}");
    }
    proxies.trust_hops(0);
    assert_eq!(find(&proxies, "10.1.2.3", &["198.51.100.1"]), "10.1.2.3");
}

#[test]
fn every_spelling_of_an_address_is_one_address() {
    let proxies = networks(AddressHeader::XForwardedFor);
    for (expected, spellings) in [
        (
            "198.51.100.1",
            &[
                "198.51.100.1",
                "198.51.100.1:80",
                "198.51.100.1:_x",
                "::ffff:198.51.100.1",
                "::FFFF:C633:6401",
                "0:0:0:0:0:ffff:c633:6401",
                "[::ffff:198.51.100.1]:80",
                "\t198.51.100.1 ",
            ][..],
        ),
        (
            "2001:db8::1",
            &[
                "2001:db8::1",
                "2001:DB8:0:0::1",
                "2001:0db8:0000:0000:0000:0000:0000:0001",
                "[2001:db8::1]",
                "[2001:db8::1]:443",
                "2001:db8::0.0.0.1",
            ],
        ),
        (
            "fe80::1",
            &["fe80::1", "fe80::1%eth0", "fe80::1%1", "[fe80::1%25eth0]:80", "fe80:0::1%en0.1", "[fe80::1%wlan-0]"],
        ),
    ] {
        for spelling in spellings {
            assert_eq!(find(&proxies, "10.0.0.1", &[spelling]), expected, "{spelling}");
        }
    }
}

const NO_ADDRESSES: &[&str] = &[
    "",
    " ",
    "garbage",
    "unknown",
    "_hidden",
    "_SEVKISEK",
    "localhost",
    "example.com",
    "198.51.100",
    "198.51.100.256",
    "198.51.100.1.1",
    "198.51.100.01",
    "0x7f.1",
    "010.0.0.1",
    "3325256705",
    "198.51.100.1/32",
    "198.51.100.1:",
    "198.51.100.1:80:80",
    "198.51.100.1:-1",
    "198.51.100.1:123456",
    "198.51.100.1:_",
    "198.51.100.1:_a b",
    "198.51.100.1 80",
    "198.51.100.1%eth0",
    "[198.51.100.1]",
    "[2001:db8::1",
    "2001:db8::1]",
    "[[2001:db8::1]]",
    "[2001:db8::1]80",
    "[2001:db8::1]:",
    "[2001:db8::1]:x",
    "[]",
    "[]:80",
    ":80",
    "2001:db8::1::2",
    "2001:db8:::1",
    "fe80::1%",
    "fe80::1%eth0/64",
    "fe80::1%a b",
    "[fe80::1%]",
    "'198.51.100.1'",
    "198.51.100.1;",
    "198.51.100.1\u{a0}",
    "１９８.51.100.1",
];

#[test]
fn what_is_no_address_is_not_believed() {
    for (header, _) in NAMES.into_iter().filter(|(header, _)| *header != AddressHeader::Forwarded) {
        for proxies in [networks(header), hops(header, 1)] {
            let check = |line: &str| assert_eq!(find(&proxies, "10.0.0.1", &[line]), "10.0.0.1", "{header:?} {line}");
            NO_ADDRESSES.iter().for_each(|text| check(text));
            ["\"198.51.100.1\"", "198.51.100.1,", ",198.51.100.1,,", "for=198.51.100.1"].into_iter().for_each(check);
        }
    }
    for text in NO_ADDRESSES {
        let lines = [format!("for={text}"), format!("for=\"{text}\"")];
        for line in lines.iter().map(String::as_str).chain([*text]) {
            // What has to be quoted is an address in quotes, and none without.
            let found = find(&networks(AddressHeader::Forwarded), "10.0.0.1", &[line]);
            assert!(found == "10.0.0.1" || line == "for=198.51.100.1;", "{line}: {found}");
        }
    }
}

#[test]
fn forwarded_is_read_as_the_standard_says() {
    let check = |line: &str, expected| {
        assert_eq!(find(&networks(AddressHeader::Forwarded), "10.0.0.1", &[line]), expected, "{line}");
    };
    // RFC 7239 §4, §6 and §7.1.
    check("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17");
    check("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60");
    check("for=192.0.2.43, for=198.51.100.17", "198.51.100.17");
    check("for=192.0.2.43, for=\"10.0.0.17:47011\"", "192.0.2.43");
    check("for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown", "10.0.0.1");
    check("for=\"_gazonk\"", "10.0.0.1");
    check("for=\"_mdn\", for=192.0.2.1", "192.0.2.1");

    check("FOR=\"192.0.2.1\"", "192.0.2.1");
    check("by=\"a,b\\\",c\";for=192.0.2.1", "192.0.2.1");
    check("for=192.0.2.1;host=\"x, for=192.0.2.66\"", "192.0.2.1");
    check("for=192.0.2.1;host=\"x\\\", for=192.0.2.66\"", "192.0.2.1");
    check("for=192.0.2.1; proto=https ;", "192.0.2.1");
    for bad in [
        "for=192.0.2.1:80",
        "for=[2001:db8::1]",
        "for=\"2001:db8::1\"",
        "for=192.0.2.1;for=192.0.2.1",
        "for=192.0.2.1;FOR=192.0.2.66",
        "for= 192.0.2.1",
        "for=\"192.0.2.1",
        "for=192.0.2.1\"",
        "for=\"192.0.2.\\1\"",
        "for=\"192.0.2.1\"x",
        "for=\"192.0.2.1\" proto=http",
        "for==192.0.2.1",
        "for",
        "for=",
        "=192.0.2.1",
        "for=192.0.2.1 192.0.2.2",
        "f or=192.0.2.1",
        "by=192.0.2.1",
        "proto=http",
        "192.0.2.1",
        "for:192.0.2.1",
        "for=192.0.2.1;proto",
        "for=192.0.2.1;;proto=\"",
    ] {
        check(bad, "10.0.0.1");
    }
}

#[test]
fn one_real_ip_is_believed_and_two_are_not() {
    for proxies in [networks(AddressHeader::XRealIp), hops(AddressHeader::XRealIp, 3)] {
        assert_eq!(find(&proxies, "10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(find(&proxies, "10.0.0.1", &["198.51.100.1", "198.51.100.1"]), "10.0.0.1");
        assert_eq!(find(&proxies, "10.0.0.1", &["192.0.2.66, 198.51.100.1"]), "10.0.0.1");
    }
    assert_eq!(find(&networks(AddressHeader::XRealIp), "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
}

#[test]
fn a_list_is_followed_so_far_and_no_farther() {
    let list = |proxies: usize| format!("198.51.100.1{}", ", 10.0.0.2".repeat(proxies));
    check("10.0.0.1", &[&list(MOST_PROXIES - 1)], "198.51.100.1");
    check("10.0.0.1", &[&list(MOST_PROXIES)], "10.0.0.1");
    check("10.0.0.1", &[&list(100_000)], "10.0.0.1");
    check("10.0.0.1", &["10.0.0.2", &"10.0.0.2,".repeat(100_000), "198.51.100.1"], "198.51.100.1");
    let quotes = format!("for={}\", for=198.51.100.1", "\\\"".repeat(100_000));
    assert_eq!(find(&networks(AddressHeader::Forwarded), "10.0.0.1", &[quotes]), "198.51.100.1");
}

/// Whatever a client writes into the header, the address stays the one that the proxies saw.
#[test]
fn a_client_cannot_choose_its_address() {
    let mut rng = Rng::with_seed(0x7239);
    for round in 0..40_000 {
        let header = NAMES[rng.usize(..2)].0;
        let inner = rng.usize(..3);
        let client = untrusted(&mut rng);
        let mut told = vec![spelled(&mut rng, header, client)];
        for _ in 0..inner {
            let proxy = IpAddr::from([10, rng.u8(..), rng.u8(..), rng.u8(..)]);
            told.push(spelled(&mut rng, header, proxy));
        }
        let mut lines = forged(&mut rng);
        for entry in told {
            // Some proxies go on in the last line, others begin one.
            match lines.last_mut().filter(|_| rng.bool()) {
                Some(line) => line.extend_from_slice([b", ", entry.as_bytes()].concat().as_slice()),
                None => lines.push(entry.into_bytes()),
            }
        }
        let proxies = if rng.bool() { networks(header) } else { hops(header, inner as u8 + 1) };
        let shown: Vec<_> = lines.iter().map(|line| line.escape_ascii().to_string()).collect();
        assert_eq!(find(&proxies, "10.0.0.1", &lines), client.to_string(), "round {round}: {shown:?}");
        assert_eq!(find(&networks(header), "203.0.113.9", &lines), "203.0.113.9", "round {round}: {shown:?}");
    }
}

/// An address outside the trusted networks, in its canonical form.
fn untrusted(rng: &mut Rng) -> IpAddr {
    match rng.bool() {
        true => Ipv4Addr::new(rng.u8(11..), rng.u8(..), rng.u8(..), rng.u8(..)).into(),
        false => Ipv6Addr::from(0x2001_0db8 << 96 | rng.u128(..) >> 32).into(),
    }
}

/// The address as some proxy writes it.
fn spelled(rng: &mut Rng, header: AddressHeader, ip: IpAddr) -> String {
    let port = ["", ":4711", ":_x"][rng.usize(..3)];
    let node = match ip {
        IpAddr::V4(ip) if rng.bool() => format!("{ip}{port}"),
        IpAddr::V4(ip) => format!("[{}]{port}", ip.to_ipv6_mapped()),
        IpAddr::V6(ip) => format!("[{ip}]{port}"),
    };
    if header == AddressHeader::XForwardedFor {
        return node;
    }
    let also = ["", ";proto=https", ";host=\"a, \\\"b\\\"; for=192.0.2.66, c\"", ";by=\"_x\""][rng.usize(..4)];
    format!("for=\"{node}\"{also}")
}

/// Lines of a client who knows how proxies read.
fn forged(rng: &mut Rng) -> Vec<Vec<u8>> {
    const PIECES: &[&[u8]] = &[
        b"for=192.0.2.66",
        b"192.0.2.66",
        b"10.0.0.9",
        b"for=\"[2001:db8::66]\"",
        b"for=\"",
        b"\"",
        b"\\",
        b"\\\"",
        b",",
        b", ",
        b";",
        b"=",
        b" ",
        b"\t",
        b"for=10.0.0.9",
        b"unknown",
        b"_x",
        b"host=\"",
        b"\xff",
        b"[",
        b"]:80",
        b"%eth0",
    ];
    let line = |rng: &mut Rng| (0..rng.usize(..8)).flat_map(|_| PIECES[rng.usize(..PIECES.len())]).copied().collect();
    (0..rng.usize(..3)).map(|_| line(rng)).collect()
}

/// Nothing that a trusted proxy could be made to pass on is more than an address or the peer.
#[test]
fn no_garbage_is_worse_than_silence() {
    let mut rng = Rng::with_seed(0x4001);
    for _ in 0..40_000 {
        let (header, _) = NAMES[rng.usize(..3)];
        let lines = forged(&mut rng);
        let known = ["10.0.0.1", "192.0.2.66", "10.0.0.9", "2001:db8::66"];
        for proxies in [networks(header), hops(header, rng.u8(..4))] {
            let found = find(&proxies, "10.0.0.1", &lines);
            assert!(known.contains(&found.as_str()), "{found} {lines:?}");
        }
    }
}
