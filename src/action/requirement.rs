//! What the claims of a user must be, and whether they are: a pure decision of `authorize`.

use std::fmt;

use serde_json::Value;

use crate::identity::{Claims, Identity};

/// A requirement on the claims of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// One of them holds.
    Any(Vec<Requirement>),
    /// All of them hold.
    All(Vec<Requirement>),
    /// It is known not to hold.
    Not(Box<Requirement>),
    /// A claim has one of some values.
    Claim(ClaimTest),
}

/// A test of one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimTest {
    /// The claim, and the members of objects below it.
    pub(crate) path: Vec<String>,
    pub(crate) test: Test,
}

/// How a claim is compared. Values are compared exactly, with case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// A list has one of these elements; a text is one of them. A text is never split at commas or blanks.
    Contains(Vec<String>),
    /// A text is one of these.
    Equals(Vec<String>),
    /// An e-mail address is of one of these domains, in lower case and ASCII (IDNA A-labels). A sub-domain is another domain.
    Domain(Vec<String>),
}

/// Whether a requirement holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    /// A claim that decides is absent, of another type, or not verified. `not` does not turn this into a yes.
    Unknown,
}

impl Requirement {
    /// Whether a user meets it. Only [`Answer::Yes`] lets the user in.
    pub(crate) fn of(&self, identity: &Identity) -> Answer {
        match self {
            Self::Any(parts) => {
                let answers = || parts.iter().map(|part| part.of(identity));
                if answers().any(|answer| answer == Answer::Yes) { Answer::Yes } else { least(answers()) }
            }
            Self::All(parts) => {
                let answers = || parts.iter().map(|part| part.of(identity));
                let holds = !parts.is_empty() && answers().all(|answer| answer == Answer::Yes);
                if holds { Answer::Yes } else { least(answers()) }
            }
            Self::Not(part) => match part.of(identity) {
                Answer::Yes => Answer::No,
                Answer::No => Answer::Yes,
                Answer::Unknown => Answer::Unknown,
            },
            Self::Claim(test) => test.of(identity),
        }
    }
}

/// Unknown if one is unknown, else no. So `not` holds only where every claim below it is known.
fn least(mut answers: impl Iterator<Item = Answer>) -> Answer {
    if answers.any(|answer| answer == Answer::Unknown) { Answer::Unknown } else { Answer::No }
}

impl ClaimTest {
    fn of(&self, identity: &Identity) -> Answer {
        let Some(value) = identity.claim(&self.path) else { return Answer::Unknown };
        // Whoever may write any address into a profile could write one of ours.
        if self.path == ["email"] && !is_email_verified(identity.claims()) {
            return Answer::Unknown;
        }
        match &self.test {
            Test::Contains(wanted) => contains(&value, wanted),
            Test::Equals(wanted) => value.as_str().map_or(Answer::Unknown, |text| is_one(text, wanted)),
            Test::Domain(domains) => value.as_str().and_then(domain).map_or(Answer::Unknown, |domain| {
                let is_ours = domains.iter().any(|ours| ours.eq_ignore_ascii_case(domain));
                if is_ours { Answer::Yes } else { Answer::No }
            }),
        }
    }
}

/// OIDC Core §5.1 has a boolean; Amazon Cognito's userinfo sends it as text.
fn is_email_verified(claims: &Claims) -> bool {
    match claims.get("email_verified") {
        Some(Value::Bool(is_verified)) => *is_verified,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}

fn contains(value: &Value, wanted: &[String]) -> Answer {
    match value {
        Value::String(text) => is_one(text, wanted),
        Value::Array(elements) => {
            let texts = || elements.iter().filter_map(Value::as_str);
            if texts().any(|text| is_one(text, wanted) == Answer::Yes) {
                Answer::Yes
            } else if elements.iter().all(Value::is_string) {
                Answer::No
            } else {
                Answer::Unknown
            }
        }
        _ => Answer::Unknown,
    }
}

fn is_one(text: &str, wanted: &[String]) -> Answer {
    if wanted.iter().any(|wanted| wanted == text) { Answer::Yes } else { Answer::No }
}

/// The domain of an e-mail address, where the address has one `@` and an ASCII domain. No other form has one reading.
fn domain(address: &str) -> Option<&str> {
    let (local, domain) = address.split_once('@')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_domain = !domain.is_empty() && domain.bytes().all(is_plain) && !domain.ends_with('.');
    (!local.is_empty() && is_domain).then_some(domain)
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Requirement], word: &str| {
            for (place, part) in parts.iter().enumerate() {
                if place > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Requirement::Any(inner) | Requirement::All(inner) if inner.len() > 1 => write!(f, "({part})")?,
                    _ => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::Any(parts) => joined(f, parts, "or"),
            Self::All(parts) => joined(f, parts, "and"),
            Self::Not(part) => write!(f, "not ({part})"),
            Self::Claim(ClaimTest { path, test }) => {
                let claim = path.join(".");
                match test {
                    Test::Contains(values) => write!(f, "`{claim}` contains {}", list(values)),
                    Test::Equals(values) => write!(f, "`{claim}` is {}", list(values)),
                    Test::Domain(values) => write!(f, "`{claim}` is a verified address at {}", list(values)),
                }
            }
        }
    }
}

fn list(values: &[String]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;
