//! What a terminal would take for an instruction is shown as what it is.

use serde_json::Value as JsonValue;

/// Whether a character acts on a terminal, or on how the text around it looks, instead of being seen.
///
/// Control characters move the cursor and change what was shown; bidirectional controls reorder it (CVE-2021-42574);
/// invisible ones, `Default_Ignorable_Code_Point` of Unicode, make two identifiers look alike.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
        )
        || matches!(c, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}')
        || matches!(c, '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
        || matches!(c, '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character is seen as room between others.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{2800}'
}

/// One line of text: `\u{1b}` stands for an escape character.
///
/// A text that spells such a thing itself has its backslash escaped, so what is shown means one text only.
pub(crate) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let spells = c == '\\' && text.get(at..).is_some_and(|rest| rest.starts_with("\\u{"));
        if spells || is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A text in one cell of a table: as [`line`], and with nothing that looks like the room between two columns.
///
/// Of blanks only a space between two words stays as it is.
pub(crate) fn cell(text: &str) -> String {
    apart(&line(text), |blank| blank.escape_unicode().to_string())
}

/// [`json`] in one cell of a table. It reads as the same value.
pub(crate) fn json_cell(value: &JsonValue) -> String {
    apart(&json(value), |blank| format!("\\u{:04x}", u32::from(blank)))
}

/// Spells every blank but a space between two others.
fn apart(text: &str, spelled: impl Fn(char) -> String) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut before = None;
    while let Some(c) = characters.next() {
        let is_between = |c: Option<char>| c.is_some_and(|c| !is_blank(c));
        if !is_blank(c) || (c == ' ' && is_between(before) && is_between(characters.peek().copied())) {
            shown.push(c);
        } else {
            shown.push_str(&spelled(c));
        }
        before = Some(c);
    }
    shown
}

/// Lines of text: as [`line`], but for the ends of lines.
pub(crate) fn lines(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// JSON in one line. Hidden characters are escaped as RFC 8259 §7 permits, so it reads as the same value.
pub(crate) fn json(value: &JsonValue) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if !is_hidden(c) {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            text.push_str(&format!("\\u{unit:04x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOSTILE: [&str; 6] =
        ["\u{1b}[2Jx", "a\rb", "\u{9b}31m", "\u{7f}\u{8}", "user\u{202e}gnp.exe", "\u{e0041}\u{200b}"];

    #[test]
    fn nothing_hidden_reaches_the_terminal() {
        for text in HOSTILE {
            assert!(!line(text).chars().any(is_hidden), "{text:?}");
            assert!(!json(&json!({ text: text })).chars().any(is_hidden), "{text:?}");
        }
        assert_eq!(line("\u{1b}[2J\n"), "\\u{1b}[2J\\u{a}");
        assert_eq!(lines("a\nb\u{7}"), "a\nb\\u{7}");
    }

    #[test]
    fn json_reads_as_the_same_value() {
        for text in HOSTILE {
            let value = json!([text, { "é": text }]);
            assert_eq!(serde_json::from_str::<JsonValue>(&json(&value)).unwrap(), value);
        }
    }

    #[test]
    fn names_of_people_stay_as_they_are() {
        for name in
            ["žofie@пример.рф 名前", "O'Brien, Conan C.", r"DOMAIN\user", "a+b_c%d=e@example.com", r#"say "hi""#]
        {
            assert_eq!(line(name), name);
            assert_eq!(cell(name), name);
        }
        assert_eq!(json_cell(&json!({ "by": "Conan C." })), r#"{"by":"Conan C."}"#);
    }

    #[test]
    fn no_blank_of_a_cell_is_as_wide_as_the_room_between_columns() {
        assert_eq!(cell("a  b"), r"a\u{20}\u{20}b");
        assert_eq!(cell(" a "), r"\u{20}a\u{20}");
        assert_eq!(cell("a\u{3000}b\u{a0}c \u{2003}d"), r"a\u{3000}b\u{a0}c\u{20}\u{2003}d");
        assert_eq!(cell("a\u{2800}\u{2800}b"), r"a\u{2800}\u{2800}b");
        let value = json!({ "k  k": ["a   b", " "] });
        assert!(!json_cell(&value).contains("  "));
        assert_eq!(serde_json::from_str::<JsonValue>(&json_cell(&value)).unwrap(), value);
    }

    #[test]
    fn two_texts_are_never_shown_alike() {
        assert_eq!(line(r"\u{1b}"), r"\u{5c}u{1b}");
        assert_ne!(line(r"\u{1b}"), line("\u{1b}"));
        assert_ne!(cell(r"a\u{20}\u{20}b"), cell("a  b"));
        assert_ne!(line("ada\u{fe0f}"), "ada\u{fe0f}");
        assert_ne!(line("ada\u{3164}"), "ada\u{3164}");
    }
}
