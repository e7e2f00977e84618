//! Refresh tokens of pools with a database: two random values, in 64 characters of base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::aead::{self, Key};
use crate::crypto::octets;
use crate::secret::Secret;

/// Length of the handle, in bytes.
const HANDLE: usize = 16;
/// Length of the secret, in bytes.
const SECRET: usize = 32;

const ASSOCIATED: &[u8] = b"vestibule pool refresh token";

/// A refresh token. All tokens of a family have the same handle, which is in nothing else. So a token that is not good any more still tells
/// which family it is of, and nobody who has never had a token of the family can name it.
#[derive(Debug)]
pub(super) struct Token {
    handle: Secret<[u8; HANDLE]>,
    secret: Secret<[u8; SECRET]>,
}

impl Token {
    /// The first of a family.
    pub(super) fn new() -> Self {
        Self { handle: Secret::new(octets::random()), secret: Secret::new(octets::random()) }
    }

    /// The next of the same family.
    pub(super) fn next(&self) -> Self {
        Self { handle: Secret::new(*self.handle.expose()), secret: Secret::new(octets::random()) }
    }

    /// `None` for a text that cannot be a token.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; HANDLE + SECRET] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (handle, secret) = bytes.split_at(HANDLE);
        let handle = Secret::new(handle.try_into().ok()?);
        Some(Self { handle, secret: Secret::new(secret.try_into().ok()?) })
    }

    /// As the client gets it.
    pub(super) fn text(&self) -> Secret<String> {
        Secret::new(URL_SAFE_NO_PAD.encode([&self.handle.expose()[..], &self.secret.expose()[..]].concat()))
    }

    /// What the family is found by.
    pub(super) fn handle_hash(&self) -> [u8; 32] {
        octets::sha256(self.handle.expose())
    }

    /// What the token is known by within its family.
    pub(super) fn hash(&self) -> [u8; 32] {
        octets::sha256(self.secret.expose())
    }

    /// Encrypts the token that follows, so that only this one opens it.
    pub(super) fn seal_next(&self, next: &Self) -> Vec<u8> {
        self.key().seal(next.secret.expose(), ASSOCIATED)
    }

    /// The token that followed.
    pub(super) fn open_next(&self, sealed: &[u8]) -> Option<Self> {
        let secret = aead::open(&[self.key()], sealed, ASSOCIATED).ok()?;
        Some(Self { handle: Secret::new(*self.handle.expose()), secret: Secret::new(secret.try_into().ok()?) })
    }

    /// Not the hash that is in the database.
    fn key(&self) -> Key {
        let parts = [&b"vestibule pool next refresh token"[..], &self.secret.expose()[..]];
        Key::new(&Secret::new(octets::sha256(&parts.concat())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_opens_only_what_followed_it() {
        let first = Token::new();
        let (text, second) = (first.text(), first.next());
        let read = Token::parse(text.expose()).expect("reads back");
        assert_eq!((read.handle_hash(), read.hash()), (first.handle_hash(), first.hash()));
        assert_eq!(second.handle_hash(), first.handle_hash());
        assert_ne!(second.hash(), first.hash());
        let sealed = first.seal_next(&second);
        assert_eq!(read.open_next(&sealed).expect("opens").text().expose(), second.text().expose());
        assert!(second.open_next(&sealed).is_none());
        assert!(Token::new().open_next(&sealed).is_none());
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let text = Token::new().text();
        for wrong in ["", "x", &text.expose()[1..], &format!("{}A", text.expose()), &"!".repeat(64)] {
            assert!(Token::parse(wrong).is_none(), "{wrong}");
        }
        assert!(!format!("{:?}", Token::parse(text.expose())).contains(&text.expose()[..8]));
    }
}
