//! Grants: what a relying party may access for a user, from the code to the last refresh token. Start at [`Grants`].

mod codes;
mod families;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::user_pool::rate_limit::{Buckets, Limit};
use crate::user_pool::seal::Seal;
use crate::user_pool::signin::sso::Key;

use codes::Codes;
use families::Families;

/// The grant of a user to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) subject: String,
    /// Granted scopes, separated by spaces.
    pub(crate) scope: String,
    /// When the user typed the password, in seconds.
    pub(crate) auth_time: u64,
    /// The single-sign-on session in which the grant was created.
    pub(crate) session_id: String,
    /// The fingerprint of the password. After a password change the grant is no longer valid.
    pub(crate) fingerprint: String,
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

/// Limit on token requests of one user at one client. A browser causes one per sign-in and one per refresh.
const TOKENS_PER_USER_AND_CLIENT: Limit = Limit { burst: 120, interval: Duration::from_secs(1) };
/// Maximum number of buckets.
const BUCKETS_MAX: usize = 100_000;

/// Codes and refresh tokens.
#[derive(Debug)]
pub(crate) struct Grants {
    codes: Codes,
    families: Families,
    rates: Mutex<Buckets>,
}

impl Grants {
    /// Creates an empty store.
    pub(crate) fn new(seal: Seal, refresh_lifetime: Duration) -> Self {
        let rates = Mutex::new(Buckets::new(TOKENS_PER_USER_AND_CLIENT, BUCKETS_MAX));
        Self { codes: Codes::new(seal.clone()), families: Families::new(seal, refresh_lifetime), rates }
    }

    /// Issues a code.
    pub(crate) fn issue(&self, pending: Pending, now: Timestamp) -> Secret<String> {
        self.codes.issue(pending, now)
    }

    /// Redeems a code. Works once.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) fn redeem(&self, presented: &Presented<'_>, now: Timestamp) -> Result<Redeemed, Refused> {
        let code = self.codes.open(presented.code).ok_or(Refused::Invalid)?;
        let count = |grant: &Grant| self.count(grant, now);
        match self.codes.take(code, presented, now, count)? {
            codes::Taken::Pending { pending, family } => {
                let refresh_token = self.families.begin(&family, &pending.grant, now);
                Ok(Redeemed { grant: pending.grant, nonce: pending.nonce, family, refresh_token })
            }
            codes::Taken::Before { family, pending } => {
                // RFC 6749 §4.1.2.
                self.families.revoke(&family, &pending.grant, now);
                Err(Refused::Reused)
            }
            codes::Taken::Nothing => Err(Refused::Invalid),
        }
    }

    /// Uses a refresh token and issues the next one. `scope` is the requested scope, if the request has one.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) fn refresh(
        &self,
        token: &str,
        client_id: &str,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Result<Redeemed, Refused> {
        let token = self.families.open(token, client_id, scope, now)?;
        self.families.rotate(token, now, |grant| self.count(grant, now))
    }

    /// Whether a family is revoked. `owner` is [`Grant::owner`].
    pub(crate) fn is_revoked(&self, owner: (&str, &str), family: &str, now: Timestamp) -> bool {
        self.families.is_revoked(&owner, family, now)
    }

    /// Counts a request that is about to be given tokens. One that is not is not counted: whoever has found a code or refresh token
    /// that is worth nothing any more could use up the requests of its user.
    fn count(&self, grant: &Grant, now: Timestamp) -> Result<(), Refused> {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let key = rates.key(&grant.owner());
        let wait = rates.wait(key, now);
        if !wait.is_zero() {
            return Err(Refused::TooMany(wait));
        }
        rates.take(key, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
