//! What a scalar means, and environment variables in it.

use std::collections::BTreeMap;

use crate::config::document::tree::Value;

/// The source of `${NAME}`.
#[derive(Debug)]
pub(crate) enum Environment {
    /// The environment of this process.
    Process,
    /// These variables.
    Given(BTreeMap<String, String>),
}

impl Environment {
    /// The value of a variable. `None` if it is not set or not valid UTF-8.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the place where the environment is read")]
            Self::Process => std::env::var(name).ok(),
            Self::Given(variables) => variables.get(name).cloned(),
        }
    }
}

/// Why `${…}` could not be replaced.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Nothing of that name in the environment.
    #[error("the environment variable `{0}` is not set")]
    Unset(String),
    /// The same, within other text. The text may be a secret that happens to contain `${`, so that nothing of it is named.
    #[error("this text names an environment variable that is not set")]
    UnsetWithin,
    /// Not `${NAME}`.
    #[error("`${{` is not followed by the name of an environment variable and `}}`")]
    NoName,
}

impl Error {
    /// What helps.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Unset(_) | Self::UnsetWithin => "set it, or write `$${` where `${` itself is meant",
            Self::NoName => "write `${NAME}` with letters, digits and `_`, or `$${` where `${` itself is meant",
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
        let (name, after) = after.split_once('}').filter(|(name, _)| is_name(name)).ok_or(Error::NoName)?;
        let value = environment.get(name);
        full.push_str(
            &value.ok_or_else(|| only_variable(text).map_or(Error::UnsetWithin, |_| Error::Unset(name.to_owned())))?,
        );
        rest = after;
    }
    full.push_str(rest);
    Ok(Some(full))
}

/// The name, if the text is `${NAME}` and nothing else. It names a value and does not contain it.
pub(crate) fn only_variable(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}').filter(|name| is_name(name))
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
