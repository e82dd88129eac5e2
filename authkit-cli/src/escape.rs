//! What a terminal would take for an instruction is shown as what it is.

use serde_json::Value as JsonValue;

/// Whether a character acts on a terminal, or on how the text around it looks, instead of being seen.
///
/// Control characters move the cursor and change what was shown; bidirectional controls reorder it (CVE-2021-42574);
/// invisible ones make two identifiers look alike.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line of text: `\u{1b}` stands for an escape character.
pub(crate) fn line(text: &str) -> String {
    let shown = |mut shown: String, c: char| {
        if is_hidden(c) {
            shown.extend(c.escape_unicode())
        } else {
            shown.push(c)
        }
        shown
    };
    text.chars().fold(String::with_capacity(text.len()), shown)
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
        assert_eq!(line("žofie@пример.рф 名前"), "žofie@пример.рф 名前");
    }
}
