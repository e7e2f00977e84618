//! Writes claims as header values. No information is lost: an application that decodes a value by the rule of its
//! [`Encoding`] gets the claim back. A claim that cannot be written is an error and never becomes another value.
//!
//! Strings are UTF-8. Visible ASCII and inner spaces stay as they are. Everything else is percent-encoded, and so is the
//! percent sign: `Jürgen` becomes `J%C3%BCrgen`. So there is one way to decode, and no line break, NUL or separator that a
//! user put into a name reaches a header (attacks H-12). A comma inside a string never looks like a separator. Objects,
//! and lists of anything other than strings, numbers and booleans, are compact JSON in ASCII in every encoding.

use std::fmt::Write as _;

use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use crate::claims::settings::Encoding;

/// Maximum length of a mapped claim in bytes, over all its fields (many servers refuse a header of more than 8 KiB).
const VALUE_BYTES_MAX: usize = 8 * 1024;

/// Maximum number of fields of one claim with [`Encoding::Repeated`] (many servers refuse a request with more than 100 fields).
const FIELDS_MAX: usize = 64;

/// ASCII characters that are percent-encoded. Characters outside ASCII are always encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The same, and the comma, for encodings in which a comma separates two values.
const ENCODED_AND_COMMAS: &AsciiSet = &ENCODED.add(b',');

/// The claim has a value that cannot be written: it is too long, or it is empty and would be read as no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inexpressible;

/// Encodes a string.
pub(super) fn text(text: &str) -> HeaderValue {
    HeaderValue::try_from(percent_encode(text, ENCODED)).expect("visible ASCII and spaces")
}

/// Encodes a claim. Returns one value for each header field. There is none for `null`, an empty string or an empty list.
///
/// # Errors
///
/// [`Inexpressible`] if the claim cannot be written.
pub(super) fn claim(claim: &Value, encoding: Encoding) -> Result<Vec<HeaderValue>, Inexpressible> {
    if claim.is_null() {
        return Ok(Vec::new());
    }
    let is_nothing = claim.as_str().is_some_and(str::is_empty) || claim.as_array().is_some_and(Vec::is_empty);
    let values = match (encoding, claim) {
        (Encoding::Json, _) => vec![ascii_json(claim)],
        _ if is_nothing => return Ok(Vec::new()),
        (_, Value::Array(elements)) if elements.iter().all(is_scalar) => list(elements, encoding),
        (_, Value::Array(_) | Value::Object(_)) => vec![ascii_json(claim)],
        _ => vec![scalar(claim, encoding)],
    };
    let bytes: usize = values.iter().map(String::len).sum();
    let is_too_long = bytes > VALUE_BYTES_MAX || values.len() > FIELDS_MAX;
    // A reader takes one empty value for no value.
    if is_too_long || (bytes == 0 && values.len() == 1) {
        return Err(Inexpressible);
    }
    values.into_iter().map(|value| HeaderValue::try_from(value).map_err(|_| Inexpressible)).collect()
}

const fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

fn list(elements: &[Value], encoding: Encoding) -> Vec<String> {
    let elements = elements.iter().map(|element| scalar(element, encoding));
    match encoding {
        Encoding::Repeated => elements.collect(),
        Encoding::Csv | Encoding::Json | Encoding::Percent => vec![elements.collect::<Vec<_>>().join(",")],
    }
}

fn scalar(claim: &Value, encoding: Encoding) -> String {
    match (claim, encoding) {
        (Value::String(text), Encoding::Csv) => csv_field(&percent_encode(text, ENCODED)),
        (Value::String(text), _) => percent_encode(text, ENCODED_AND_COMMAS),
        (other, _) => other.to_string(),
    }
}

/// One field in a line of comma-separated values (RFC 4180 §2).
fn csv_field(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

fn percent_encode(text: &str, encoded: &'static AsciiSet) -> String {
    // Recipients drop spaces at either end of a header value (RFC 9110 §5.5).
    let inner = text.trim_matches(' ');
    let before = text.len() - text.trim_start_matches(' ').len();
    let after = text.len() - before - inner.len();
    let mut out = "%20".repeat(before);
    out.extend(utf8_percent_encode(inner, encoded));
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
