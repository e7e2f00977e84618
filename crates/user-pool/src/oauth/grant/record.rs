//! What a code or refresh token stands for, what is presented with it, and why it is refused.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::crypto::octets;
use crate::database;
use crate::oauth::claims_request::RequestedClaims;
use crate::secret::Secret;
use crate::signin::proof::Proofs;
use crate::signin::sso::Key;

/// The grant of a user to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) subject: String,
    /// Granted scopes, separated by spaces.
    pub(crate) scope: String,
    /// The audience of its access tokens (RFC 8707). `None`: the userinfo endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<String>,
    /// When the user typed the password, in seconds.
    pub(crate) auth_time: u64,
    /// What the user has proved then.
    #[serde(default = "Proofs::of_before")]
    pub(crate) proofs: Proofs,
    /// The single-sign-on session in which the grant was created.
    pub(crate) session_id: String,
    /// The fingerprint of the password. After a password change the grant is no longer valid.
    pub(crate) fingerprint: String,
    /// Claims that were asked for by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<RequestedClaims>,
}

impl Grant {
    /// Whether a scope was granted.
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|granted| granted == scope)
    }

    /// The single-sign-on session in which the grant was created.
    pub(crate) fn session(&self) -> Key<'_> {
        Key { subject: &self.subject, id: &self.session_id, auth_time: self.auth_time }
    }

    /// When the user was asked, in seconds, if that was not at [`auth_time`](Self::auth_time): another provider may have asked before. 0: nobody knows.
    pub(crate) fn asked_before(&self) -> Option<u64> {
        let asked_at = self.proofs.asked_at(self.auth_time).unwrap_or_default();
        (asked_at != self.auth_time).then_some(asked_at)
    }

    /// The owner of the grant's entries in bounded maps: the user at this client.
    pub(crate) fn owner(&self) -> (&str, &str) {
        (&self.subject, &self.client_id)
    }
}

/// What a code grants, and what it is bound to (attacks U-08).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    /// `None` if the client did not use PKCE.
    pub(crate) code_challenge: Option<String>,
    pub(crate) nonce: Option<String>,
}

impl Pending {
    /// Whether a token request is by the client that asked for the code.
    pub(super) fn fits(&self, presented: &Presented<'_>) -> bool {
        self.grant.client_id == presented.client_id
            && self.redirect_uri == presented.redirect_uri
            && fits_verifier(self.code_challenge.as_deref(), presented.code_verifier)
    }
}

/// RFC 7636 §4.6. A verifier without a challenge is refused as well: the challenge may have been taken out of the request
/// (RFC 9700 §4.8.2, "PKCE downgrade").
fn fits_verifier(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (Some(challenge), Some(verifier)) => {
            let expected = URL_SAFE_NO_PAD.encode(octets::sha256(verifier.as_bytes()));
            octets::equal(expected.as_bytes(), challenge.as_bytes())
        }
        (None, None) => true,
        _ => false,
    }
}

/// The parameters of a token request that redeems a code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    pub(crate) code: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) code_verifier: Option<&'a str>,
}

/// A grant for which tokens may be issued once.
#[derive(Debug)]
pub(crate) struct Redeemed {
    pub(crate) grant: Grant,
    /// Present only for a code (OIDC Core §12.2).
    pub(crate) nonce: Option<String>,
    /// Identifies everything that was issued for one code. A family is revoked as a whole.
    pub(crate) family: String,
    pub(crate) refresh_token: Secret<String>,
}

/// Why a code or refresh token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Unknown, evicted, expired, or presented with parameters that do not match.
    #[error("the code or refresh token is not valid")]
    Invalid,
    /// Used a second time, so someone else may have it. The whole family is revoked.
    #[error("the code or refresh token was used before")]
    Reused,
    /// The request asks for more than was granted (RFC 6749 §6).
    #[error("more is asked for than was granted")]
    Scope,
    /// Too many token requests for one user at one client. The code or token was not used up.
    #[error("too many token requests")]
    TooMany(Duration),
}

/// Why nothing is issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The client is refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The database fails. Nothing was used up.
    #[error("the database fails")]
    Database(#[from] database::Error),
}

/// What has become of a refresh token that was to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    Done,
    /// It is none, or has expired.
    Unknown,
    OfAnother,
}

/// How it is with a family.
#[derive(Debug)]
pub(crate) enum Standing {
    Revoked,
    /// It is not known to be revoked. What it is for stands in its tokens.
    NotRevoked,
    Alive(Box<Grant>),
}
