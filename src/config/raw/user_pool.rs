//! `user_pools`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::{List, Period, SecretText};

/// An OpenID provider in this process, with its users.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPool {
    /// The pool's own address, `https://login.example.com`: a host that no application shares, without path and without a
    /// slash at its end. Requests to that host are the pool's, on every listener.
    pub(crate) issuer: String,
    /// Shown on the sign-in page. Default: `Sign in`.
    pub(crate) title: Option<String>,
    /// The P-256 private key that signs tokens, in PEM form, as `vestibule keys signing` makes it. All replicas need the
    /// same.
    pub(crate) signing_key_file: String,
    /// An RSA private key, as `vestibule keys signing --algorithm rs256` makes it. OpenID Connect wants every provider to offer
    /// RS256, and many relying parties verify nothing else: needed where `clients` has such. Default: none, and all tokens
    /// are ES256.
    pub(crate) rs256_signing_key_file: Option<String>,
    /// Keys that signed before, or will, for either algorithm: still published, never signing.
    #[serde(default)]
    pub(crate) previous_key_files: List<String>,
    /// Applications behind this proxy whose rules name this pool in `authenticate-user-pool`, as a browser's address bar
    /// shows them: `[https://app.example.com]`.
    #[serde(default)]
    pub(crate) applications: List<String>,
    /// The users.
    #[serde(default)]
    pub(crate) users: List<User>,
    /// Other relying parties that may sign users in here.
    #[serde(default)]
    pub(crate) clients: List<Client>,
    /// Life of ID and access tokens. Default: `1h`.
    pub(crate) token_lifetime: Option<Period>,
    /// Life of a refresh token, from the sign-in. Default: `30d`.
    pub(crate) refresh_lifetime: Option<Period>,
    /// How long a browser stays signed in at the pool itself. Default: `8h`.
    pub(crate) sso_lifetime: Option<Period>,
    /// Passwords hashed at the same time; each takes 19 MiB. A sign-in waits up to 10 s for its turn, 1,024 at most. Default:
    /// half the cores.
    #[schemars(range(min = 1, max = 256))]
    pub(crate) hashing_max: Option<usize>,
}

/// A user.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    /// What is typed to sign in. Unique in the pool, in any case.
    pub(crate) username: String,
    /// The password's Argon2id hash, as `vestibule users hash` makes it.
    pub(crate) password_hash: SecretText,
    /// The `sub` claim. Default: made from the issuer and the user name, the same each time.
    pub(crate) subject: Option<String>,
    /// The `email` claim.
    pub(crate) email: Option<String>,
    /// The `name` claim.
    pub(crate) name: Option<String>,
    /// The `groups` claim.
    #[serde(default)]
    pub(crate) groups: List<String>,
    /// More claims, of any kind.
    #[serde(default)]
    pub(crate) claims: BTreeMap<String, serde_json::Value>,
}

/// A relying party.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    /// Its client id. Unique in the pool.
    pub(crate) client_id: String,
    /// Its secret: better `${NAME}` or `client_secret_file`. A client without one is public and must use PKCE.
    pub(crate) client_secret: Option<SecretText>,
    /// A file that holds its secret.
    pub(crate) client_secret_file: Option<String>,
    /// Where users may be sent back to, compared exactly. At least one.
    pub(crate) redirect_uris: List<String>,
    /// Where users may be sent after signing out, compared exactly.
    #[serde(default)]
    pub(crate) post_logout_redirect_uris: List<String>,
    /// Shown on the sign-in page. Default: the client id.
    pub(crate) name: Option<String>,
    /// Whether authorization requests need PKCE. `required`: with S256, always so for a public client. `or_nonce`: PKCE or
    /// `nonce`. `optional`: neither, for relying parties that send neither: a stolen code is then protected by the client
    /// secret only. PKCE is verified wherever the request began with it. Default: `or_nonce` for a client with a secret.
    pub(crate) pkce: Option<ClientPkce>,
    /// What signs this client's ID tokens: `RS256` (needs `rs256_signing_key_file`) or `ES256`. Default: `RS256` where the pool
    /// has such a key, else `ES256`.
    pub(crate) id_token_signed_response_alg: Option<SignatureAlgorithm>,
}

/// What an authorization request must have beside `state`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientPkce {
    Required,
    OrNonce,
    Optional,
}

/// A signature algorithm (RFC 7518 §3.1).
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum SignatureAlgorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
}
