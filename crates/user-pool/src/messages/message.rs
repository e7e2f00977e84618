//! What is sent to a user, before a template makes it a text.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::crypto::uuid;
use crate::secret::Secret;
use crate::verification::code::{OneTimeCode, Purpose};

/// After this a notice is of no use any more. Each try to send it is over by then.
const NOTICE_LIFETIME: Duration = Duration::from_hours(24);

/// Why somebody gets a message. Each kind has a template (pool §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The e-mail address or telephone number was changed. To the former one.
    AddressChanged,
    /// Somebody tried to sign up with the address of a user. To the user.
    AddressTaken,
    /// A second factor or passkey was added.
    FactorAdded,
    /// A second factor or passkey was removed.
    FactorRemoved,
    /// An administrator has added the user. With a temporary password.
    Invitation,
    /// The password was changed.
    PasswordChanged,
    /// A code to set a new password, which the user has asked for.
    Reset,
    /// The same, which an administrator has sent: the password of before does not sign in any more.
    ResetByAdministrator,
    /// A code for the second step of a sign-in.
    SecondFactor,
    /// A code to sign in without a password.
    SignIn,
    /// A code or link that confirms a sign-up, or a new address of an existing user.
    Verification,
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Medium {
    Email,
    Sms,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub medium: Medium,
    /// An e-mail address, or a telephone number in the form of E.164 (`+4930123456`).
    pub address: String,
}

impl Recipient {
    /// The address as pages show it to somebody who knows the password (pool §4.4), and as commands print it: `f***@e***`, `+*******9934`.
    pub fn masked(&self) -> String {
        let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
        match self.address.rsplit_once('@') {
            Some((local, domain)) => format!("{}***@{}***", first(local), first(domain)),
            None => {
                let length = self.address.chars().count();
                let shown: String = self.address.chars().skip(length.saturating_sub(4)).collect();
                format!("+*******{shown}")
            }
        }
    }
}

/// What a message brings: the placeholder `{####}` of its template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing: a notice.
    Notice,
    /// A code. The message is not sent any more when the code is not valid any more.
    Code(OneTimeCode),
    /// A password that must be changed at the first sign-in.
    TemporaryPassword { password: Secret<String>, expires_at: Timestamp },
}

/// A message to one user. Made before the transaction that enqueues it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Names it in the database, in logs, and in the mail (`Message-ID`).
    pub(super) id: String,
    pub(crate) kind: Kind,
    pub(crate) to: Recipient,
    /// `sub`: if the user is deleted, it is not sent any more. `None` if there is no such user.
    pub(crate) subject: Option<String>,
    /// The placeholder `{username}`.
    pub(crate) username: String,
    /// The tag of a language, as the user or the browser names it, for example `de-AT`. One without texts is replaced by the default.
    pub(crate) language: Option<String>,
    pub(crate) content: Content,
    /// Where the user can go on: the placeholder `{##text##}`. It may contain the code.
    pub(crate) link: Option<Secret<String>>,
}

impl Message {
    /// A message to the user of this name. It has no subject, language and link; set them if there are any.
    pub(crate) fn new(kind: Kind, to: Recipient, username: &str, content: Content) -> Self {
        let username = username.to_owned();
        Self { id: uuid::random(), kind, to, subject: None, username, language: None, content, link: None }
    }

    /// After this it is not sent.
    pub(super) fn expires_at(&self, now: Timestamp) -> Timestamp {
        match &self.content {
            Content::Notice => now + NOTICE_LIFETIME,
            Content::Code(code) => code.expires_at(),
            Content::TemporaryPassword { expires_at, .. } => *expires_at,
        }
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::AddressChanged,
        Self::AddressTaken,
        Self::FactorAdded,
        Self::FactorRemoved,
        Self::Invitation,
        Self::PasswordChanged,
        Self::Reset,
        Self::ResetByAdministrator,
        Self::SecondFactor,
        Self::SignIn,
        Self::Verification,
    ];

    /// As in the database, in the names of templates, in webhooks and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddressChanged => "address-changed",
            Self::AddressTaken => "address-taken",
            Self::FactorAdded => "factor-added",
            Self::FactorRemoved => "factor-removed",
            Self::Invitation => "invitation",
            Self::PasswordChanged => "password-changed",
            Self::Reset => "reset",
            Self::ResetByAdministrator => "reset-by-administrator",
            Self::SecondFactor => "second-factor",
            Self::SignIn => "sign-in",
            Self::Verification => "verification",
        }
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// For how long what it brings is valid. Of a notice: for how long it is of use. `temporary_validity` is that of temporary passwords.
    pub(crate) const fn lifetime(self, temporary_validity: Duration) -> Duration {
        match self {
            Self::Invitation => temporary_validity,
            Self::Reset | Self::ResetByAdministrator => Purpose::Reset.lifetime(),
            Self::SecondFactor => Purpose::SecondFactor.lifetime(),
            Self::SignIn => Purpose::SignIn.lifetime(),
            Self::Verification => Purpose::SignUp.lifetime(),
            Self::AddressChanged
            | Self::AddressTaken
            | Self::FactorAdded
            | Self::FactorRemoved
            | Self::PasswordChanged => NOTICE_LIFETIME,
        }
    }

    /// What its texts have to contain.
    pub(crate) const fn brings(self) -> Brings {
        match self {
            Self::Invitation | Self::Reset | Self::ResetByAdministrator | Self::SecondFactor | Self::SignIn => {
                Brings::Secret
            }
            Self::Verification => Brings::SecretOrLink,
            Self::AddressChanged
            | Self::AddressTaken
            | Self::FactorAdded
            | Self::FactorRemoved
            | Self::PasswordChanged => Brings::Nothing,
        }
    }
}

/// What a message brings, so that a text without it would be of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brings {
    /// It is a notice.
    Nothing,
    /// A code or temporary password.
    Secret,
    /// A code, or a link that has it.
    SecretOrLink,
}

impl Medium {
    /// As in the database, in the names of templates and logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    /// The medium with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Email, Self::Sms].into_iter().find(|medium| medium.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_of_an_address_is_shown() {
        for (address, shown) in [
            ("f@example.com", "f***@e***"),
            ("frieda@example.com", "f***@e***"),
            ("élise@über.example", "é***@ü***"),
            ("\"a@b\"@example.com", "\"***@e***"),
            ("+4930123459934", "+*******9934"),
        ] {
            let to = Recipient { medium: Medium::Email, address: address.to_owned() };
            assert_eq!(to.masked(), shown);
        }
    }
}
