//! Encrypts small values into text. Only this deployment can decrypt the text, and only for the same purpose, name and host.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crypto::aead::{self, Key};
use crate::session::error::Error;

/// The purpose of an encrypted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The shards of a session.
    Session,
    /// A pending login.
    PendingLogin,
    /// The address to return to after a login, in `state` and in links on Vestibule's own pages.
    Ticket,
}

/// The context that a value is encrypted for. It can be decrypted only with the same purpose, name and host (attacks S-03,
/// C-13).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// The purpose of the value.
    pub(crate) purpose: Purpose,
    /// The base name of the cookie.
    pub(crate) name: &'a str,
    /// The canonical host of the request that the value was made for.
    pub(crate) host: &'a str,
}

impl Scope<'_> {
    /// The associated data of the encryption. Each part has its length before it, so two scopes never give the same bytes
    /// (attacks S-04).
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

/// Encrypts a value as JSON. Every value that we encrypt can be written as JSON.
pub(crate) fn seal<T: Serialize>(keys: &[Key], scope: &Scope<'_>, value: &T) -> String {
    seal_bytes(keys, scope, &serde_json::to_vec(value).expect("the value has a JSON form"))
}

/// Decrypts a value that [`seal`] made.
///
/// # Errors
///
/// [`Error::Invalid`] if the value cannot be decrypted in this scope, or is not a `T`.
pub(crate) fn open<T: DeserializeOwned>(keys: &[Key], scope: &Scope<'_>, text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(&open_bytes(keys, scope, text)?).map_err(|_| Error::Invalid)
}

/// Encrypts with the first of `keys`. Returns base64url without padding.
pub(super) fn seal_bytes(keys: &[Key], scope: &Scope<'_>, plain: &[u8]) -> String {
    let key = keys.first().expect("settings never hold an empty key ring");
    URL_SAFE_NO_PAD.encode(key.seal(plain, &scope.associated()))
}

pub(super) fn open_bytes(keys: &[Key], scope: &Scope<'_>, text: &[u8]) -> Result<Vec<u8>, Error> {
    // The engine refuses padding and unused bits at the end that are not zero. So each value has exactly one spelling.
    let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Invalid)?;
    aead::open(keys, &sealed, &scope.associated()).map_err(|_| Error::Invalid)
}

#[cfg(test)]
mod tests;
