//! What went wrong, for whoever has to do something about it.

use authkit_core::{AuthError, Class};
use serde_json::json;

use crate::escape;

/// Exit code of what was refused or failed.
pub(crate) const FAILED: u8 = 1;
/// Exit code of arguments that cannot be understood, as clap has it.
pub(crate) const USAGE: u8 = 2;
/// Exit code of what may succeed if it is tried again (`EX_TEMPFAIL` of sysexits.h).
pub(crate) const TRY_AGAIN: u8 = 75;

pub(crate) const fn code(error: &AuthError) -> u8 {
    match error.code().class {
        Class::Limited | Class::Unavailable => TRY_AGAIN,
        Class::Invalid => USAGE,
        _ => FAILED,
    }
}

/// Lines for people.
pub(crate) fn text(error: &AuthError) -> String {
    let fields = error.fields().iter().map(|field| (field.field, field.message.as_str()));
    let mut text = match error.fields() {
        [only] => format!("error: {}\n", escape::line(&only.message)),
        _ => format!("error: {error}\n"),
    };
    if error.fields().len() > 1 {
        text.extend(fields.map(|(field, message)| format!("  {field}: {}\n", escape::line(message))));
    }
    // What is wrong with a field, or already there, says what to do; the cause would only say it again in other words.
    let said = !error.fields().is_empty() || matches!(error.code().class, Class::Conflict);
    let cause = error.internal();
    if !cause.is_empty() && !said {
        text.push_str(&format!("  because: {}\n", escape::line(&cause)));
    }
    if let Some(hint) = hint(error) {
        text.push_str(&format!("  {hint}\n"));
    }
    text
}

/// One line for programs.
pub(crate) fn json(error: &AuthError) -> String {
    let error = json!({
        "error": { "code": error.code().code, "text": error.to_string(), "fields": error.fields(), "cause": error.internal() }
    });
    format!("{}\n", escape::json(&error))
}

fn hint(error: &AuthError) -> Option<&'static str> {
    match error.code().class {
        Class::Internal => {
            Some("If the database is new or the application was upgraded, run `migrate` first; else look at its log.")
        }
        Class::Unavailable => Some("Is the database running, and does nothing else hold it? Run the command again."),
        Class::Conflict if error.code().code == "core.conflict" => Some("Run the command again."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use authkit_core::codes;

    use super::*;

    #[test]
    fn the_code_says_whether_to_try_again() {
        let code = |declared| code(&AuthError::new(declared));
        assert_eq!(code(&codes::NOT_FOUND), FAILED);
        assert_eq!(code(&codes::CONFLICT), FAILED);
        assert_eq!(code(&codes::INTERNAL), FAILED);
        assert_eq!(code(&codes::INVALID_INPUT), USAGE);
        assert_eq!(code(&codes::UNAVAILABLE), TRY_AGAIN);
        assert_eq!(code(&codes::LIMITED), TRY_AGAIN);
    }

    #[test]
    fn operators_are_told_the_cause_and_what_to_do() {
        let error = AuthError::new(&codes::INTERNAL).caused_by("no such table: auth_\u{1b}[2J");
        let expected = "error: Something went wrong on our side.\n  because: no such table: auth_\\u{1b}[2J\n  \
                        If the database is new or the application was upgraded, run `migrate` first; else look at its log.\n";
        assert_eq!(text(&error), expected);
    }

    #[test]
    fn a_database_that_is_held_or_down_is_told_from_one_without_tables() {
        let busy = text(&AuthError::new(&codes::UNAVAILABLE).caused_by("the store is busy"));
        assert!(busy.contains("because: the store is busy") && busy.contains("does nothing else hold it?"), "{busy}");
        assert!(!busy.contains("migrate"), "{busy}");
    }

    #[test]
    fn what_is_wrong_with_fields_is_said_once_each() {
        let taken =
            AuthError::new(&codes::CONFLICT).caused_by("a row with this key exists").field("account", "It is taken.");
        assert_eq!(text(&taken), "error: It is taken.\n  Run the command again.\n");
        let changed = AuthError::new(&codes::CONFLICT).caused_by("a row with this key exists");
        assert!(!text(&changed).contains("because"), "{}", text(&changed));
        let one = AuthError::new(&codes::NOT_FOUND).field("account", "Nobody.");
        assert_eq!(text(&one), "error: Nobody.\n");
        let two = AuthError::new(&codes::INVALID_INPUT).field("a", "One.").field("b", "Two.");
        assert_eq!(text(&two), "error: The request cannot be read.\n  a: One.\n  b: Two.\n");
    }

    #[test]
    fn programs_get_one_line_of_json() {
        let line = json(&AuthError::new(&codes::NOT_FOUND).field("account", "Nobody."));
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["error"]["code"], "core.not_found");
        assert_eq!(read["error"]["fields"][0]["message"], "Nobody.");
        assert_eq!(line.lines().count(), 1);
    }
}
