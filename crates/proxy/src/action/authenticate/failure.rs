//! Translates errors of a provider into rejections.

use crate::drain::Abandoned;
use crate::exchange::rejection::{Reason, Rejection};
use crate::oidc::error::Error;

/// The rejection of a sign-in that failed because of the provider or the network.
pub(super) fn rejection(error: Error) -> Rejection {
    let reason = match &error {
        Error::ProviderUnavailable(_) => Reason::AuthProviderUnavailable,
        Error::ReservedParameter => Reason::Internal,
        Error::SettingsChanged => Reason::AuthLoginExpired,
        Error::TokenUnreachable(_) => Reason::AuthTokenUnreachable,
        Error::TokenRefused { .. } => Reason::AuthTokenRefused,
        Error::CodeRejected => Reason::AuthCodeRejected,
        Error::TokenResponse(_) => Reason::AuthTokenResponse,
        Error::IdToken(_) => Reason::AuthIdToken,
        Error::KeysUnavailable(_) => Reason::AuthKeysUnavailable,
        Error::UserinfoUnreachable(_) => Reason::AuthUserinfoUnreachable,
        Error::UserinfoRefused(_) => Reason::AuthUserinfoRefused,
        Error::UserinfoInvalid(_) => Reason::AuthUserinfoInvalid,
        Error::GroupsUnreachable(_) | Error::GroupsRefused { .. } | Error::GroupsInvalid(_) => {
            Reason::AuthGroupsUnavailable
        }
        Error::SubjectMismatch => Reason::AuthSubjectMismatch,
        Error::IssuerMismatch(_) => Reason::AuthIssuerMismatch,
    };
    Rejection::new(reason, error)
}

/// The rejection of work that a shutdown cancelled.
pub(super) fn abandoned(error: Abandoned) -> Rejection {
    Rejection::new(Reason::Internal, error)
}
