//! Claims as header values.
//!
//! Text is UTF-8 of which everything but visible ASCII and inner spaces is percent-encoded, the percent sign too: `Jürgen`
//! is `J%C3%BCrgen`. So an application decodes in one way, and no line break, NUL or separator that a user put into a name
//! reaches a header (attacks H-12). Lists are joined by commas; a list with an element that a reader could take for two is
//! not sent. Objects, and lists of anything but text, numbers and booleans, are compact JSON in ASCII.

use std::fmt::Write as _;

use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

/// Longest value of a mapped claim, in bytes; a longer one is absent (many servers refuse a header of more than 8 KiB).
const VALUE_BYTES_MAX: usize = 8 * 1024;

/// Beside what is not ASCII, which is always encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// Text, encoded.
pub(super) fn text(text: &str) -> HeaderValue {
    HeaderValue::try_from(percent_encode(text)).expect("visible ASCII and spaces")
}

/// A claim, encoded; `None` where there is nothing to say, or nothing that can be said safely.
pub(super) fn claim(claim: &Value) -> Option<HeaderValue> {
    let value = match claim {
        Value::Array(elements) => list(elements)?,
        Value::Object(_) => ascii_json(claim),
        scalar => self::scalar(scalar)?,
    };
    if value.is_empty() || value.len() > VALUE_BYTES_MAX {
        return None;
    }
    HeaderValue::try_from(value).ok()
}

fn scalar(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(percent_encode(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn list(elements: &[Value]) -> Option<String> {
    if elements.iter().any(|element| matches!(element, Value::Array(_) | Value::Object(_) | Value::Null)) {
        return Some(ascii_json(&Value::Array(elements.to_vec())));
    }
    let ambiguous = |text: &str| text.trim() != text || text.contains(|c: char| c == ',' || c.is_control());
    if elements.iter().filter_map(Value::as_str).any(|text| text.is_empty() || ambiguous(text)) {
        return None;
    }
    Some(elements.iter().filter_map(scalar).collect::<Vec<_>>().join(","))
}

fn percent_encode(text: &str) -> String {
    // Blanks at either end would be lost on the wire (RFC 9110 §5.5).
    let inner = text.trim_matches(' ');
    let before = text.len() - text.trim_start_matches(' ').len();
    let after = text.len() - before - inner.len();
    let mut out = "%20".repeat(before);
    out.extend(utf8_percent_encode(inner, ENCODED));
    out.push_str(&"%20".repeat(after));
    out
}

/// Compact JSON in which everything that is not ASCII is escaped (RFC 8259 §7).
fn ascii_json(value: &Value) -> String {
    let mut out = String::new();
    for character in value.to_string().chars() {
        if character.is_ascii() && !character.is_ascii_control() {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

#[cfg(test)]
mod tests;
