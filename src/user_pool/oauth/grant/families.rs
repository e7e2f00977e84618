//! Refresh tokens: each is used once and brings the next; the tokens that came of one code are a family.
//!
//! A refresh token is a sealed value, so that it survives a restart. What is kept in memory is which token of a family is
//! the current one: an older one that comes again says that two hold the family, and the family is revoked (RFC 9700
//! §4.14.2, attacks U-09). Two exceptions:
//!
//! - the token before the current one is taken for ten seconds more, for a relying party that asked twice at once or did not
//!   hear the answer;
//! - after a restart the first token of a family that comes is taken for the current one, where it was made before the start.
//!   If it was the stolen one, the rightful holder's next use shows it.
//!
//! A family that was made since the start and is not remembered has been pushed out by newer ones, and is refused.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::random;
use crate::secret::Secret;
use crate::user_pool::oauth::grant::{Grant, Redeemed, Refused};
use crate::user_pool::seal::{Purpose, Seal};

/// How long the token before the current one is still taken.
const GRACE: Duration = Duration::from_secs(10);
/// Families at once; beyond, the oldest are forgotten, and so end.
const FAMILIES_MAX: usize = 100_000;

/// Every family that this process has seen.
#[derive(Debug)]
pub(crate) struct Families {
    seal: Seal,
    lifetime: Duration,
    started_at: Timestamp,
    state: Mutex<State>,
}

/// `order` holds the keys of `by_id` from the oldest to the newest.
#[derive(Debug, Default)]
struct State {
    by_id: HashMap<String, Family>,
    order: VecDeque<String>,
}

#[derive(Debug)]
enum Family {
    Live { current: String, previous: Option<(String, Timestamp)> },
    Revoked,
}

/// What is sealed in a refresh token.
#[derive(Debug, Serialize, Deserialize)]
struct RefreshToken {
    id: String,
    family: String,
    made_at_ms: u64,
    /// Of the family: the sign-in plus the lifetime, whatever was refreshed since.
    expires_at: u64,
    grant: Grant,
}

impl Families {
    pub(crate) fn new(seal: Seal, lifetime: Duration, started_at: Timestamp) -> Self {
        Self { seal, lifetime, started_at, state: Mutex::default() }
    }

    /// Begins a family with its first token.
    pub(crate) fn begin(&self, family: &str, grant: &Grant, now: Timestamp) -> Secret<String> {
        let id = random::token();
        self.remember(family, Family::Live { current: id.clone(), previous: None });
        let expires_at = (now + self.lifetime).seconds();
        self.sealed(&RefreshToken {
            id,
            family: family.to_owned(),
            made_at_ms: now.millis(),
            expires_at,
            grant: grant.clone(),
        })
    }

    /// Takes a token and gives the next one.
    pub(crate) fn refresh(
        &self,
        token: &str,
        client_id: &str,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Result<Redeemed, Refused> {
        let token: RefreshToken = self.seal.open(Purpose::RefreshToken, token).ok_or(Refused::Invalid)?;
        if token.grant.client_id != client_id || token.expires_at <= now.seconds() {
            return Err(Refused::Invalid);
        }
        // Before the token is used up: a client that asked for too much may ask again.
        if scope.is_some_and(|scope| !scope.split(' ').all(|scope| token.grant.has(scope))) {
            return Err(Refused::Scope);
        }
        let id = self.rotate(&token, now)?;
        let next = RefreshToken { id, made_at_ms: now.millis(), ..token };
        let refresh_token = self.sealed(&next);
        Ok(Redeemed { grant: next.grant, nonce: None, family: next.family, refresh_token })
    }

    /// The id of the token that follows.
    fn rotate(&self, token: &RefreshToken, now: Timestamp) -> Result<String, Refused> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let next = random::token();
        let Some(family) = state.by_id.get_mut(&token.family) else {
            if token.made_at_ms >= self.started_at.millis() {
                return Err(Refused::Invalid);
            }
            let family = Family::Live { current: next.clone(), previous: Some((token.id.clone(), now)) };
            state.remember(&token.family, family);
            return Ok(next);
        };
        let Family::Live { current, previous } = family else { return Err(Refused::Invalid) };
        if *current == token.id {
            *previous = Some((std::mem::replace(current, next.clone()), now));
            return Ok(next);
        }
        let is_retry = previous.as_ref().is_some_and(|(id, at)| *id == token.id && now.since(*at) < GRACE);
        if is_retry {
            return Ok(current.clone());
        }
        *family = Family::Revoked;
        Err(Refused::Reused)
    }

    /// Ends a family, also one that this process has not seen.
    pub(crate) fn revoke(&self, family: &str) {
        self.remember(family, Family::Revoked);
    }

    pub(crate) fn is_revoked(&self, family: &str) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(state.by_id.get(family), Some(Family::Revoked))
    }

    fn remember(&self, id: &str, family: Family) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).remember(id, family);
    }

    fn sealed(&self, token: &RefreshToken) -> Secret<String> {
        Secret::new(self.seal.seal(Purpose::RefreshToken, token))
    }
}

impl State {
    fn remember(&mut self, id: &str, family: Family) {
        if self.by_id.insert(id.to_owned(), family).is_none() {
            self.order.push_back(id.to_owned());
        }
        if self.order.len() > FAMILIES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }
}
