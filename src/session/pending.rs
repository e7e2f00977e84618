//! Logins on their way: one sealed cookie for each attempt, so that several tabs can sign in at once (pitfalls 1).
//!
//! The cookie's name carries a short hash of `state`, its value the time of issue (only to choose which to drop) and the
//! seal. The time that counts is inside the seal.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::aead::Key;
use crate::crypto::{compare, digest};
use crate::message::cookie;
use crate::session::error::Error;
use crate::session::sealed::{self, Purpose, Scope};
use crate::session::{settings, shards};

/// From the redirect to the callback (spec §2.4).
pub(crate) const LOGIN_WINDOW: Duration = Duration::from_secs(15 * 60);

/// Logins that one browser may have on their way; the oldest makes room (attacks D-17).
pub(crate) const LOGINS_MAX: usize = 6;

/// Cookies of old attempts that one answer deletes at most.
const DELETIONS_MAX: usize = 16;

/// Stands between the base name and the tag.
const LOGIN: &str = "login";

/// Characters of a [`tag`].
const TAG_LENGTH: usize = 8;

/// Pending logins under one cookie name.
#[derive(Clone, Debug)]
pub(crate) struct PendingLogins {
    keys: Arc<[Key]>,
    base: Arc<str>,
    prefix: String,
}

/// A pending login that was found.
#[derive(Debug)]
pub(crate) struct Found<T> {
    /// What was kept.
    pub(crate) login: T,
    /// Whether it is within its window.
    pub(crate) is_expired: bool,
}

#[derive(Serialize, Deserialize)]
struct Kept<T> {
    state: String,
    issued_at: u64,
    login: T,
}

impl PendingLogins {
    /// Pending logins in cookies named `base-login-…`.
    pub(crate) fn new(settings: &settings::Settings, base: Arc<str>) -> Self {
        Self { keys: Arc::clone(&settings.keys), prefix: format!("{base}-{LOGIN}"), base }
    }

    /// The `Set-Cookie` lines that keep `login` until the callback with `state`, and delete those that are too many.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] where it does not fit into one cookie.
    pub(crate) fn save<T: Serialize>(
        &self,
        host: &str,
        state: &str,
        login: T,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Vec<HeaderValue>, Error> {
        let kept = Kept { state: state.to_owned(), issued_at: now.millis(), login };
        let sealed = sealed::seal(&self.keys, &self.scope(host), &kept)?;
        let value = format!("{}.{sealed}", now.seconds());
        let line = cookie::set(&self.name(state), &value, LOGIN_WINDOW.as_secs());
        if line.len() > shards::LINE_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let mut lines = vec![line];
        lines.extend(self.surplus(headers, now).iter().map(|name| cookie::delete(name)));
        Ok(lines)
    }

    /// Finds the login that was begun with `state` in this browser, at this host.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where there is none, or two that claim to be it.
    pub(crate) fn find<T: DeserializeOwned>(
        &self,
        host: &str,
        state: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Found<T>, Error> {
        let tag = tag(state);
        let mut named = shards::named(headers, self.prefix.as_bytes()).filter(|(rest, _)| *rest == tag.as_bytes());
        let (Some((_, value)), None) = (named.next(), named.next()) else { return Err(Error::Invalid) };
        let dot = memchr::memchr(b'.', value).ok_or(Error::Invalid)?;
        let kept: Kept<T> = sealed::open(&self.keys, &self.scope(host), &value[dot + 1..])?;
        if !compare::equal(kept.state.as_bytes(), state.as_bytes()) {
            return Err(Error::Invalid);
        }
        let is_expired = now.since(Timestamp::from_millis(kept.issued_at)) > LOGIN_WINDOW;
        Ok(Found { login: kept.login, is_expired })
    }

    /// The `Set-Cookie` line that ends the login of `state`, finished or not.
    pub(crate) fn delete(&self, state: &str) -> HeaderValue {
        cookie::delete(&self.name(state))
    }

    /// Names of old attempts: those whose time is over, and the oldest beyond what may stay beside a new one.
    fn surplus(&self, headers: &HeaderMap, now: Timestamp) -> Vec<String> {
        let mut others: Vec<(u64, &[u8])> = shards::named(headers, self.prefix.as_bytes())
            .filter(|(rest, _)| !rest.is_empty() && rest.iter().all(|byte| is_tag_byte(*byte)))
            .map(|(rest, value)| (issued_at_seconds(value), rest))
            .collect();
        others.sort_unstable_by_key(|(issued_at, _)| std::cmp::Reverse(*issued_at));
        let oldest = (now - LOGIN_WINDOW).seconds();
        let stays = others.iter().take(LOGINS_MAX - 1).take_while(|(issued_at, _)| *issued_at >= oldest).count();
        let surplus = others[stays..].iter().take(DELETIONS_MAX);
        surplus.map(|(_, rest)| format!("{}-{}", self.prefix, String::from_utf8_lossy(rest))).collect()
    }

    fn name(&self, state: &str) -> String {
        format!("{}-{}", self.prefix, tag(state))
    }

    fn scope<'a>(&'a self, host: &'a str) -> Scope<'a> {
        Scope { purpose: Purpose::PendingLogin, name: &self.base, host }
    }
}

/// Whether `base-<rest>` names a pending login.
pub(super) fn is_login(rest: &[u8]) -> bool {
    // Compared without case, as the whole name is.
    let Some((login, tag)) = rest.split_at_checked(LOGIN.len()) else { return false };
    let tag = tag.strip_prefix(b"-").unwrap_or_default();
    login.eq_ignore_ascii_case(LOGIN.as_bytes()) && tag.len() == TAG_LENGTH && tag.iter().copied().all(is_tag_byte)
}

/// Eight characters that tell one attempt's cookie from another's. Not a proof: the seal holds the whole state.
fn tag(state: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest::sha256(state.as_bytes())[..6])
}

const fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// What the value says of its age; what says nothing is older than everything.
fn issued_at_seconds(value: &[u8]) -> u64 {
    let digits = value.split(|byte| *byte == b'.').next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
