//! Codes and refresh tokens as encrypted values, for pools without a database (decision 5). This process remembers what was used.

mod codes;
mod families;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::oauth::grant::rates::Rates;
use crate::oauth::grant::record::{Grant, Pending, Presented, Redeemed, Refused};
use crate::oauth::lifetimes::ClientLifetimes;
use crate::seal::Seal;
use crate::secret::Secret;

use codes::{Codes, RedeemedCodes};
pub(crate) use families::RefreshToken;
use families::{Families, UsedFamilies};

/// Encrypted codes and refresh tokens.
#[derive(Debug)]
pub(crate) struct SealedGrants {
    codes: Codes,
    families: Families,
    rates: Rates,
}

/// What is remembered of codes and refresh tokens. A clone is the same memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct GrantMemory {
    codes: Arc<RedeemedCodes>,
    families: Arc<UsedFamilies>,
    pub(super) rates: Rates,
}

impl SealedGrants {
    /// Uses `memory`, which other configurations of this process use as well.
    pub(crate) fn new(seal: Seal, lifetimes: ClientLifetimes, memory: GrantMemory) -> Self {
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

    /// What limits token requests.
    pub(super) fn rates(&self) -> &Rates {
        &self.rates
    }

    fn count(&self, grant: &Grant, now: Timestamp) -> Result<(), Refused> {
        self.rates.count(grant, now)
    }
}

#[cfg(test)]
mod tests;
