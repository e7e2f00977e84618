//! A refresh of a session: what it needs, and what comes of it.

use crate::identity::Claims;
use crate::oidc::error::Error;
use crate::oidc::tokens::Tokens;
use crate::oidc::userinfo;
use crate::secret::Secret;

/// The values of a session that a refresh needs. The old claims are not among them, because old and new claims are never mixed.
#[derive(Debug)]
pub struct RefreshRequest {
    pub refresh_token: Secret<String>,
    /// The user of the session. A refresh must not change it.
    pub subject: String,
    /// From [`Login::nonce_hash`](crate::oidc::Login::nonce_hash).
    pub nonce_hash: Option<String>,
}

/// The result of a refresh: new tokens and new claims of the same user.
#[derive(Debug)]
pub struct Refreshed {
    pub subject: String,
    pub claims: RefreshedClaims,
    pub tokens: Tokens,
}

/// The claims of the user after a refresh.
#[derive(Debug, PartialEq, Eq)]
pub enum RefreshedClaims {
    /// All claims of the ID token and of userinfo, as at a sign-in. They replace the claims of the session completely, because a
    /// claim that is missing was removed by the provider.
    New(Claims),
    /// There are no new claims, or some of them could not be fetched. The claims of the session stay unchanged.
    NotKnown,
}

/// The claims of one source after a refresh.
#[derive(Debug)]
pub(super) enum SourceClaims {
    Claims(Claims),
    /// The source has no claims: the response has no ID token, or userinfo is not used.
    None,
    /// The source has claims, but they could not be fetched or verified now.
    Unavailable,
}

impl From<SourceClaims> for RefreshedClaims {
    fn from(claims: SourceClaims) -> Self {
        match claims {
            SourceClaims::Claims(claims) => Self::New(claims),
            SourceClaims::None | SourceClaims::Unavailable => Self::NotKnown,
        }
    }
}

/// Returns `Unavailable` for errors that do not end a session.
pub(super) fn source_claims(result: Result<Option<Claims>, Error>) -> Result<SourceClaims, Error> {
    match result {
        Ok(Some(claims)) => Ok(SourceClaims::Claims(claims)),
        Ok(None) => Ok(SourceClaims::None),
        Err(error) if error.is_transient() => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                error,
                "a session has new tokens, but its claims could not be asked for and stay as they were"
            );
            Ok(SourceClaims::Unavailable)
        }
        Err(error) => Err(error),
    }
}

/// The claims of the user after a refresh: all new claims and no old ones.
pub(super) fn new_claims(from_token: SourceClaims, from_userinfo: SourceClaims) -> RefreshedClaims {
    match (from_token, from_userinfo) {
        (SourceClaims::Unavailable, _) | (_, SourceClaims::Unavailable) | (SourceClaims::None, SourceClaims::None) => {
            RefreshedClaims::NotKnown
        }
        (SourceClaims::Claims(claims), SourceClaims::None) | (SourceClaims::None, SourceClaims::Claims(claims)) => {
            RefreshedClaims::New(userinfo::merge(claims, Claims::new()))
        }
        (SourceClaims::Claims(claims), SourceClaims::Claims(more)) => {
            RefreshedClaims::New(userinfo::merge(claims, more))
        }
    }
}
