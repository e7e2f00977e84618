//! What a scalar means, and environment variables in it.

use crate::config::document::source::Environment;
use crate::config::document::tree::Value;

/// Why `${…}` could not be replaced.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Nothing of that name in the environment.
    #[error("the environment variable `{0}` is not set")]
    NotSet(String),
    /// Not `${NAME}`.
    #[error("`${{{0}` does not name an environment variable")]
    NotAName(String),
}

impl Error {
    /// What helps.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NotSet(_) => "set it, or write `$${` where `${` itself is meant",
            Self::NotAName(_) => "write `${NAME}` with letters, digits and `_`, or `$${` where `${` itself is meant",
        }
    }
}

/// Puts environment variables in; `None` where the text has none. `$${` is `${`.
pub(crate) fn substitute(text: &str, environment: &Environment) -> Result<Option<String>, Error> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut full = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            full.push_str(before);
            full.push_str("${");
            rest = after;
            continue;
        }
        full.push_str(before);
        let (name, after) = match after.split_once('}') {
            Some((name, after)) if is_name(name) => (name, after),
            Some((name, _)) => return Err(Error::NotAName(format!("{name}}}"))),
            None => return Err(Error::NotAName(after.to_owned())),
        };
        full.push_str(&environment.get(name).ok_or_else(|| Error::NotSet(name.to_owned()))?);
        rest = after;
    }
    full.push_str(rest);
    Ok(Some(full))
}

fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

/// The core schema (YAML 1.2.2 §10.3.2): `true` is a truth value, `yes`, `no` and `on` are text.
pub(crate) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Some(number) = integer(text) {
        return Value::Integer(number);
    }
    let looks_like_a_number = text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse::<f64>() {
        Ok(number) if looks_like_a_number => Value::Float(number),
        _ => Value::String(text.to_owned()),
    }
}

/// A whole number, in the three bases of the core schema.
pub(crate) fn integer(text: &str) -> Option<i64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with(['+', '-']));
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with(['+', '-']));
    }
    text.parse().ok()
}
