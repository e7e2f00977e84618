//! Lines of JSON: what `users export --all` writes, or another system.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::directory::group::Group;
use crate::directory::status::Status;
use crate::import::row::{Fault, Item, Row};
use crate::secret::Secret;

/// A line as it is written. Only `username`, or `group`, has to be there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    username: Option<String>,
    sub: Option<String>,
    status: Option<String>,
    enabled: Option<bool>,
    #[serde(default)]
    attributes: BTreeMap<String, Text>,
    #[serde(default)]
    groups: Vec<String>,
    password_hash: Option<String>,
    /// Milliseconds since the Unix epoch.
    temporary_until: Option<u64>,
    created_at: Option<u64>,
    group: Option<String>,
    description: Option<String>,
    precedence: Option<u32>,
}

/// Some systems write `email_verified` as a boolean, and numbers as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    String(String),
    Boolean(bool),
    Number(serde_json::Number),
}

impl Text {
    fn into_text(self) -> String {
        match self {
            Self::String(text) => text,
            Self::Boolean(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// Reads a line.
///
/// # Errors
///
/// See [`Fault`].
pub(crate) fn item(line: &str) -> Result<Item, Fault> {
    // The message of the parser has a position, and may have a piece of the line. It must not have a hash.
    let line: Line = serde_json::from_str(line).map_err(|error| {
        Fault::NotJson(format!("{:?} error at column {}", error.classify(), error.column()).to_lowercase())
    })?;
    if let Some(name) = line.group {
        let precedence = line.precedence.map(i64::from);
        return Ok(Item::Group(Group { name, description: line.description, precedence }));
    }
    let username = line.username.filter(|name| !name.trim().is_empty()).ok_or(Fault::Missing("username"))?;
    let expected = "a status, such as CONFIRMED";
    let status = line.status.map(|status| status.parse::<Status>()).transpose();
    Ok(Item::User(Box::new(Row {
        subject: line.sub,
        attributes: line.attributes.into_iter().map(|(name, value)| (name, value.into_text())).collect(),
        groups: line.groups,
        password_hash: line.password_hash.map(Secret::new),
        status: status.map_err(|_| Fault::Form { name: "status".into(), expected })?,
        is_enabled: line.enabled.unwrap_or(true),
        temporary_until: line.temporary_until.map(Timestamp::from_millis),
        created_at: line.created_at.map(Timestamp::from_millis),
        ..Row::named(username)
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_user_or_a_group() {
        let line = r#"{"username":"Ada","sub":"s-1","status":"CONFIRMED","enabled":false,"attributes":{"email":"a@b.example","email_verified":true,
            "custom:n":7},"groups":["ops"],"password_hash":"$2b$x","created_at":5000}"#;
        let Ok(Item::User(row)) = item(line) else { panic!("a user") };
        assert_eq!((&*row.username, row.subject.as_deref(), row.is_enabled), ("Ada", Some("s-1"), false));
        let attributes: Vec<_> = row.attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(attributes, [("custom:n", "7"), ("email", "a@b.example"), ("email_verified", "true")]);
        assert_eq!(row.created_at, Some(Timestamp::from_seconds(5)));
        assert!(
            matches!(item(r#"{"group":"ops","precedence":1}"#), Ok(Item::Group(group)) if group.precedence == Some(1))
        );
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_without_its_contents() {
        for line in
            ["", "{", "[]", r#"{"username":1}"#, r#"{"username":"a","hash":"geheim"}"#, r#"{"password_hash":"geheim"}"#]
        {
            let fault = item(line).expect_err(line).to_string();
            assert!(!fault.contains("geheim"), "{fault}");
        }
        assert_eq!(item("{}").expect_err("no name"), Fault::Missing("username"));
        assert!(matches!(item(r#"{"username":"a","status":"x"}"#), Err(Fault::Form { .. })));
    }
}
