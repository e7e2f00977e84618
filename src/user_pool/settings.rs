//! Validated settings of one user pool.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::identity::Claims;
use crate::jose::signing_key::{Algorithm, PublicKey, SigningKey};
use crate::secret::Secret;

/// One pool: an OpenID provider with its users and app clients.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Its name in the configuration.
    pub(crate) name: Arc<str>,
    /// `https://host[:port]`, no path, no trailing slash: the pool answers every request whose authority this is.
    pub(crate) issuer: Url,
    /// Shown on the sign-in page. "Sign in" by default.
    pub(crate) title: String,
    /// Signs access tokens, and ID tokens of clients that take ES256.
    pub(crate) signing_key: SigningKey,
    /// Signs ID tokens of clients that take RS256.
    pub(crate) rs256_signing_key: Option<SigningKey>,
    /// Published, not signing.
    pub(crate) other_keys: Vec<PublicKey>,
    /// Keys of the pool's own cookies, codes and refresh tokens: the first encrypts, every key can decrypt.
    pub(crate) seal_keys: Arc<[crate::crypto::aead::Key]>,
    pub(crate) users: Vec<UserSettings>,
    pub(crate) clients: Vec<ClientSettings>,
    /// Life of ID and access tokens. 1 h.
    pub(crate) token_lifetime: Duration,
    /// Life of a refresh token, from the sign-in. 30 days.
    pub(crate) refresh_lifetime: Duration,
    /// Life of the pool's own single-sign-on session. 8 h.
    pub(crate) sso_lifetime: Duration,
    /// Passwords hashed at once; each takes 19 MiB. Half the cores, at least 1.
    pub(crate) hashing_max: usize,
}

/// A user of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct UserSettings {
    /// What is typed; compared after Unicode NFKC case folding and trimming (attacks U-04).
    pub(crate) username: String,
    /// Argon2id, in PHC form.
    pub(crate) password_hash: Secret<String>,
    /// Stable `sub`; where the file gives none, made from the pool's issuer and the user name.
    pub(crate) subject: String,
    /// `email`, `name`, `groups`, …: what userinfo says besides `sub` and `preferred_username`.
    pub(crate) claims: Claims,
}

/// A relying party.
#[derive(Clone, Debug)]
pub(crate) struct ClientSettings {
    pub(crate) client_id: String,
    /// `None` for a public client.
    pub(crate) client_secret: Option<Secret<String>>,
    /// Compared exactly (attacks U-07).
    pub(crate) redirect_uris: Vec<Url>,
    pub(crate) post_logout_redirect_uris: Vec<Url>,
    /// Shown on the sign-in page.
    pub(crate) name: Option<String>,
    /// What its authorization requests must have. A public client must use PKCE, whatever this says.
    pub(crate) pkce: Pkce,
    /// What signs its ID tokens; a key of the pool's.
    pub(crate) id_token_algorithm: Algorithm,
    /// Whether it begins a login again when it is told `login_required`, and so brings the user to where they were going.
    pub(crate) begins_again: bool,
    /// Whether it is the client of our own rules. It has no secret, and asks for tokens within this process only.
    pub(crate) is_ours: bool,
}

/// What binds an authorization request to the browser that began it, beside `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pkce {
    /// PKCE.
    Required,
    /// PKCE or `nonce`.
    OrNonce,
    /// Neither is needed.
    Optional,
}
