//! Refresh tokens. Each is used once and replaced by the next. All tokens that follow from one code are a family.
//!
//! A refresh token is an encrypted value, so it survives a restart, and every replica can read it. It contains its family and
//! its generation: 0 for the first token, one more for each next one. From the first use of a family, this process remembers its
//! current generation. If an older generation is used again, two parties hold the family, and the family is revoked
//! (RFC 9700 §4.14.2, attacks U-09). There are two exceptions:
//!
//! - The previous token is accepted for ten more seconds, for a relying party that sent two requests at once or did not receive
//!   the response.
//! - The first token of a family that this process sees counts as the current one, because another replica, or this one before
//!   a restart, may have issued it. If that token was stolen, the next use by the legitimate client reveals it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::user_pool::oauth::grant::record::{Grant, Redeemed, Refused};
use crate::user_pool::seal::{Purpose, Seal};
use crate::user_pool::shares::{Bounds, Found, Shares};

/// How long the previous token is still accepted.
const GRACE: Duration = Duration::from_secs(10);
/// Maximum number of remembered families, per user and client and in total. If a user has more, the refresh tokens of the oldest
/// family are no longer accepted.
const FAMILIES: Bounds = Bounds { per_owner: 1000, total: 100_000 };

/// The families whose refresh tokens this process has seen.
#[derive(Debug)]
pub(crate) struct Families {
    seal: Seal,
    lifetime: Duration,
    used: Mutex<Shares<Family>>,
}

#[derive(Debug)]
enum Family {
    /// `generation` is the current generation. The previous one was replaced at `replaced_at`.
    Live {
        generation: u64,
        replaced_at: Timestamp,
    },
    Revoked,
}

/// The contents of a refresh token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RefreshToken {
    family: String,
    #[serde(default)]
    generation: u64,
    /// The expiry of the family: the sign-in plus the lifetime. A refresh does not extend it.
    expires_at: u64,
    pub(super) grant: Grant,
}

impl RefreshToken {
    /// The time of birth of the family, derived from its expiry: all families have the same lifetime.
    fn expires_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.expires_at)
    }
}

impl Families {
    pub(crate) fn new(seal: Seal, lifetime: Duration) -> Self {
        Self { seal, lifetime, used: Mutex::new(Shares::new(FAMILIES)) }
    }

    /// Issues the first token of a family. Nothing is remembered until it is used.
    pub(crate) fn begin(&self, family: &str, grant: &Grant, now: Timestamp) -> Secret<String> {
        let expires_at = (now + self.lifetime).seconds();
        self.sealed(&RefreshToken { family: family.to_owned(), generation: 0, expires_at, grant: grant.clone() })
    }

    /// Decrypts a token of this client. `None` if it has expired. Does not use it up.
    pub(crate) fn open(
        &self,
        token: &str,
        client_id: &str,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Result<RefreshToken, Refused> {
        let token: RefreshToken = self.seal.open(Purpose::RefreshToken, token).ok_or(Refused::Invalid)?;
        if token.grant.client_id != client_id || token.expires_at() <= now {
            return Err(Refused::Invalid);
        }
        // Checked before the token is used up, so that a client that requested too much can try again.
        if scope.is_some_and(|scope| !scope.split(' ').all(|scope| token.grant.has(scope))) {
            return Err(Refused::Scope);
        }
        Ok(token)
    }

    /// Uses a token up and issues the next one. `count` is called only if there is a next one. If it refuses, the token is not used up.
    pub(crate) fn rotate(
        &self,
        token: RefreshToken,
        now: Timestamp,
        count: impl FnOnce(&Grant) -> Result<(), Refused>,
    ) -> Result<Redeemed, Refused> {
        let generation = self.next_generation(&token, now, || count(&token.grant))?;
        let next = RefreshToken { generation, ..token };
        let refresh_token = self.sealed(&next);
        Ok(Redeemed { grant: next.grant, nonce: None, family: next.family, refresh_token })
    }

    /// The generation of the token that follows.
    fn next_generation(
        &self,
        token: &RefreshToken,
        now: Timestamp,
        count: impl FnOnce() -> Result<(), Refused>,
    ) -> Result<u64, Refused> {
        let owner = token.grant.owner();
        let next = token.generation.saturating_add(1);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match used.find(&owner, &token.family, token.expires_at(), now) {
            Found::Here(Family::Revoked) | Found::Forgotten => Err(Refused::Invalid),
            Found::Here(Family::Live { generation, replaced_at }) => {
                if token.generation >= *generation {
                    count()?;
                    (*generation, *replaced_at) = (next, now);
                    return Ok(next);
                }
                let is_retry = next == *generation && now.since(*replaced_at) < GRACE;
                if is_retry {
                    count()?;
                    return Ok(*generation);
                }
                self.remember(&mut used, token.expires_at(), (&owner, &token.family), Family::Revoked, now);
                Err(Refused::Reused)
            }
            Found::Never => {
                count()?;
                let family = Family::Live { generation: next, replaced_at: now };
                self.remember(&mut used, token.expires_at(), (&owner, &token.family), family, now);
                Ok(next)
            }
        }
    }

    /// Revokes a family that began at `begun_at` or later, even if this process has not seen it.
    pub(crate) fn revoke(&self, family: &str, grant: &Grant, now: Timestamp) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.remember(&mut used, now + self.lifetime, (&grant.owner(), family), Family::Revoked, now);
    }

    /// Whether a family is revoked.
    pub(crate) fn is_revoked(&self, owner: &(&str, &str), family: &str, now: Timestamp) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // The expiry of the family is not known here. Only entries in the map count, not the floor.
        matches!(used.find(owner, &family, Timestamp::from_seconds(u64::MAX), now), Found::Here(Family::Revoked))
    }

    fn remember(
        &self,
        used: &mut Shares<Family>,
        expires_at: Timestamp,
        (owner, family): (&(&str, &str), &str),
        value: Family,
        now: Timestamp,
    ) {
        used.put(owner, &family, (expires_at, expires_at), value, now);
    }

    fn sealed(&self, token: &RefreshToken) -> Secret<String> {
        Secret::new(self.seal.seal(Purpose::RefreshToken, token))
    }
}
