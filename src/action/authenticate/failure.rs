//! What a provider's failure is to the client.

use crate::drain::Abandoned;
use crate::exchange::rejection::{Reason, Rejection};
use crate::oidc::error::Error;

/// The rejection of a login that the provider, or the way to it, has spoilt.
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
        Error::SubjectMismatch => Reason::AuthSubjectMismatch,
        Error::IssuerMismatch(_) => Reason::AuthIssuerMismatch,
    };
    Rejection::new(reason, error)
}

/// The rejection of work that a shutdown overtook.
pub(super) fn abandoned(error: Abandoned) -> Rejection {
    Rejection::new(Reason::Internal, error)
}
