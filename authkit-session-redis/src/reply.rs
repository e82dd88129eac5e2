//! What scripts answer. Redis may hold what another program wrote, so every part of it is checked.

use authkit_core::{Id, StoreError, Value};
use redis::Value as Answer;

use crate::{encoding, error::Fault};

/// The first word of an answer and what follows.
pub(crate) struct Reply {
    pub(crate) word: String,
    pub(crate) parts: std::vec::IntoIter<Answer>,
}

impl Reply {
    /// Reads an answer; the refusals that every script knows are errors.
    pub(crate) fn read(answer: Answer) -> Result<Self, StoreError> {
        let mut parts = list(answer)?;
        let word = parts.next().ok_or(Fault::Answer("it is empty"))?;
        let mut reply = Self { word: text(word)?, parts };
        match reply.word.as_str() {
            "absent" => Err(Fault::NoTable(reply.text()?).into()),
            "corrupt" => Err(Fault::Stored(reply.text()?).into()),
            "unknown" => Err(StoreError::Unknown),
            _ => Ok(reply),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Answer, StoreError> {
        self.parts.next().ok_or_else(|| Fault::Answer("it is too short").into())
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        text(self.next()?)
    }

    pub(crate) fn number<T: std::str::FromStr>(&mut self) -> Result<T, StoreError> {
        self.text()?.parse().map_err(|_error| Fault::Answer("a number is none").into())
    }
}

/// An answer that nobody expects.
pub(crate) fn unexpected() -> StoreError {
    Fault::Answer("it begins with an unknown word").into()
}

pub(crate) fn list(answer: Answer) -> Result<std::vec::IntoIter<Answer>, StoreError> {
    match answer {
        Answer::Array(parts) => Ok(parts.into_iter()),
        _ => Err(Fault::Answer("a list is none").into()),
    }
}

pub(crate) fn text(answer: Answer) -> Result<String, StoreError> {
    String::from_utf8(bytes(answer)?).map_err(|_error| Fault::Answer("a text is none").into())
}

pub(crate) fn values(answer: Answer) -> Result<Vec<Value>, StoreError> {
    list(answer)?.map(value).collect()
}

pub(crate) fn value(answer: Answer) -> Result<Value, StoreError> {
    encoding::decode(&bytes(answer)?).ok_or_else(|| Fault::Stored("a value cannot be read".to_owned()).into())
}

pub(crate) fn ids(answer: Answer) -> Result<Vec<Id>, StoreError> {
    let id = |value| match value {
        Value::Id(id) => Ok(id),
        _ => Err(Fault::Answer("an id is none").into()),
    };
    values(answer)?.into_iter().map(id).collect()
}

fn bytes(answer: Answer) -> Result<Vec<u8>, StoreError> {
    match answer {
        Answer::BulkString(bytes) => Ok(bytes),
        _ => Err(Fault::Answer("a text is missing").into()),
    }
}
