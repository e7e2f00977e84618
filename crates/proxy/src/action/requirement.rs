//! What the claims of a user must be, and whether they are: a pure decision of `authorize`.

use std::fmt;

use serde_json::Value;

use crate::action::certificate_test::{CertificateTest, Met};
use crate::certificate::client::facts::Facts;
use crate::identity::{Claims, GROUPS_ASKED, Identity, has_groups_overage};

/// A requirement on the claims of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// One of them holds.
    Any(Vec<Requirement>),
    /// All of them hold.
    All(Vec<Requirement>),
    /// It is known not to hold.
    Not(Box<Requirement>),
    /// A claim has one of some values.
    Claim(ClaimTest),
    /// A field of the client's certificate has one of some values.
    Certificate(CertificateTest),
}

/// Whom a requirement is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The user who is signed in.
    pub identity: Option<&'a Identity>,
    /// The certificate of the client's connection, if an authority vouches for it.
    pub certificate: Option<&'a Facts>,
}

impl<'a> From<&'a Identity> for Asked<'a> {
    fn from(identity: &'a Identity) -> Self {
        Self { identity: Some(identity), certificate: None }
    }
}

/// A test of one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimTest {
    /// The claim, and the members of objects below it.
    pub path: Vec<String>,
    pub test: Test,
}

/// The claim with the groups of a user, as most providers call it.
pub const GROUPS: &str = "groups";

/// How a claim is compared. Values are compared exactly, with their type; texts with case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// A list has one of these elements; a single value is one of them. A text is never split at commas or blanks.
    Contains(Vec<Scalar>),
    /// A single value is one of these.
    Equals(Vec<Scalar>),
    /// An e-mail address is of one of these domains, in lower case and ASCII (IDNA A-labels). A sub-domain is another domain.
    Domain(Vec<String>),
    /// An e-mail address is one of these, in lower case. Compared without the case of ASCII letters.
    Address(Vec<String>),
}

impl Test {
    /// The values that the claim may have, as far as it may be another claim than `email`. The provider is asked for these groups, if a
    /// token has none. Of other groups nothing is known, so a test that cannot list its groups must answer [`Answer::Unknown`] about
    /// them.
    fn wanted(&self) -> Option<&[Scalar]> {
        match self {
            Self::Contains(wanted) | Self::Equals(wanted) => Some(wanted),
            Self::Domain(_) | Self::Address(_) => None,
        }
    }
}

/// A value that a claim is compared with. `"1"`, `1` and `true` are three different values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    Text(String),
    /// A whole number. A claim that is written with a fraction or an exponent (`1.0`, `1e3`) is none, and never equals one.
    Integer(i64),
    Truth(bool),
}

/// Whether a requirement holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    /// A claim that decides is not known. `not` does not turn this into a yes.
    Unknown(Unknown),
}

/// Why a claim is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The provider did not send it.
    Absent,
    /// It is of a type that the test does not compare.
    Type,
    /// It is a time that has not come yet.
    InTheFuture,
    /// It is an e-mail address that is not verified.
    NotVerified(Unverified),
    /// It is no e-mail address with one reading.
    NotAnAddress,
    /// The client has no certificate that an authority vouches for.
    NoCertificate,
    /// The client's certificate has no name of that kind.
    NoSuchName,
    /// The user is in more groups than the provider puts into a token, so the token has none, or not all.
    GroupsOverage,
}

/// Why an e-mail address is not verified: what `email_verified` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    Absent,
    False,
    /// The text `false`.
    FalseText,
    /// Of another type, or another text.
    Other,
}

/// A part of a requirement, and its answer for one user.
#[derive(Debug)]
pub struct Explained {
    /// How many requirements it is inside of.
    pub depth: usize,
    /// The part in words. What it is made of follows.
    pub part: String,
    pub answer: Answer,
    /// The claim of the user that it looks at, as JSON. `None` if it looks at none, or the claim is absent.
    pub claim: Option<String>,
    /// What else explains the answer.
    pub note: Option<String>,
}

impl Requirement {
    /// Whether a user meets it. Only [`Answer::Yes`] lets the user in.
    pub fn of<'a>(&self, asked: impl Into<Asked<'a>>) -> Answer {
        let asked = asked.into();
        match self {
            Self::Any(parts) => {
                let answers = || parts.iter().map(|part| part.of(asked));
                if answers().any(|answer| answer == Answer::Yes) { Answer::Yes } else { least(answers()) }
            }
            Self::All(parts) => {
                let answers = || parts.iter().map(|part| part.of(asked));
                let holds = !parts.is_empty() && answers().all(|answer| answer == Answer::Yes);
                if holds { Answer::Yes } else { least(answers()) }
            }
            Self::Not(part) => match part.of(asked) {
                Answer::Yes => Answer::No,
                Answer::No => Answer::Yes,
                Answer::Unknown(why) => Answer::Unknown(why),
            },
            Self::Claim(test) => asked.identity.map_or(Answer::Unknown(Unknown::Absent), |identity| test.of(identity)),
            Self::Certificate(test) => match test.of(asked.certificate) {
                Met::Yes => Answer::Yes,
                Met::No => Answer::No,
                Met::NoName => Answer::Unknown(Unknown::NoSuchName),
                Met::NoCertificate => Answer::Unknown(Unknown::NoCertificate),
            },
        }
    }

    /// Whether a part of it looks at the client's certificate.
    pub(crate) fn asks_for_certificate(&self) -> bool {
        self.tests().into_iter().any(|test| matches!(test, Self::Certificate(_)))
    }

    /// Whether a part of it looks at a claim.
    pub(crate) fn asks_for_claims(&self) -> bool {
        self.tests().into_iter().any(|test| matches!(test, Self::Claim(_)))
    }

    /// Each part with its answer, the whole requirement first.
    pub(crate) fn explain<'a>(&self, asked: impl Into<Asked<'a>>) -> Vec<Explained> {
        let mut explained = Vec::new();
        self.explain_at(0, asked.into(), &mut explained);
        explained
    }

    fn explain_at(&self, depth: usize, asked: Asked<'_>, explained: &mut Vec<Explained>) {
        let (part, inner) = match self {
            Self::Any(parts) => ("one of".to_owned(), &parts[..]),
            Self::All(parts) => ("all of".to_owned(), &parts[..]),
            Self::Not(part) => ("not".to_owned(), std::slice::from_ref(&**part)),
            Self::Claim(_) | Self::Certificate(_) => (self.to_string(), &[][..]),
        };
        let answer = self.of(asked);
        let (claim, note) = match (self, asked.identity) {
            (Self::Claim(test), Some(identity)) => {
                let claim = identity.claim(&test.path);
                (claim.as_ref().map(ToString::to_string), test.note(answer, claim.as_deref(), identity))
            }
            _ => (None, self.cause(answer, asked).map(|claim| format!("because of `{claim}`"))),
        };
        explained.push(Explained { depth, part, answer, claim, note });
        inner.iter().for_each(|part| part.explain_at(depth + 1, asked, explained));
    }

    /// The claim because of which the answer is not known.
    fn cause(&self, answer: Answer, asked: Asked<'_>) -> Option<String> {
        let Answer::Unknown(_) = answer else { return None };
        let tests = self.tests();
        let decides = tests.into_iter().find(|test| test.of(asked) == answer)?;
        match decides {
            Self::Claim(test) => Some(test.path.join(".")),
            _ => None,
        }
    }

    /// The tests of claims that keep a user out, each with its answer. Names no claim's value of the user.
    pub(crate) fn unmet<'a>(&self, asked: impl Into<Asked<'a>>) -> Vec<String> {
        let mut unmet = Vec::new();
        self.unmet_at(Answer::Yes, asked.into(), &mut unmet);
        unmet
    }

    /// `wanted` is no below an odd number of `not`.
    fn unmet_at(&self, wanted: Answer, asked: Asked<'_>, unmet: &mut Vec<String>) {
        let answer = self.of(asked);
        if answer == wanted {
            return;
        }
        match self {
            Self::Any(parts) | Self::All(parts) => parts.iter().for_each(|part| part.unmet_at(wanted, asked, unmet)),
            Self::Not(part) => {
                let wanted = if wanted == Answer::Yes { Answer::No } else { Answer::Yes };
                part.unmet_at(wanted, asked, unmet);
            }
            Self::Claim(_) | Self::Certificate(_) => unmet.push(format!("{self}: {answer}")),
        }
    }

    /// The texts that it wants of the claim `groups`.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let wanted = self.tests().into_iter().filter_map(|test| match test {
            Self::Claim(ClaimTest { path, test }) if *path == [GROUPS] => test.wanted(),
            _ => None,
        });
        wanted.flatten().filter_map(|wanted| match wanted {
            Scalar::Text(text) => Some(text.as_str()),
            Scalar::Integer(_) | Scalar::Truth(_) => None,
        })
    }

    /// The tests that it is made of.
    pub fn tests(&self) -> Vec<&Self> {
        match self {
            Self::Any(parts) | Self::All(parts) => parts.iter().flat_map(Self::tests).collect(),
            Self::Not(part) => part.tests(),
            Self::Claim(_) | Self::Certificate(_) => vec![self],
        }
    }
}

/// Unknown if one is unknown, else no. So `not` holds only where every claim below it is known. An overage is the reason that is told,
/// because the operator can do something about it.
fn least(answers: impl Iterator<Item = Answer>) -> Answer {
    answers.fold(Answer::No, |least, answer| match (least, answer) {
        (_, Answer::Unknown(Unknown::GroupsOverage)) | (Answer::No, Answer::Unknown(_)) => answer,
        _ => least,
    })
}

impl ClaimTest {
    /// What explains an answer besides the answer and the claim. For `check`.
    fn note(&self, answer: Answer, claim: Option<&Value>, identity: &Identity) -> Option<String> {
        match (answer, claim) {
            (Answer::Unknown(Unknown::Absent), None) => {
                let known = (1..self.path.len()).rev().find_map(|length| {
                    let value = identity.claim(&self.path[..length])?;
                    Some((length, value.is_object()))
                });
                match known {
                    Some((length, true)) => {
                        Some(format!("`{}` has no member `{}`", self.path[..length].join("."), self.path[length]))
                    }
                    Some((length, false)) => {
                        Some(format!("`{}` is no object, so it has no members", self.path[..length].join(".")))
                    }
                    None => (self.path.len() > 1).then(|| format!("there is no `{}`", self.path[0])),
                }
            }
            (Answer::No | Answer::Unknown(Unknown::Type), Some(Value::String(text)))
                if text.contains(',') && matches!(self.test, Test::Contains(_)) =>
            {
                Some("it is one text; texts are not split at commas".to_owned())
            }
            _ => None,
        }
    }

    fn of(&self, identity: &Identity) -> Answer {
        // What is there may be a part of the groups, and `not` must not take it for all of them.
        if self.path == [GROUPS] && has_groups_overage(identity.claims()) {
            return Answer::Unknown(Unknown::GroupsOverage);
        }
        let Some(value) = identity.claim(&self.path) else { return Answer::Unknown(Unknown::Absent) };
        // Whoever may write any address into a profile could write one of ours.
        if self.path == ["email"]
            && let Err(why) = email_verified(identity.claims())
        {
            return Answer::Unknown(Unknown::NotVerified(why));
        }
        match &self.test {
            Test::Contains(wanted) => self.as_asked(contains(&value, wanted), wanted, identity),
            Test::Equals(wanted) => self.as_asked(equals(&value, wanted), wanted, identity),
            Test::Domain(domains) => {
                in_address(&value, |_, domain| domains.iter().any(|wanted| wanted.eq_ignore_ascii_case(domain)))
            }
            Test::Address(addresses) => {
                in_address(&value, |address, _| addresses.iter().any(|wanted| wanted.eq_ignore_ascii_case(address)))
            }
        }
    }
}

impl ClaimTest {
    /// A no about groups counts only if the provider was asked for all of `wanted`. It was not, if another configuration asked.
    fn as_asked(&self, answer: Answer, wanted: &[Scalar], identity: &Identity) -> Answer {
        let Some(asked) = identity.claims().get(GROUPS_ASKED).filter(|_| self.path == [GROUPS]) else { return answer };
        let is_asked =
            |wanted: &Scalar| asked.as_array().is_some_and(|asked| asked.iter().any(|group| wanted.is(group)));
        let is_known = answer != Answer::No || wanted.iter().all(is_asked);
        if is_known { answer } else { Answer::Unknown(Unknown::GroupsOverage) }
    }
}

/// OIDC Core §5.1 has a boolean; Amazon Cognito's userinfo sends it as text.
fn email_verified(claims: &Claims) -> Result<(), Unverified> {
    match claims.get("email_verified") {
        Some(Value::Bool(true)) => Ok(()),
        Some(Value::String(text)) if text == "true" => Ok(()),
        Some(Value::Bool(false)) => Err(Unverified::False),
        Some(Value::String(text)) if text == "false" => Err(Unverified::FalseText),
        Some(_) => Err(Unverified::Other),
        None => Err(Unverified::Absent),
    }
}

fn contains(value: &Value, wanted: &[Scalar]) -> Answer {
    let Value::Array(elements) = value else { return equals(value, wanted) };
    let answers = || elements.iter().map(|element| equals(element, wanted));
    if answers().any(|answer| answer == Answer::Yes) { Answer::Yes } else { least(answers()) }
}

/// No where the value has the type of one of `wanted`, and is none of them.
fn equals(value: &Value, wanted: &[Scalar]) -> Answer {
    if wanted.iter().any(|wanted| wanted.is(value)) {
        Answer::Yes
    } else if wanted.iter().any(|wanted| wanted.has_type_of(value)) {
        Answer::No
    } else {
        Answer::Unknown(Unknown::Type)
    }
}

impl Scalar {
    fn is(&self, value: &Value) -> bool {
        match self {
            Self::Text(wanted) => value.as_str() == Some(wanted),
            Self::Integer(wanted) => value.as_i64() == Some(*wanted),
            Self::Truth(wanted) => value.as_bool() == Some(*wanted),
        }
    }

    fn has_type_of(&self, value: &Value) -> bool {
        match self {
            Self::Text(_) => value.is_string(),
            Self::Integer(_) => value.is_i64() || value.is_u64(),
            Self::Truth(_) => value.is_boolean(),
        }
    }
}

/// Whether an e-mail address and its domain are what `test` wants.
fn in_address(value: &Value, test: impl FnOnce(&str, &str) -> bool) -> Answer {
    let Some(address) = value.as_str() else { return Answer::Unknown(Unknown::Type) };
    match domain(address) {
        Some(domain) if test(address, domain) => Answer::Yes,
        Some(_) => Answer::No,
        None => Answer::Unknown(Unknown::NotAnAddress),
    }
}

/// The domain of an e-mail address, where the address has one `@` and an ASCII domain. No other form has one reading.
fn domain(address: &str) -> Option<&str> {
    let (local, domain) = address.split_once('@')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_domain = !domain.is_empty() && domain.bytes().all(is_plain) && !domain.ends_with('.');
    (!local.is_empty() && is_domain).then_some(domain)
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes"),
            Self::No => f.write_str("no"),
            Self::Unknown(why) => write!(f, "not known, {why}"),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "the claim is absent",
            Self::Type => "the claim is of another type",
            Self::InTheFuture => "the time is in the future",
            Self::NotVerified(Unverified::Absent) => "`email_verified` is absent",
            Self::NotVerified(Unverified::False) => "`email_verified` is false",
            Self::NotVerified(Unverified::FalseText) => "`email_verified` is the text `false`",
            Self::NotVerified(Unverified::Other) => "`email_verified` is neither true nor false",
            Self::NotAnAddress => "the claim is not an e-mail address",
            Self::NoCertificate => "there is no verified certificate",
            Self::NoSuchName => "the certificate has no such name",
            Self::GroupsOverage => "the user is in too many groups for a token (groups overage of Microsoft Entra)",
        })
    }
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
            Self::Certificate(test) => test.fmt(f),
            Self::Claim(ClaimTest { path, test }) => {
                let claim = path.join(".");
                let scalars = |values: &[Scalar]| one_of(values.iter().map(Scalar::to_string));
                let texts = |values: &[String]| one_of(values.iter().map(|value| format!("`{value}`")));
                match test {
                    Test::Contains(values) => write!(f, "`{claim}` contains {}", scalars(values)),
                    Test::Equals(values) => write!(f, "`{claim}` is {}", scalars(values)),
                    Test::Domain(values) => write!(f, "`{claim}` is a verified address at {}", texts(values)),
                    Test::Address(values) => write!(f, "`{claim}` is the verified address {}", texts(values)),
                }
            }
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Truth(truth) => write!(f, "{truth}"),
        }
    }
}

fn one_of(values: impl Iterator<Item = String>) -> String {
    values.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;
