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

/// What follows the base name of the session's cookies.
const NAME: &str = "login-rounds";

/// The number under one cookie name.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    base: Arc<str>,
    kept: Duration,
}

impl Rounds {
    /// For sessions under this name that live for `timeout`: one that ends so soon is not taken for one that was lost.
    pub(crate) fn new(base: Arc<str>, timeout: Duration) -> Self {
        Self { base, kept: KEPT.min(timeout / 2).max(Duration::from_secs(1)) }
    }

    /// Logins that have just finished in this browser, one after the other.
    pub(crate) fn read(&self, headers: &HeaderMap) -> u8 {
        let numbers = shards::named(headers, self.base.as_bytes()).filter(|(rest, _)| is_rounds(rest));
        let digit = |value: &[u8]| match value {
            [digit @ b'0'..=b'9'] => digit - b'0',
            _ => 0,
        };
        numbers.map(|(_, value)| digit(value)).max().unwrap_or(0)
    }

    /// The `Set-Cookie` line after a login that was the `rounds`th.
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

/// Whether `base-<rest>` names the number. Compared without case, as the whole name is.
pub(super) fn is_rounds(rest: &[u8]) -> bool {
    rest.eq_ignore_ascii_case(NAME.as_bytes())
}
