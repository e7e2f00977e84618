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

    /// Whether the provider has asked the user since this sign-in began, by `auth_time` of its ID token. One that does not say `auth_time` is believed to
    /// have done what it was told.
    pub(super) fn has_asked(&self, auth_time: Option<&Value>) -> bool {
        let earliest = Duration::from_secs(self.began_at).saturating_sub(LEEWAY).as_secs_f64();
        auth_time.map_or(self.must_ask, |at| at.as_f64().is_some_and(|at| at >= earliest))
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

    #[track_caller]
    fn check(must_ask: bool, auth_time: Option<Value>, has_asked: bool) {
        let protocol: oidc::Pending = serde_json::from_value(json!({ "state": "s" })).expect("a sign-in");
        let pending = Pending::new("corp", protocol, None, (must_ask, Timestamp::from_seconds(1_000)));
        assert_eq!(pending.has_asked(auth_time.as_ref()), has_asked, "{must_ask} {auth_time:?}");
    }

    #[test]
    fn the_provider_says_whether_it_has_asked() {
        for must_ask in [false, true] {
            check(must_ask, Some(json!(1_000)), true);
            check(must_ask, Some(json!(1_030.5)), true);
            // Another clock.
            check(must_ask, Some(json!(940)), true);
            check(must_ask, Some(json!(939)), false);
            check(must_ask, Some(json!("1000")), false);
            check(must_ask, None, must_ask);
        }
    }
}
