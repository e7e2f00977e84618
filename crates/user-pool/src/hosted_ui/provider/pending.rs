//! A sign-in at a provider, from the redirect to the answer: in a cookie of its own, so that each tab is independent, and strangers make
//! nothing grow. The cookie is also what binds the sign-in to the browser.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::jose::verify::LEEWAY;
use crate::message::cookie;
use crate::oauth::request::AuthorizationRequest;
use crate::oidc;
use crate::seal::{Purpose, Seal};

/// How long a user may be at the provider (pool §9.4).
pub(super) const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// The cookie lives longer: a user who comes back too late is told so, and led on.
const COOKIE_LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Maximum number of sign-ins of one browser at the same time. The oldest ends: a page of another site could have a browser begin any number.
const PER_BROWSER: usize = 5;
/// RFC 6265bis §5.7: browsers ignore a cookie whose name and value are longer.
const COOKIE_BYTES_MAX: usize = 4096;

/// A sign-in that has begun.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The name of the provider.
    pub(super) provider: String,
    pub(super) protocol: oidc::Pending,
    /// `None`: the user returns to the start page.
    pub(super) request: Option<AuthorizationRequest>,
    began_at: u64,
    /// The provider was told to ask the user, also where it has a session: `prompt=login`.
    #[serde(default)]
    must_ask: bool,
}

impl Pending {
    pub(super) fn new(
        provider: &str,
        protocol: oidc::Pending,
        request: Option<AuthorizationRequest>,
        (must_ask, now): (bool, Timestamp),
    ) -> Self {
        Self { provider: provider.to_owned(), protocol, request, began_at: now.seconds(), must_ask }
    }

    /// When the provider has asked the user, in seconds, by `auth_time` of its ID token. One that is yet to come says nothing: in milliseconds, for example, it
    /// would be recent for ever. `is_believed`: a provider that has no `auth_time` has done what it was told.
    pub(super) fn asked_at(&self, auth_time: Option<&Value>, is_believed: bool, now: Timestamp) -> Option<u64> {
        match auth_time {
            // A float that is too large becomes the largest integer.
            Some(at) => {
                let at = at.as_f64().filter(|at| *at >= 0.0).map(|at| at as u64)?;
                (at <= (now + LEEWAY).seconds()).then_some(at)
            }
            None => (self.must_ask && is_believed).then(|| now.seconds()),
        }
    }

    /// Whether the provider was told to ask, and has not.
    pub(super) fn is_ignored(&self, asked_at: Option<u64>) -> bool {
        self.must_ask && asked_at.is_none_or(|at| at.saturating_add(LEEWAY.as_secs()) < self.began_at)
    }

    /// When its answer is too late.
    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.began_at) + LIFETIME
    }
}

/// The name of the cookie of a sign-in. `base` is the part that all of them have.
fn name(base: &str, state: &str) -> String {
    format!("{base}-{}", &URL_SAFE_NO_PAD.encode(octets::sha256(state.as_bytes()))[..11])
}

/// The cookie of a sign-in with this `state`, and those that delete older ones if the browser has too many. `None` if it is too long.
pub(super) fn set(
    base: &str,
    seal: &Seal,
    (state, pending): (&str, &Pending),
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<Vec<HeaderValue>> {
    let (name, value) = (name(base, state), seal.seal(Purpose::ProviderSignIn, pending));
    if name.len() + value.len() > COOKIE_BYTES_MAX {
        return None;
    }
    let mut others: Vec<(&str, Pending)> = all(base, seal, headers).collect();
    others.sort_by_key(|(_, other)| std::cmp::Reverse(other.began_at));
    let is_over = |at: usize, other: &Pending| at + 1 >= PER_BROWSER || other.expires_at() <= now;
    let over = others.iter().enumerate().filter(|(at, (_, other))| is_over(*at, other));
    let deleted = over.map(|(_, (name, _))| cookie::delete(name));
    Some([cookie::set(&name, &value, COOKIE_LIFETIME.as_secs())].into_iter().chain(deleted).collect())
}

/// The sign-in with this `state` that was begun in this browser.
pub(super) fn find(base: &str, seal: &Seal, state: &str, headers: &HeaderMap) -> Option<Pending> {
    let is_its = |pending: &Pending| octets::equal(pending.protocol.state.as_bytes(), state.as_bytes());
    all(base, seal, headers).map(|(_, pending)| pending).find(is_its)
}

/// Deletes the cookie of a sign-in.
pub(super) fn delete(base: &str, state: &str) -> HeaderValue {
    cookie::delete(&name(base, state))
}

fn all<'h>(base: &str, seal: &Seal, headers: &'h HeaderMap) -> impl Iterator<Item = (&'h str, Pending)> {
    let ours = cookie::pairs(headers).filter(move |(name, _)| name.starts_with(base));
    ours.filter_map(|(name, value)| Some((name, seal.open(Purpose::ProviderSignIn, value)?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pending(must_ask: bool) -> Pending {
        let protocol: oidc::Pending = serde_json::from_value(json!({ "state": "s" })).expect("a sign-in");
        Pending::new("corp", protocol, None, (must_ask, Timestamp::from_seconds(1_000)))
    }

    #[track_caller]
    fn check(is_believed: bool, auth_time: Option<Value>, expected: Option<u64>, is_ignored: bool) {
        let asked_at =
            |pending: &Pending| pending.asked_at(auth_time.as_ref(), is_believed, Timestamp::from_seconds(1_100));
        let told = pending(true);
        assert_eq!(asked_at(&told), expected, "{auth_time:?}");
        assert_eq!(told.is_ignored(expected), is_ignored, "{auth_time:?}");
        // Who was not told to ask has ignored nothing, and is not believed to have asked.
        let free = pending(false);
        assert_eq!(asked_at(&free), auth_time.as_ref().and(expected));
        assert!(!free.is_ignored(asked_at(&free)));
    }

    #[test]
    fn the_provider_says_when_it_has_asked() {
        for is_believed in [false, true] {
            check(is_believed, Some(json!(1_000)), Some(1_000), false);
            check(is_believed, Some(json!(1_030.5)), Some(1_030), false);
            // Another clock.
            check(is_believed, Some(json!(940)), Some(940), false);
            check(is_believed, Some(json!(939)), Some(939), true);
            check(is_believed, Some(json!("1000")), None, true);
            check(is_believed, Some(json!(-1)), None, true);
            check(is_believed, Some(json!(1_160)), Some(1_160), false);
            check(is_believed, Some(json!(1_161)), None, true);
            check(is_believed, Some(json!(1_000_000)), None, true);
        }
        check(true, None, Some(1_100), false);
        check(false, None, None, true);
    }
}
