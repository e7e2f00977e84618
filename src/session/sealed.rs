//! Seals any small value into text that only this deployment opens, and only for what it was sealed for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crypto::aead::{self, Key};
use crate::session::error::Error;

/// What a sealed value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A session's shards.
    Session,
    /// A login that is on its way.
    PendingLogin,
    /// Where a login goes, in `state` and in links of our pages.
    Ticket,
}

/// All that a seal is bound to: a value opens only where all three are what they were (attacks S-03, C-13).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// What the value is for.
    pub(crate) purpose: Purpose,
    /// The base name of its cookie.
    pub(crate) name: &'a str,
    /// The canonical host that it was given to.
    pub(crate) host: &'a str,
}

impl Scope<'_> {
    /// Each part with its length before it, so that no two scopes read the same (attacks S-04).
    fn associated(&self) -> Vec<u8> {
        let purpose = match self.purpose {
            Purpose::Session => "vestibule session",
            Purpose::PendingLogin => "vestibule pending login",
            Purpose::Ticket => "vestibule login ticket",
        };
        let mut out = Vec::with_capacity(purpose.len() + self.name.len() + self.host.len() + 24);
        for part in [purpose, self.name, self.host] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part.as_bytes());
        }
        out
    }
}

/// Seals the JSON form of a value, which each of ours has.
pub(crate) fn seal<T: Serialize>(keys: &[Key], scope: &Scope<'_>, value: &T) -> String {
    seal_bytes(keys, scope, &serde_json::to_vec(value).expect("the value has a JSON form"))
}

/// Opens what [`seal`] made.
///
/// # Errors
///
/// [`Error::Invalid`].
pub(crate) fn open<T: DeserializeOwned>(keys: &[Key], scope: &Scope<'_>, text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(&open_bytes(keys, scope, text)?).map_err(|_| Error::Invalid)
}

/// Seals with the first of `keys`; answers unpadded base64url.
pub(super) fn seal_bytes(keys: &[Key], scope: &Scope<'_>, plain: &[u8]) -> String {
    let key = keys.first().expect("settings never hold an empty key ring");
    URL_SAFE_NO_PAD.encode(key.seal(plain, &scope.associated()))
}

pub(super) fn open_bytes(keys: &[Key], scope: &Scope<'_>, text: &[u8]) -> Result<Vec<u8>, Error> {
    // The engine refuses padding and stray bits at the end, so that a value has one spelling only.
    let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Invalid)?;
    aead::open(keys, &sealed, &scope.associated()).map_err(|_| Error::Invalid)
}

#[cfg(test)]
mod tests;
