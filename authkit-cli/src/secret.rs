//! Secrets, which come from a prompt without echo or from standard input.

use std::io::{self, BufRead, IsTerminal as _, Read as _};

use serde_json::{Map, Value as JsonValue};
use zeroize::Zeroizing;

use crate::arguments::Field;

/// Longest line that is read, in bytes.
const LONGEST: u64 = 16 * 1024;

/// Why there is no secret; the text says what to do.
pub(crate) type Refusal = String;

/// Asks for each secret twice, so that nobody sets what they did not mean to type.
pub(crate) fn ask<'f>(
    fields: impl Iterator<Item = &'f Field>,
    input: &mut Map<String, JsonValue>,
) -> Result<(), Refusal> {
    for field in fields {
        let name = field.name.replace('_', " ");
        if !io::stdin().is_terminal() {
            return Err(format!("there is no terminal to ask for the {name}; add --stdin and send it in a line"));
        }
        let no_terminal = |error: io::Error| format!("the {name} cannot be asked for ({error}); use --stdin");
        let typed = rpassword::prompt_password(format!("New {name}: ")).map(Zeroizing::new).map_err(no_terminal)?;
        let again = rpassword::prompt_password("Once more: ").map(Zeroizing::new).map_err(no_terminal)?;
        if typed != again {
            return Err(format!("the {name} was not the same both times; run the command again"));
        }
        input.insert(field.name.clone(), JsonValue::String(take(typed)));
    }
    Ok(())
}

/// Reads each secret from a line of its own. The end of the line is not part of it.
pub(crate) fn read<'f>(
    source: &mut impl BufRead,
    fields: impl Iterator<Item = &'f Field>,
    input: &mut Map<String, JsonValue>,
) -> Result<(), Refusal> {
    for field in fields {
        let name = field.name.replace('_', " ");
        // As long as it can get, so that it never moves and leaves no copy behind.
        let mut line = Zeroizing::new(String::with_capacity(LONGEST as usize + 1));
        let read = source.take(LONGEST).read_line(&mut line);
        read.map_err(|error| format!("the {name} cannot be read from standard input ({error})"))?;
        if !line.ends_with('\n') && line.len() as u64 >= LONGEST {
            return Err(format!("the {name} is too long"));
        }
        for end in ['\n', '\r'] {
            if line.ends_with(end) {
                line.pop();
            }
        }
        if line.is_empty() {
            return Err(format!("standard input has no line for the {name}"));
        }
        input.insert(field.name.clone(), JsonValue::String(take(line)));
    }
    Ok(())
}

/// The text goes on into the input, whose typed form zeroes it.
fn take(mut text: Zeroizing<String>) -> String {
    std::mem::take(&mut text)
}

#[cfg(test)]
mod tests {
    use authkit_core::{AuthError, Command, Run, SecretText};
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Change {
        old_password: SecretText,
        password: SecretText,
    }

    async fn nothing(_: Run<u8>, _: Change) -> Result<(), AuthError> {
        Ok(())
    }

    fn read_from(text: &str) -> Result<Vec<String>, Refusal> {
        let fields = Field::all(&Command::list("things do", "Does things.", nothing));
        let mut input = Map::new();
        read(&mut text.as_bytes(), fields.iter(), &mut input)?;
        Ok(["old_password", "password"].iter().map(|name| input[*name].as_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn each_secret_is_one_line_as_it_stands() {
        assert_eq!(read_from("one\ntwo\n").unwrap(), ["one", "two"]);
        assert_eq!(read_from(" one \r\n\ttwo").unwrap(), [" one ", "\ttwo"]);
        assert_eq!(read_from("one\r\r\ntwo\n\nthree").unwrap(), ["one\r", "two"]);
    }

    #[test]
    fn what_is_not_there_or_too_long_is_refused_without_being_shown() {
        assert_eq!(read_from("").unwrap_err(), "standard input has no line for the old password");
        assert_eq!(read_from("one\n\n").unwrap_err(), "standard input has no line for the password");
        assert_eq!(read_from(&"x".repeat(16 * 1024)).unwrap_err(), "the old password is too long");
    }
}
