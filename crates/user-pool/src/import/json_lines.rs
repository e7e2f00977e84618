//! Lines of JSON: what `users export --all` writes, or another system.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::directory::group::Group;
use crate::directory::status::Status;
use crate::import::row::{Fault, Item, Row};
use crate::secret::Secret;

/// Letters of the name of a member that a report repeats.
const MEMBER_MAX: usize = 64;

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

/// What the parser says may have a piece of the line, which must not be a hash. So it is said anew, with the name of a member at most.
fn fault(error: &serde_json::Error) -> Fault {
    let said = error.to_string();
    let unknown = said.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    match unknown {
        Some(name) => {
            Fault::NoSuchMember(name.chars().filter(|letter| !letter.is_control()).take(MEMBER_MAX).collect())
        }
        None if error.is_data() => Fault::OtherKind(error.column()),
        None => Fault::NotJson(error.column()),
    }
}

/// Reads a line.
///
/// # Errors
///
/// See [`Fault`].
pub(crate) fn item(line: &str) -> Result<Item, Fault> {
    let line: Line = serde_json::from_str(line).map_err(|error| fault(&error))?;
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
    fn a_report_says_what_is_wrong_and_repeats_no_value() {
        let fault = |line: &str| match item(line) {
            Err(fault) => fault,
            Ok(_) => panic!("{line}"),
        };
        assert_eq!(fault(r#"{"username":"a","email":"a@b.example"}"#), Fault::NoSuchMember("email".into()));
        assert_eq!(fault(r#"{"username":"a","password":"hunter2"}"#), Fault::NoSuchMember("password".into()));
        assert_eq!(fault(r#"{"username":"a","groups":"hunter2"}"#), Fault::OtherKind(34));
        assert_eq!(fault(r#"{"username":"a""#), Fault::NotJson(15));
        let long = format!(r#"{{"{}\u0007":1}}"#, "x".repeat(200));
        assert_eq!(fault(&long), Fault::NoSuchMember("x".repeat(64)));
    }

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
