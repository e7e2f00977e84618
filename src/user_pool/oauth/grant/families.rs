//! Refresh tokens: each is used once and brings the next; the tokens that came of one code are a family.
//!
//! A refresh token is a sealed value, so that it survives a restart and every replica can read it. It holds its family and its
//! generation: 0 for the first token, one more for each next one. This process remembers nothing of a family until it is used,
//! and then the highest generation that it has refused or replaced: an older one that comes again says that two hold the
//! family, and the family is revoked (RFC 9700 §4.14.2, attacks U-09). Two exceptions:
//!
//! - the token before the current one is taken for ten seconds more, for a relying party that asked twice at once or did not
//!   hear the answer;
//! - the first token of a family that this process sees is taken for the current one, because another replica, or this one
//!   before a restart, may have issued it. If it was the stolen one, the rightful holder's next use shows it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::user_pool::oauth::grant::{Grant, Redeemed, Refused};
use crate::user_pool::seal::{Purpose, Seal};
use crate::user_pool::shares::{Bounds, Found, Shares};

/// How long the token before the current one is still taken.
const GRACE: Duration = Duration::from_secs(10);
/// Used and revoked families that are remembered, for each user at each client and in all. A user who uses more loses the
/// refresh tokens of the oldest.
const FAMILIES: Bounds = Bounds { per_owner: 1000, total: 100_000 };

/// Every family whose refresh token this process has seen.
#[derive(Debug)]
pub(crate) struct Families {
    seal: Seal,
    lifetime: Duration,
    used: Mutex<Shares<Family>>,
}

#[derive(Debug)]
enum Family {
    /// `generation` is the current one, and the one before was replaced at `replaced_at`.
    Live {
        generation: u64,
        replaced_at: Timestamp,
    },
    Revoked,
}

/// What is sealed in a refresh token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RefreshToken {
    family: String,
    #[serde(default)]
    generation: u64,
    /// Of the family: the sign-in plus the lifetime, whatever was refreshed since.
    expires_at: u64,
    pub(super) grant: Grant,
}

impl RefreshToken {
    /// A family is as old as its end says: all live equally long.
    fn expires_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.expires_at)
    }
}

impl Families {
    pub(crate) fn new(seal: Seal, lifetime: Duration) -> Self {
        Self { seal, lifetime, used: Mutex::new(Shares::new(FAMILIES)) }
    }

    /// The first token of a family. Nothing is remembered of it until it is used.
    pub(crate) fn begin(&self, family: &str, grant: &Grant, now: Timestamp) -> Secret<String> {
        let expires_at = (now + self.lifetime).seconds();
        self.sealed(&RefreshToken { family: family.to_owned(), generation: 0, expires_at, grant: grant.clone() })
    }

    /// Reads a token of this client that has not expired. It is not used up.
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
        // Before the token is used up: a client that asked for too much may ask again.
        if scope.is_some_and(|scope| !scope.split(' ').all(|scope| token.grant.has(scope))) {
            return Err(Refused::Scope);
        }
        Ok(token)
    }

    /// Uses a token up, and gives the next one. `count` is asked only where there is a next one; what it refuses is not used up.
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

    /// Ends a family that began at `begun_at` or later, also one that this process has not seen.
    pub(crate) fn revoke(&self, family: &str, grant: &Grant, now: Timestamp) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.remember(&mut used, now + self.lifetime, (&grant.owner(), family), Family::Revoked, now);
    }

    /// Whether everything of a family is worth nothing any more.
    pub(crate) fn is_revoked(&self, owner: &(&str, &str), family: &str, now: Timestamp) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // The family's end is not known here, and no floor reaches so far: only what is in the map counts.
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
