//! Grants: what a relying party may access for a user, from the code to the last refresh token. Start at [`Grants`].

mod codes;
mod families;
pub(crate) mod record;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::user_pool::rate_limit::{Buckets, Limit};
use crate::user_pool::seal::Seal;

use codes::{Codes, RedeemedCodes};
pub(crate) use families::RefreshToken;
use families::{Families, UsedFamilies};
use record::{Grant, Lifetimes, Pending, Presented, Redeemed, Refused};

/// Limit on token requests of one user at one client. A browser causes one per sign-in and one per refresh.
const TOKENS_PER_USER_AND_CLIENT: Limit = Limit { burst: 120, interval: Duration::from_secs(1) };
/// Maximum number of buckets.
const BUCKETS_MAX: usize = 100_000;

/// Codes and refresh tokens.
#[derive(Debug)]
pub(crate) struct Grants {
    codes: Codes,
    families: Families,
    rates: Arc<Mutex<Buckets>>,
}

/// What is remembered of codes and refresh tokens. A clone is the same memory.
#[derive(Clone, Debug)]
pub(crate) struct GrantMemory {
    codes: Arc<RedeemedCodes>,
    families: Arc<UsedFamilies>,
    rates: Arc<Mutex<Buckets>>,
}

impl Default for GrantMemory {
    fn default() -> Self {
        let rates = Arc::new(Mutex::new(Buckets::new(TOKENS_PER_USER_AND_CLIENT, BUCKETS_MAX)));
        Self { codes: Arc::default(), families: Arc::default(), rates }
    }
}

impl Grants {
    /// Uses `memory`, which other configurations of this process use as well.
    pub(crate) fn new(seal: Seal, lifetimes: Lifetimes, memory: GrantMemory) -> Self {
        let GrantMemory { codes, families, rates } = memory;
        Self { codes: Codes::new(seal.clone(), codes), families: Families::new(seal, lifetimes, families), rates }
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

    /// What a code of this pool is for. It may have expired or been used; it is not used up.
    pub(crate) fn grant_of_code(&self, code: &str) -> Option<Grant> {
        self.codes.open(code).map(|code| code.pending.grant)
    }

    /// Reads a refresh token of this client. It is not used up. `scope` is the requested scope, if the request has one.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) fn open_refresh_token(
        &self,
        token: &str,
        client_id: &str,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Result<RefreshToken, Refused> {
        self.families.open(token, client_id, scope, now)
    }

    /// Uses a refresh token and issues the next one.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) fn refresh(&self, token: RefreshToken, now: Timestamp) -> Result<Redeemed, Refused> {
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
