//! A JSON object from a provider, read member by member. Harmless deviations are accepted, and errors name the member.

use serde_json::{Map, Value};

use crate::jose::mismatch::quoted;
use crate::jose::strict_json;

/// A parsed document.
#[derive(Clone, Debug, Default)]
pub struct Document(pub Map<String, Value>);

/// What is wrong with a document. Does not contain values that can be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The document is not a JSON object with unique member names.
    #[error("it is not a JSON object (it begins with {0})")]
    NotAnObject(Box<str>),
    /// A required member is missing or blank.
    #[error("its member `{0}` is missing")]
    Missing(&'static str),
    /// A required member has the wrong type.
    #[error("its member `{name}` is not {wanted}")]
    Type { name: &'static str, wanted: &'static str },
    /// A required member has a value that cannot be used.
    #[error("its member `{name}` is {value}, which is not {wanted}")]
    Value { name: &'static str, value: Box<str>, wanted: &'static str },
}

impl Document {
    /// Parses an object. Ignores the content type, and skips a byte order mark.
    ///
    /// # Errors
    ///
    /// [`Unreadable::NotAnObject`]. It contains a guess at the kind of the text, but not the text.
    pub fn read(text: &[u8]) -> Result<Self, Unreadable> {
        let text = without_mark(text);
        strict_json::object(text).map(Self).map_err(|_| Unreadable::NotAnObject(beginning(text)))
    }

    /// A text member. Absent, `null` and blank all return `None`.
    pub fn text(&self, name: &'static str) -> Result<Option<String>, Unreadable> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Unreadable::Type { name, wanted: "text" }),
        }
    }

    /// A required text member.
    pub fn required_text(&self, name: &'static str) -> Result<String, Unreadable> {
        self.text(name)?.ok_or(Unreadable::Missing(name))
    }

    /// Whether a member is `true`, or the text `true`.
    pub fn is_true(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(value)) => *value,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// A list of texts. `None` if there is none. A single text is a list with one element.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        match self.0.get(name)? {
            Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            Value::String(text) if !text.is_empty() => Some(vec![text.clone()]),
            _ => None,
        }
    }

    /// A positive number of seconds, as a number or as digits in a text. Other values are ignored.
    pub fn seconds(&self, name: &str) -> Option<u64> {
        let seconds = match self.0.get(name)? {
            Value::Number(number) => number.as_f64()?,
            Value::String(digits) => digits.trim().parse().ok()?,
            _ => return None,
        };
        // The conversion saturates.
        Some(seconds as u64).filter(|seconds| *seconds > 0)
    }
}

/// `text` without a byte order mark, which RFC 8259 §8.1 lets a reader ignore.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Guesses the kind of a text that is not JSON. The text itself is not logged, because it may contain a token.
fn beginning(text: &[u8]) -> Box<str> {
    let text = text.trim_ascii_start();
    match text.first() {
        None => "nothing".into(),
        Some(b'<') => "a tag, as an HTML page does".into(),
        Some(b'{') => "a brace, but is malformed or repeats a member".into(),
        Some(byte) => quoted(&char::from(*byte).to_string()),
    }
}

#[cfg(test)]
mod tests;
