//! Grants: what a relying party may access for a user, from the code to the last refresh token. Start at [`Grants`].

mod codes;
mod families;
pub(crate) mod record;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::user_pool::rate_limit::{Buckets, Limit};
use crate::user_pool::seal::Seal;

use codes::Codes;
use families::Families;
use record::{Grant, Pending, Presented, Redeemed, Refused};

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
