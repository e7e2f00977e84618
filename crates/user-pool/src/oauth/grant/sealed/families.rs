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

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::oauth::grant::record::{Grant, Redeemed, Refused};
use crate::oauth::lifetimes::ClientLifetimes;
use crate::retention::Retention;
use crate::seal::{Purpose, Seal};
use crate::secret::Secret;
use crate::shares::{Bounds, Found, Shares};

/// How long the previous token is still accepted.
const GRACE: Duration = Duration::from_secs(10);
/// Maximum number of remembered families, per user and client and in total. If a user has more, the refresh tokens of the oldest
/// family are no longer accepted.
const FAMILIES: Bounds = Bounds { per_owner: 1000, total: 100_000 };

/// Issues, replaces and revokes refresh tokens.
#[derive(Debug)]
pub(crate) struct Families {
    seal: Seal,
    lifetimes: ClientLifetimes,
    used: Arc<UsedFamilies>,
}

/// The families whose refresh tokens this process has seen.
#[derive(Debug)]
pub(crate) struct UsedFamilies {
    families: Mutex<Shares<Family>>,
    /// How long a revoked family is remembered: as long as a refresh or access token of it can be valid.
    retention: Retention,
}

impl Default for UsedFamilies {
    fn default() -> Self {
        Self { families: Mutex::new(Shares::new(FAMILIES)), retention: Retention::default() }
    }
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
    /// The expiry of the family by the lifetime at its beginning. A refresh does not extend it.
    expires_at: u64,
    /// When the family began.
    begun_at: u64,
    grant: Grant,
}

impl RefreshToken {
    /// What it is for.
    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }

    /// When it expires.
    pub(crate) fn expires_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.expires_at)
    }

    /// Orders the families of an owner. It does not depend on a lifetime, which can change.
    fn born(&self) -> Timestamp {
        Timestamp::from_seconds(self.begun_at)
    }

    /// Whether the token has expired. A lifetime that has become shorter applies to tokens that were issued before. One that has
    /// become longer does not.
    fn is_over(&self, lifetime: Duration, now: Timestamp) -> bool {
        self.expires_at() <= now || self.born() + lifetime <= now
    }
}

impl Families {
    pub(crate) fn new(seal: Seal, lifetimes: ClientLifetimes, used: Arc<UsedFamilies>) -> Self {
        used.retention.cover(lifetimes.longest());
        Self { seal, lifetimes, used }
    }

    /// Issues the first token of a family. Nothing is remembered until it is used.
    pub(crate) fn begin(&self, family: &str, grant: &Grant, now: Timestamp) -> Secret<String> {
        self.sealed(&RefreshToken {
            family: family.to_owned(),
            generation: 0,
            expires_at: (now + self.lifetimes.of(&grant.client_id).refresh).seconds(),
            begun_at: now.seconds(),
            grant: grant.clone(),
        })
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
        if token.grant.client_id != client_id || token.is_over(self.lifetimes.of(client_id).refresh, now) {
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
        let family = (&owner, &*token.family);
        let mut used = self.used.families.lock().unwrap_or_else(PoisonError::into_inner);
        match used.find(&owner, &token.family, token.born(), now) {
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
                let until = token.expires_at().max(now + self.used.retention.duration());
                remember(&mut used, family, (token.born(), until), Family::Revoked, now);
                Err(Refused::Reused)
            }
            Found::Never => {
                count()?;
                let live = Family::Live { generation: next, replaced_at: now };
                remember(&mut used, family, (token.born(), token.expires_at()), live, now);
                Ok(next)
            }
        }
    }

    /// Revokes a family that has begun, even if this process has not seen it.
    pub(crate) fn revoke(&self, family: &str, grant: &Grant, now: Timestamp) {
        let mut used = self.used.families.lock().unwrap_or_else(PoisonError::into_inner);
        let until = now + self.used.retention.duration();
        remember(&mut used, (&grant.owner(), family), (now, until), Family::Revoked, now);
    }

    /// Whether a family is revoked.
    pub(crate) fn is_revoked(&self, owner: &(&str, &str), family: &str, now: Timestamp) -> bool {
        let mut used = self.used.families.lock().unwrap_or_else(PoisonError::into_inner);
        // The beginning of the family is not known here. Only entries in the map count, not the floor.
        matches!(used.find(owner, &family, Timestamp::from_seconds(u64::MAX), now), Found::Here(Family::Revoked))
    }

    fn sealed(&self, token: &RefreshToken) -> Secret<String> {
        Secret::new(self.seal.seal(Purpose::RefreshToken, token))
    }
}

/// Remembers a family of this owner from its birth until all its tokens have expired.
fn remember(
    used: &mut Shares<Family>,
    (owner, family): (&(&str, &str), &str),
    life: (Timestamp, Timestamp),
    value: Family,
    now: Timestamp,
) {
    used.put(owner, &family, life, value, now);
}
