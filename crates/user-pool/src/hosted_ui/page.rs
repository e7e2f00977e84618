//! What a page of the pool says about a form. `page/texts/` has the words.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::page::{Sentence, Text};

/// Why the sign-in page is shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// A field was empty.
    Incomplete,
    /// The user name or the password is wrong. The page does not say which (attacks U-01).
    Wrong,
    /// Too many attempts; seconds to wait.
    TooMany(u64),
    /// Too many users at once; seconds to wait.
    Busy(u64),
    /// The user was disabled.
    Disabled,
    /// The field for a code was empty.
    NoCode,
    /// The code is wrong, or was used before.
    WrongCode,
    /// The code was typed wrong too often. It takes another one.
    TooManyTries,
    /// There is no code: it has expired, was used, or was replaced.
    CodeExpired,
    /// The answer of the authenticator is refused.
    PasskeyRefused,
    /// The user has as many passkeys as a user may have.
    TooManyPasskeys,
    /// Another provider was told to ask the user, and does not say that it has.
    NotAsked,
}

impl Notice {
    /// The status, if the page is the response to the form itself.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Incomplete | Self::NoCode => StatusCode::BAD_REQUEST,
            Self::Wrong | Self::WrongCode | Self::TooManyTries | Self::CodeExpired | Self::PasskeyRefused => {
                StatusCode::UNAUTHORIZED
            }
            Self::TooMany(_) | Self::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Disabled | Self::TooManyPasskeys | Self::NotAsked => StatusCode::FORBIDDEN,
        }
    }

    /// How many seconds to wait.
    pub(crate) const fn wait(self) -> Option<u64> {
        match self {
            Self::TooMany(seconds) | Self::Busy(seconds) => Some(seconds),
            Self::Incomplete
            | Self::Wrong
            | Self::Disabled
            | Self::NoCode
            | Self::WrongCode
            | Self::TooManyTries
            | Self::CodeExpired
            | Self::PasskeyRefused
            | Self::TooManyPasskeys
            | Self::NotAsked => None,
        }
    }

    /// The sentence above the form.
    pub(crate) fn alert(self) -> Sentence {
        match self {
            Self::Incomplete => Text::SignInIncomplete.into(),
            Self::Wrong => Text::SignInWrongPassword.into(),
            Self::TooMany(seconds) => wait(Text::SignInTooManyAttempts, seconds),
            Self::Busy(seconds) => wait(Text::SignInBusy, seconds),
            Self::Disabled => Text::SignInDisabled.into(),
            Self::NoCode => Text::MfaNoCode.into(),
            Self::WrongCode => Text::MfaWrongCode.into(),
            Self::TooManyTries => Text::CodeTooManyTries.into(),
            Self::CodeExpired => Text::CodeExpired.into(),
            Self::PasskeyRefused => Text::PasskeyRefused.into(),
            Self::TooManyPasskeys => Text::PasskeyTooMany.into(),
            Self::NotAsked => Text::AccountNotAsked.into(),
        }
    }
}

fn wait(text: Text, seconds: u64) -> Sentence {
    Sentence::from(text).words("wait", Sentence::duration(seconds))
}

/// Why a form is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refused {
    /// The form comes from another site or browser, or the cookie is missing.
    Foreign,
    /// The sign-in page is too old.
    Expired,
    /// The question whether to sign out is too old.
    QuestionExpired,
    /// The question whether a program may act as the user is too old.
    ConfirmationExpired,
    /// The form of the account comes from another site, browser, session or page, or the cookie is missing.
    AccountForeign,
    /// The page of the account is too old.
    AccountExpired,
}
