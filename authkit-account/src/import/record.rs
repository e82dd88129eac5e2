use std::collections::BTreeMap;

use authkit_core::{AuthError, MethodId, PrincipalKind, RequestContext, Status, Timestamp, codes as core_codes};
use serde::Deserialize;
use serde_json::{Value as JsonValue, error::Category};

use crate::user_store::NewIdentifier;

/// An account as another system knew it.
pub(super) struct Record {
    /// What the other system calls it.
    pub(super) source_id: String,
    pub(super) kind: PrincipalKind,
    pub(super) status: Status,
    pub(super) created_at: Timestamp,
    /// At least one, and none twice.
    pub(super) identifiers: Vec<NewIdentifier>,
    pub(super) credentials: BTreeMap<MethodId, JsonValue>,
}

/// The wire form of a record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    identifiers: Vec<WrittenIdentifier>,
    #[serde(default = "human")]
    kind: PrincipalKind,
    created_at: Option<Timestamp>,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    credentials: BTreeMap<MethodId, JsonValue>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenIdentifier {
    Claimed(String),
    Known(KnownIdentifier),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownIdentifier {
    value: String,
    #[serde(default)]
    verified: bool,
}

const fn human() -> PrincipalKind {
    PrincipalKind::Human
}

impl Record {
    /// Reads a line; none if it is empty.
    ///
    /// # Errors
    ///
    /// [`INVALID_INPUT`](core_codes::INVALID_INPUT) with what is wrong, which quotes nothing of the line.
    pub(super) fn read(cx: &RequestContext, line: &[u8]) -> Result<Option<Self>, AuthError> {
        let text = line.trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        let written: Written = serde_json::from_slice(text).map_err(|error| unreadable(&error))?;
        Self::of(cx, written).map(Some)
    }

    fn of(cx: &RequestContext, written: Written) -> Result<Self, AuthError> {
        let source_id = written.id;
        if source_id.is_empty() || source_id.chars().count() > LONGEST_ID || source_id.chars().any(char::is_control) {
            return Err(invalid("id", "Give 1 to 255 characters without control characters."));
        }
        let created_at = written.created_at.unwrap_or_else(|| cx.now());
        if created_at > cx.now() {
            return Err(invalid("created_at", "It is in the future."));
        }
        let mut identifiers: Vec<NewIdentifier> = Vec::new();
        for given in written.identifiers {
            let (typed, verified) = match given {
                WrittenIdentifier::Claimed(value) => (value, false),
                WrittenIdentifier::Known(KnownIdentifier { value, verified }) => (value, verified),
            };
            let not_one = || invalid("identifiers", "One of them is no valid e-mail address.");
            let identifier = cx.identifier(&typed).ok_or_else(not_one)?;
            // A name and an address are often the same text.
            if !identifiers.iter().any(|known| known.identifier == identifier) {
                identifiers.push(NewIdentifier { identifier, typed, verified_at: verified.then(|| cx.now()) });
            }
        }
        if !(1..=MOST_IDENTIFIERS).contains(&identifiers.len()) {
            return Err(invalid("identifiers", "Give 1 to 100 of them."));
        }
        let status = if written.disabled { Status::Disabled } else { Status::Active };
        Ok(Self { source_id, kind: written.kind, status, created_at, identifiers, credentials: written.credentials })
    }
}

/// What a store can hold in an indexed column.
const LONGEST_ID: usize = 255;
/// So many of one account are listed.
const MOST_IDENTIFIERS: usize = 100;

pub(super) fn invalid(field: &'static str, text: impl Into<String>) -> AuthError {
    AuthError::new(&core_codes::INVALID_INPUT).field(field, text)
}

/// Says where a line is wrong. What serde says of the contents is dropped: it quotes them.
fn unreadable(error: &serde_json::Error) -> AuthError {
    let missing = ["id", "identifiers"]
        .into_iter()
        .find(|name| error.to_string().starts_with(&format!("missing field `{name}`")));
    let column = error.column();
    let text = match (missing, error.classify()) {
        (Some(name), _) => format!("The field {name} is needed."),
        (None, Category::Data) => format!("A field before column {column} is unknown, doubled or of another form."),
        (None, Category::Eof) => format!("The JSON ends too early, at column {column}."),
        (None, _) => format!("It is no JSON in UTF-8 from column {column} on."),
    };
    invalid("record", text)
}
