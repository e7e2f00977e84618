//! Counts logins that follow each other at once, so that a browser that does not return its session cookie is not redirected forever
//! (pitfalls 6).
//!
//! A finished login leaves a number in a cookie that the browser drops after a minute. The next login that begins by itself
//! continues from it. The number is not encrypted: a user who changes it affects only the logins of that browser.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::message::cookie;
use crate::session::shards;

/// Number of successive logins after which no login begins automatically.
pub(crate) const ROUNDS_MAX: u8 = 3;

/// How long the browser keeps the number. The browser's clock counts, because our clock may be wrong.
const KEPT: Duration = Duration::from_secs(60);

/// The part of the cookie's name after the base name of the session cookies.
const NAME: &str = "login-rounds";

/// Reads and writes the number for one base name of session cookies.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    base: Arc<str>,
    kept: Duration,
}

impl Rounds {
    /// For sessions with the base name `base` and the session timeout `timeout`. The browser keeps the number for at most
    /// half of a short timeout, so an expired session does not count as a cookie that the browser did not return.
    pub(crate) fn new(base: Arc<str>, timeout: Duration) -> Self {
        Self { base, kept: KEPT.min(timeout / 2).max(Duration::from_secs(1)) }
    }

    /// The number of successive logins that have just finished in this browser.
    pub(crate) fn read(&self, headers: &HeaderMap) -> u8 {
        let numbers = shards::named(headers, self.base.as_bytes()).filter(|(rest, _)| is_rounds(rest));
        let digit = |value: &[u8]| match value {
            [digit @ b'0'..=b'9'] => digit - b'0',
            _ => 0,
        };
        numbers.map(|(_, value)| digit(value)).max().unwrap_or(0)
    }

    /// The `Set-Cookie` line that stores the number `rounds` after a login.
    pub(crate) fn set(&self, rounds: u8) -> HeaderValue {
        cookie::set(&self.name(), &rounds.min(9).to_string(), self.kept.as_secs())
    }

    /// The `Set-Cookie` line that resets the number.
    pub(crate) fn delete(&self) -> HeaderValue {
        cookie::delete(&self.name())
    }

    fn name(&self) -> String {
        format!("{}-{NAME}", self.base)
    }
}

/// Whether `base-<rest>` is the name of this cookie. The comparison ignores case, as it does for the whole name.
pub(super) fn is_rounds(rest: &[u8]) -> bool {
    rest.eq_ignore_ascii_case(NAME.as_bytes())
}
