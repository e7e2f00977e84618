//! What travels through the form while someone reads it. Sealed, so that nothing is kept here and every tab has its own.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::compare;
use crate::user_pool::seal::{Purpose, Seal};

/// How long a form may be looked at: as long as the login at the relying party may take (ALB §2.4).
pub(crate) const FORM_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// A form's hidden value. It is the form's CSRF token too: it opens only beside the cookie it was made for (attacks U-11).
#[derive(Debug, Serialize, Deserialize)]
struct Carried<T> {
    value: T,
    browser: String,
    made_at: u64,
}

/// Why a form is not taken, and what it carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused<T> {
    /// Not made by us.
    Foreign,
    /// Made for another browser, or this one did not send its cookie.
    OtherBrowser(T),
    /// Made too long ago.
    Expired(T),
}

/// Seals `value` into a form for the browser that holds the cookie `browser`.
pub(crate) fn carry(seal: &Seal, purpose: Purpose, value: impl Serialize, browser: &str, now: Timestamp) -> String {
    seal.seal(purpose, &Carried { value, browser: browser.to_owned(), made_at: now.seconds() })
}

/// Reads what [`carry`] sealed, from the browser that holds the cookie `browser`.
///
/// # Errors
///
/// See [`Refused`].
pub(crate) fn receive<T: DeserializeOwned>(
    seal: &Seal,
    purpose: Purpose,
    text: &str,
    browser: Option<&str>,
    now: Timestamp,
) -> Result<T, Refused<T>> {
    let carried: Carried<T> = seal.open(purpose, text).ok_or(Refused::Foreign)?;
    // First: the cookie ends as well, and "expired" is what helps then.
    if now.since(Timestamp::from_seconds(carried.made_at)) > FORM_LIFETIME {
        return Err(Refused::Expired(carried.value));
    }
    if !browser.is_some_and(|browser| compare::equal(carried.browser.as_bytes(), browser.as_bytes())) {
        return Err(Refused::OtherBrowser(carried.value));
    }
    Ok(carried.value)
}
