//! The content of a session.

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::identity::Identity;
use crate::secret::Secret;

/// The id of a session: 128 random bits. Each login gets a new id (attacks S-09, C-18). A refresh of the tokens keeps the id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(super) [u8; 16]);

impl SessionId {
    /// An id that no other session has.
    pub fn random() -> Self {
        Self(octets::random())
    }
}

// The id alone gives no access, but it has no use in a log either.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// The approximate size of a session in memory without its strings, in bytes.
const FRAME_BYTES: usize = 512;

/// One signed-in browser.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: SessionId,
    /// The number of refreshes. The id and this number together identify one generation of the session's tokens.
    pub generation: u32,
    /// The provider's name in the configuration.
    pub provider: String,
    /// The user, and the access token if it is forwarded to the target. Shared with everybody who needs the user.
    pub identity: Arc<Identity>,
    /// The refresh token, if the provider issued one.
    pub refresh_token: Option<Secret<String>>,
    /// Kept if sign-out at the provider needs the ID token as a hint.
    pub id_token: Option<Secret<String>>,
    /// When the user signed in.
    pub authenticated_at: Timestamp,
    /// When the session expires. A refresh does not change this time (attacks S-08).
    pub expires_at: Timestamp,
    /// When to refresh the tokens. `None` if there is no refresh token.
    pub refresh_at: Option<Timestamp>,
    /// When the access token expires. `None` in a session of an older version, which did not always store a lifetime.
    pub access_token_expires_at: Option<Timestamp>,
    /// A hash of the login's nonce. With it, a refresh recognises an ID token of another login. `None` in a session of an older
    /// version, which did not store the hash.
    pub nonce_hash: Option<String>,
    /// Whether the sign-in asked for the claims of the user again, and the provider showed nothing.
    pub is_asked_again: bool,
}

impl Session {
    /// Whether the tokens must be refreshed now.
    pub(crate) fn is_refresh_due(&self, now: Timestamp) -> bool {
        self.refresh_at.is_some_and(|refresh_at| now >= refresh_at)
    }

    /// The approximate memory of the session in bytes.
    pub fn weight(&self) -> usize {
        let tokens = [self.identity.access_token(), self.refresh_token.as_ref(), self.id_token.as_ref()];
        let tokens: usize = tokens.into_iter().flatten().map(|token| token.expose().len()).sum();
        FRAME_BYTES + tokens + self.identity.weight()
    }
}

#[cfg(test)]
impl Session {
    /// A session of `subject` that began at `began`, expires after `life`, and is due for a refresh at once.
    pub(crate) fn example(subject: &str, began: Timestamp, life: std::time::Duration) -> Self {
        let claims = crate::identity::Claims::new();
        Self {
            id: SessionId::random(),
            generation: 0,
            provider: "corp".into(),
            identity: Arc::new(Identity::assertion("https://idp.test".into(), subject.into(), claims, None)),
            refresh_token: Some(Secret::new("refresh-0".into())),
            id_token: None,
            authenticated_at: began,
            expires_at: began + life,
            refresh_at: Some(began),
            access_token_expires_at: None,
            nonce_hash: None,
            is_asked_again: false,
        }
    }
}
