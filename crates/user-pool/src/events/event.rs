//! An event of the sign-in log.

use crate::clock::Timestamp;
use crate::crypto::uuid;
use crate::database::Error;
use crate::seen::Seen;

/// What a user has done. The first five have the names of pool §11.7, the others are our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    SignIn,
    SignUp,
    ForgotPassword,
    PasswordChange,
    ResendCode,
    /// The user has changed attributes or an address.
    AttributeChange,
    /// A second factor was added or removed.
    FactorChange,
    SignOut,
    /// An administrator or the user has ended sessions.
    SessionsEnded,
    /// A code or refresh token was used twice, so what was issued from it has ended.
    TokenReuse,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    Pass,
    Fail,
    /// Something else has to follow: a second factor, a code that was sent, a new password.
    InProgress,
}

/// What was asked of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Password,
    /// A second factor, or a passkey.
    Mfa,
    /// A code that was written down, in place of a second factor.
    RecoveryCode,
    /// A code that was sent.
    SentCode,
    /// To sign in at another provider.
    Provider,
}

/// Why an event failed that was not only a wrong answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The password is right, and an administrator has disabled the user.
    Disabled,
    /// Too many answers were wrong before: this one was not looked at.
    TooMany,
}

/// Who has sent a request, and for which app client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub seen: Seen,
    /// `None`: no app client has sent the user here.
    pub client: Option<String>,
}

/// One event. Made before its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub(crate) id: String,
    /// `sub`. Empty: a name was given that nobody has.
    pub subject: String,
    pub kind: Kind,
    pub(crate) response: Response,
    /// What was asked, and whether the answer was right.
    pub(crate) challenges: Vec<(Challenge, bool)>,
    pub(crate) reason: Option<Reason>,
    pub visit: Visit,
    pub at: Timestamp,
}

impl Visit {
    /// Of what comes from no request: commands.
    pub fn none() -> Self {
        Self { seen: Seen { address: String::new(), agent: String::new() }, client: None }
    }
}

impl Event {
    /// An event with a new id, without challenges. `None` as the `subject` is a name that nobody has.
    pub(crate) fn new(subject: Option<&str>, (kind, response): (Kind, Response), visit: Visit, at: Timestamp) -> Self {
        let subject = subject.unwrap_or_default().to_owned();
        Self { id: uuid::random(), subject, kind, response, challenges: Vec::new(), reason: None, visit, at }
    }

    /// The same, after these answers.
    pub(crate) fn after(self, challenges: Vec<(Challenge, bool)>) -> Self {
        Self { challenges, ..self }
    }

    /// How it went, in words: `Fail: Password right, Mfa wrong`.
    pub fn outcome(&self) -> String {
        let one = |(challenge, is_right): &(Challenge, bool)| {
            format!("{} {}", challenge.as_str(), if *is_right { "right" } else { "wrong" })
        };
        let mut why: Vec<String> = self.challenges.iter().map(one).collect();
        why.extend(self.reason.map(|reason| reason.as_str().to_owned()));
        let response = self.response.as_str();
        if why.is_empty() { response.to_owned() } else { format!("{response}: {}", why.join(", ")) }
    }

    /// The same, for this reason.
    pub(crate) fn because(self, reason: Reason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Whether anybody can cause such an event who knows no secret of the user. Such events must not take the place of others.
    pub(crate) fn is_by_anybody(&self) -> bool {
        let is_begun_by_anybody = matches!(self.kind, Kind::SignUp | Kind::ForgotPassword | Kind::ResendCode);
        self.response == Response::Fail || (is_begun_by_anybody && self.response == Response::InProgress)
    }
}

/// The texts of a closed set, as in the database and in the output of commands.
macro_rules! texts {
    ($seen:vis $set:ident, $what:literal: $($variant:ident)*) => {
        impl $set {
            $seen const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }
        }

        impl std::str::FromStr for $set {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                match text {
                    $(stringify!($variant) => Ok(Self::$variant),)*
                    _ => Err(Error::Malformed($what)),
                }
            }
        }
    };
}

texts!(pub Kind, "kind of event":
    SignIn SignUp ForgotPassword PasswordChange ResendCode AttributeChange FactorChange SignOut SessionsEnded TokenReuse);
texts!(pub(crate) Response, "outcome of an event": Pass Fail InProgress);
texts!(pub(crate) Challenge, "challenge of an event": Password Mfa RecoveryCode SentCode Provider);
texts!(pub(crate) Reason, "reason of an event": Disabled TooMany);
