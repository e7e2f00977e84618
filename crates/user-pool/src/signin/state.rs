//! The hidden value of a form. It is encrypted and holds all state, so the server stores nothing and each tab is independent.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::seal::{Purpose, Seal};

/// Lifetime of a form: the same as that of a sign-in at the relying party (ALB §2.4).
pub(crate) const FORM_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The hidden value of a form. It is also the CSRF token: it is valid only together with the cookie of its browser (attacks U-11).
#[derive(Debug, Serialize, Deserialize)]
struct Carried<T> {
    value: T,
    browser: String,
    made_at: u64,
}

/// Why a form is refused, with its value if it could be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused<T> {
    /// The value cannot be decrypted.
    Foreign,
    /// The form belongs to another browser, or the browser did not send its cookie.
    OtherBrowser(T),
    /// The form is too old.
    Expired(T),
}

/// Seals `value` for a form in the browser that has the cookie `browser`.
pub(crate) fn carry(seal: &Seal, purpose: Purpose, value: impl Serialize, browser: &str, now: Timestamp) -> String {
    seal.seal(purpose, &Carried { value, browser: browser.to_owned(), made_at: now.seconds() })
}

/// Opens the value that [`carry`] sealed, sent by the browser that has the cookie `browser`.
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
    // Checked first: the cookie expires as well, and "expired" is the more helpful message.
    if now.since(Timestamp::from_seconds(carried.made_at)) > FORM_LIFETIME {
        return Err(Refused::Expired(carried.value));
    }
    if !browser.is_some_and(|browser| octets::equal(carried.browser.as_bytes(), browser.as_bytes())) {
        return Err(Refused::OtherBrowser(carried.value));
    }
    Ok(carried.value)
}
