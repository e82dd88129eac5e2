use unicode_normalization::UnicodeNormalization as _;

use super::*;

#[test]
fn every_spelling_has_one_canonical_text() {
    let long_local = format!("{}@example.com", "a".repeat(64));
    let longest = format!("{}@{}.{}.{}.com", "a".repeat(64), "b".repeat(63), "c".repeat(63), "d".repeat(57));
    assert_eq!(longest.len(), LONGEST);
    let cases = [
        ("bob@example.com", "bob@example.com"),
        ("Bob@Example.COM", "bob@example.com"),
        ("  bob@example.com\t\n", "bob@example.com"),
        ("bob+tag@example.com", "bob+tag@example.com"),
        ("b.o.b@example.com", "b.o.b@example.com"),
        ("o'hara@example.ie", "o'hara@example.ie"),
        ("a_b-c~d@example.com", "a_b-c~d@example.com"),
        ("#$&*/?=^`{|}@example.com", "#$&*/?=^`{|}@example.com"),
        ("1@1.example", "1@1.example"),
        ("bob@a.b.c.example.co.uk", "bob@a.b.c.example.co.uk"),
        ("bob@r3---sn.example.com", "bob@r3---sn.example.com"),
        (&long_local, &long_local),
        (&longest, &longest),
        // Internationalised domains: A-label, U-label, upper case, wide and ideographic dots.
        ("bob@bücher.example", "bob@xn--bcher-kva.example"),
        ("bob@BÜCHER.example", "bob@xn--bcher-kva.example"),
        ("bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example"),
        ("bob@XN--BCHER-KVA.example", "bob@xn--bcher-kva.example"),
        ("bob@faß.de", "bob@xn--fa-hia.de"),
        ("bob@ｅｘａｍｐｌｅ.com", "bob@example.com"),
        ("bob@例え。テスト", "bob@xn--r8jz45g.xn--zckzah"),
        // Internationalised local parts (RFC 6531): NFC, and only ASCII letters lose their case.
        ("jose\u{301}@example.com", "josé@example.com"),
        ("JosÉ@example.com", "josÉ@example.com"),
        ("H\u{331}@example.com", "\u{1e96}@example.com"),
        ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
        ("अजय@डाटा.भारत", "अजय@xn--c2bd1gb.xn--h2brj9c"),
    ];
    for (typed, canonical) in cases {
        assert_eq!(Email.canonical(typed).as_deref(), Some(canonical), "{typed}");
    }
}

#[test]
fn everything_else_is_no_address() {
    let too_long_local = format!("{}@example.com", "a".repeat(65));
    let too_long = format!("{}@{}.{}.{}.com", "a".repeat(64), "b".repeat(63), "c".repeat(63), "d".repeat(58));
    let too_long_label = format!("bob@{}.com", "b".repeat(64));
    let huge = "@".repeat(1_000_000);
    let cases = [
        "",
        " ",
        "bob",
        "@",
        "bob@",
        "@example.com",
        "bob@@example.com",
        "bob@alice@example.com",
        "bob example.com",
        // A dot is needed in the domain, and nothing stands around it.
        "bob@localhost",
        "bob@com",
        "bob@example",
        "bob@.example.com",
        "bob@example..com",
        "bob@example.com.",
        "bob@-example.com",
        "bob@example-.com",
        "bob@exa_mple.com",
        "bob@exam ple.com",
        "bob@example.com/path",
        "bob@example.com:25",
        "bob@example.com?to=eve@evil.example",
        // Addresses of hosts.
        "bob@127.0.0.1",
        "bob@1.2.3.0x7f",
        "bob@[127.0.0.1]",
        "bob@[IPv6:::1]",
        // Dots of the local part.
        ".bob@example.com",
        "bob.@example.com",
        "b..ob@example.com",
        // Quoted parts, comments, display names, lists, groups, routes.
        "\"bob\"@example.com",
        "\"bob@evil.example\"@example.com",
        "\"bob\\\"\"@example.com",
        "bob(comment)@example.com",
        "bob@(comment)example.com",
        "Bob <bob@example.com>",
        "<bob@example.com>",
        "bob@example.com, eve@evil.example",
        "bob@example.com;eve@evil.example",
        "bob@example.com eve@evil.example",
        "undisclosed:bob@example.com;",
        "mailto:bob@example.com",
        "@relay.example:bob@example.com",
        "bob%evil.example@example.com",
        "evil.example!bob@example.com",
        "[\"bob@example.com\",\"eve@evil.example\"]",
        // Headers, NUL, invisible characters.
        "bob@example.com\r\nBcc: eve@evil.example",
        "bob\r\nBcc: eve@evil.example",
        "bob\n@example.com",
        "bob\0@example.com",
        "bob@example.com\0",
        "bob\u{7f}@example.com",
        "bob\u{85}x@example.com",
        "bo\u{200b}b@example.com",
        "bo\u{ad}b@example.com",
        "bo\u{202e}b@example.com",
        "bo\u{2028}b@example.com",
        "bo\u{feff}b@example.com",
        "bob\u{a0}x@example.com",
        "bob\u{fffd}@example.com",
        "bob😀@example.com",
        "bob@exa\u{202e}mple.com",
        // Encoded words (RFC 2047) and options of sendmail.
        "=?utf-8?q?bob=40evil.example=3e?=@example.com",
        "-oQ/tmp@example.com",
        "-@example.com",
        // Characters that are other spellings of ASCII, and A-labels that are none.
        "\u{212a}elvin@example.com",
        "bob\u{1fef}@example.com",
        "bob\u{37e}@example.com",
        "bob@xn--.com",
        "bob@xn--a.com",
        "bob@xn--example-.com",
        "bob@a\u{301}\u{0}.com",
        "bob@\u{301}a.com",
        "bob＠example.com",
        &too_long_local,
        &too_long_label,
        &too_long,
        &huge,
    ];
    for typed in cases {
        let shown: String = typed.chars().take(80).collect();
        assert_eq!(Email.canonical(typed), None, "{shown:?}");
    }
}

#[test]
fn look_alikes_are_different_addresses() {
    let pairs = [
        ("mike@example.org", "mıke@example.org"),
        ("mike@example.org", "mİke@example.org"),
        ("mike@example.org", "miｋe@example.org"),
        ("sam@example.org", "ſam@example.org"),
        ("mike@example.org", "mike@example.org".replace('i', "\u{456}").as_str()),
        ("mike@github.com", "mike@gıthub.com"),
        ("ß@example.org", "ss@example.org"),
        ("mike@fass.de", "mike@faß.de"),
    ]
    .map(|(one, other)| (one.to_owned(), other.to_owned()));
    for (one, other) in pairs {
        let (one, other) = (Email.canonical(&one).unwrap(), Email.canonical(&other));
        assert_ne!(Some(one), other);
    }
}

#[test]
fn canonical_text_is_canonical_and_the_same_for_equivalent_spellings() {
    let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
    let mut accepted = 0;
    for _ in 0..50_000 {
        let typed = random.text();
        let Some(canonical) = Email.canonical(&typed) else { continue };
        accepted += 1;
        assert_eq!(Email.canonical(&canonical).as_deref(), Some(canonical.as_str()), "{typed:?}");
        let (local, domain) = canonical.rsplit_once('@').unwrap();
        assert!(domain.is_ascii() && domain.contains('.'), "{typed:?}");
        assert!(canonical.len() <= LONGEST && local.len() <= 64, "{typed:?}");
        assert!(!canonical.chars().any(|c| c.is_control() || c.is_whitespace() || c.is_ascii_uppercase()), "{typed:?}");
        let composed: String = typed.nfc().collect();
        for same in [composed.to_ascii_uppercase(), typed.nfd().collect(), format!(" {typed} "), composed] {
            assert_eq!(Email.canonical(&same).as_deref(), Some(canonical.as_str()), "{typed:?} {same:?}");
        }
    }
    assert!(accepted > 1_000, "only {accepted} texts were addresses");
}

/// Draws texts that are nearly addresses.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn text(&mut self) -> String {
        const PARTS: [&str; 40] = [
            "a",
            "B",
            "k",
            "H",
            "e",
            "7",
            "xn--",
            "bcher-kva",
            "é",
            "E\u{301}",
            "\u{301}",
            "\u{331}",
            "ı",
            "İ",
            "ß",
            "ſ",
            "\u{212a}",
            "Å",
            "\u{212b}",
            "用",
            "ｅ",
            "ア",
            "\u{30a2}\u{3099}",
            "ا",
            ".",
            ".",
            "-",
            "_",
            "+",
            "%",
            "\"",
            "(",
            " ",
            "\r\n",
            "\u{200d}",
            "=?",
            "\u{3002}",
            "com",
            "example",
            "@",
        ];
        let mut text = String::new();
        for _ in 0..=self.below(6) {
            text.push_str(PARTS[self.below(PARTS.len())]);
        }
        text.push('@');
        for _ in 0..=self.below(5) {
            text.push_str(PARTS[self.below(PARTS.len())]);
        }
        text.push_str([".com", ".example", ".рф", ""][self.below(4)]);
        text
    }
}
