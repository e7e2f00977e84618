//! Why nobody is signed in who was at another provider.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::oidc::error::Error;

/// Why a sign-in at a provider has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// The answer is that of no sign-in of this browser: it was begun in another one, or the cookie is missing.
    Foreign,
    /// The answer came too late, or the sign-in was begun under other settings.
    Expired,
    /// The sign-in has ended before.
    Used,
    /// The authorization request of the application is too long to be kept in a cookie.
    TooLong,
    /// Too many sign-ins from this address; seconds to wait.
    TooMany(u64),
    /// The user has cancelled at the provider, or the provider does not let the user in (`access_denied`).
    Denied,
    /// The provider has answered with another error, or refuses us.
    ProviderError,
    /// The provider does not answer.
    Unavailable,
    /// What the provider says of the user cannot be believed: a signature, an issuer, an audience or a nonce is wrong, for example.
    Invalid,
    /// An administrator has disabled the user.
    Disabled,
    /// The provider does not say what the pool requires of each user.
    Incomplete,
}

/// `Retry-After` in seconds while a provider does not answer.
const UNAVAILABLE_FOR: u64 = 30;

impl Refusal {
    /// Each of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::Foreign,
        Self::Expired,
        Self::Used,
        Self::TooLong,
        Self::TooMany(0),
        Self::Denied,
        Self::ProviderError,
        Self::Unavailable,
        Self::Invalid,
        Self::Disabled,
        Self::Incomplete,
    ];

    /// The reason code.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Foreign => "provider.foreign",
            Self::Expired => "provider.expired",
            Self::Used => "provider.used",
            Self::TooLong => "provider.request_too_long",
            Self::TooMany(_) => "provider.too_many_attempts",
            Self::Denied => "provider.denied",
            Self::ProviderError => "provider.error",
            Self::Unavailable => "provider.unavailable",
            Self::Invalid => "provider.answer_invalid",
            Self::Disabled => "provider.user_disabled",
            Self::Incomplete => "provider.attribute_missing",
        }
    }

    /// The status of the page.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Foreign | Self::Expired | Self::Used | Self::Denied | Self::Disabled | Self::Incomplete => {
                StatusCode::FORBIDDEN
            }
            Self::TooLong => StatusCode::BAD_REQUEST,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::ProviderError | Self::Invalid => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// After how many seconds another try may succeed.
    pub(crate) const fn wait(self) -> Option<u64> {
        match self {
            Self::TooMany(seconds) => Some(seconds),
            Self::Unavailable => Some(UNAVAILABLE_FOR),
            _ => None,
        }
    }

    /// Of the `error` that a provider answers with (RFC 6749 §4.1.2.1).
    pub(crate) fn answered(error: &str) -> Self {
        match error {
            "access_denied" => Self::Denied,
            "temporarily_unavailable" => Self::Unavailable,
            _ => Self::ProviderError,
        }
    }
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        match error {
            Error::SettingsChanged => Self::Expired,
            // The code was redeemed before, or has expired meanwhile.
            Error::CodeRejected => Self::Used,
            Error::TokenRefused { status, .. } if status.is_server_error() => Self::Unavailable,
            Error::UserinfoRefused(status) | Error::GroupsRefused { status } if status.is_server_error() => {
                Self::Unavailable
            }
            Error::ProviderUnavailable(_)
            | Error::TokenUnreachable(_)
            | Error::KeysUnavailable(_)
            | Error::UserinfoUnreachable(_)
            | Error::GroupsUnreachable(_) => Self::Unavailable,
            Error::ReservedParameter
            | Error::TokenRefused { .. }
            | Error::UserinfoRefused(_)
            | Error::GroupsRefused { .. } => Self::ProviderError,
            Error::TokenResponse(_)
            | Error::IdToken(_)
            | Error::UserinfoInvalid(_)
            | Error::GroupsInvalid(_)
            | Error::SubjectMismatch
            | Error::IssuerMismatch(_) => Self::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_list_of_reasons_with_its_status() {
        let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/REASONS.md");
        let list = std::fs::read_to_string(list).expect("the list");
        for refusal in Refusal::ALL {
            let row = format!("\n| `{}` | {} | ", refusal.code(), refusal.status().as_u16());
            assert!(list.contains(&row), "{row}");
        }
    }
}
