//! What travels through the form while someone reads it. Sealed, so that nothing is kept here and every tab has its own.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::compare;
use crate::user_pool::seal::{Purpose, Seal};

/// How long a form may be looked at: as long as the login at the relying party may take (spec §2.4).
pub(crate) const FORM_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// A form's hidden value. It is the form's CSRF token too: it opens only beside the cookie it was made for (attacks U-11).
#[derive(Debug, Serialize, Deserialize)]
struct Carried<T> {
    value: T,
    browser: String,
    made_at: u64,
}

/// Why a form is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Not made by us, or for another browser.
    #[error("the form is not one that this browser was given")]
    Foreign,
    /// Made too long ago.
    #[error("the form was open for too long")]
    Expired,
}

/// Seals `value` into a form for the browser that holds the cookie `browser`.
pub(crate) fn carry(seal: &Seal, purpose: Purpose, value: impl Serialize, browser: &str, now: Timestamp) -> String {
    seal.seal(purpose, &Carried { value, browser: browser.to_owned(), made_at: now.seconds() })
}

/// Reads what [`carry`] sealed, from the browser that holds the cookie `browser`.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn receive<T: DeserializeOwned>(
    seal: &Seal,
    purpose: Purpose,
    text: &str,
    browser: Option<&str>,
    now: Timestamp,
) -> Result<T, Error> {
    let carried: Carried<T> = seal.open(purpose, text).ok_or(Error::Foreign)?;
    let browser = browser.ok_or(Error::Foreign)?;
    if !compare::equal(carried.browser.as_bytes(), browser.as_bytes()) {
        return Err(Error::Foreign);
    }
    let age = now.since(Timestamp::from_seconds(carried.made_at));
    if age > FORM_LIFETIME { Err(Error::Expired) } else { Ok(carried.value) }
}
