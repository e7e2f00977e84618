//! `user_pools`.

pub(crate) mod account;
pub(crate) mod directory;
pub(crate) mod login_page;
pub(crate) mod messages;
pub(crate) mod mfa;
pub(crate) mod password_policy;
pub(crate) mod providers;
pub(crate) mod retention;
pub(crate) mod self_service;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::pages::Pages;
use crate::config::raw::user_pool::login_page::LoginPage;
use crate::config::raw::user_pool::password_policy::PasswordPolicy;
use crate::config::raw::user_pool::providers::PoolProvider;
use crate::config::raw::user_pool::retention::Retention;
use crate::config::raw::value::{List, Period, SecretText};

/// An OpenID provider inside this process, with its users.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPool {
    /// The address of the pool: `https://login.example.com`, without a path and without a trailing slash. No
    /// application may use this host. Every listener passes requests for this host to the pool. A certificate of an `https` listener must cover the
    /// host, or `tls: auto` obtains one: without it, `check` refuses the file, unless no listener ends TLS, or a listener has `trusted_proxies`: then a proxy in front may have the certificate.
    pub(crate) issuer: String,
    /// Domains of your own that the pool is served on as well: `[auth.example.com]`, with the scheme and the port of `issuer`. A certificate of a
    /// listener must cover each. Browsers are sent to the pages on the first one. Tokens keep the issuer. No application may use such a domain.
    #[serde(default)]
    pub(crate) custom_domains: List<String>,
    /// A page of your own on which users type user name and password, in place of ours. Also for the rules that name the pool.
    pub(crate) login_page: Option<LoginPage>,
    /// Title of the sign-in page. Without it, `Sign in` in the language of the visitor. Also what users read on the page on which they choose
    /// one of the `providers` of an action; there, without it, the name.
    pub(crate) title: Option<String>,
    /// The look and the texts of the pages of this pool. Without it, as in `pages` of the file.
    pub(crate) pages: Option<Pages>,
    /// Image for the page on which users choose, as in `identity_providers`.
    pub(crate) logo_file: Option<String>,
    /// Domains of e-mail addresses whose users sign in at this pool, as in `identity_providers`.
    #[serde(default)]
    pub(crate) email_domains: List<String>,
    /// PEM file with the P-256 private key that signs tokens. `vestibule keys signing` creates one. All replicas need
    /// the same key. A pool with a `store` needs none: it makes its keys itself, keeps them encrypted in the database, publishes each for a day
    /// before it signs, and replaces it after 90 days. They are for RS256, and for ES256 if a client asks for that.
    pub(crate) signing_key_file: Option<String>,
    /// PEM file with an RSA private key. `vestibule keys signing --algorithm rs256` creates one. OpenID Connect requires every
    /// provider to offer RS256, and many relying parties support nothing else: set it if `clients` contains one of those. Without
    /// it, all tokens are signed with ES256.
    pub(crate) rs256_signing_key_file: Option<String>,
    /// PEM files with former or future signing keys of either algorithm, which are published and never sign. The public key is
    /// enough (`PUBLIC KEY`); a private one is accepted, too.
    #[serde(default)]
    pub(crate) previous_key_files: List<String>,
    /// Applications behind this proxy where users of this pool sign in, as shown in the address bar: `[https://app.example.com]`. Needed
    /// if a rule names the pool in `authenticate-user-pool`, in `session-or-bearer`, or among several `providers`. Rules
    /// that take only tokens of the pool (`jwt-validation`) do not need it.
    #[serde(default)]
    pub(crate) applications: List<String>,
    /// The users.
    #[serde(default)]
    pub(crate) users: List<User>,
    /// A database for users that are added while the process runs, by `vestibule users add`. Without it, the pool has `users` only. A user of
    /// `users` is found before one of the database with the same name.
    pub(crate) store: Option<Store>,
    /// Which passwords the users of `store` may choose.
    pub(crate) password_policy: Option<PasswordPolicy>,
    /// How long `store` keeps the sign-in log and the audit.
    pub(crate) retention: Option<Retention>,
    /// What is known of the users in the `store`, besides the standard attributes of OpenID Connect.
    pub(crate) attributes: Option<directory::Attributes>,
    /// How users in the `store` sign in.
    pub(crate) sign_in: Option<directory::SignIn>,
    /// Passkeys, where `mfa` or `sign_in` has them.
    pub(crate) passkeys: Option<mfa::Passkeys>,
    /// Second factors. Without it, nobody is asked for one.
    pub(crate) mfa: Option<mfa::Mfa>,
    /// Whether people may sign up by themselves. Needs `store`.
    pub(crate) sign_up: Option<self_service::SignUp>,
    /// Where codes go with which users of the `store` replace a password that they have forgotten, in order of preference: to the verified `email`
    /// (needs `mail`) or `phone_number` (needs `sms`). `[]`: only administrators set passwords. Without it, what the pool can send.
    pub(crate) recovery: Option<List<self_service::Address>>,
    /// What users change of themselves. Needs `store`.
    pub(crate) account: Option<account::Account>,
    /// The server that takes mails to users. Needs `store`.
    pub(crate) mail: Option<messages::Mail>,
    /// The gateway that takes SMS to users. Needs `store`.
    pub(crate) sms: Option<messages::Sms>,
    /// What messages to users say, and how many are sent. Needs `store`.
    pub(crate) messages: Option<messages::Messages>,
    /// Other providers at which users of this pool sign in, by their names in `identity_providers` of the file: `{ corp: {} }`. Each has a button
    /// on the sign-in page. The first sign-in there makes a user, whose name begins with the name of the provider: do not rename it. Needs
    /// `store`.
    #[serde(default)]
    pub(crate) identity_providers: BTreeMap<String, PoolProvider>,
    /// Other relying parties that may use this pool to sign users in.
    #[serde(default)]
    pub(crate) clients: List<Client>,
    /// APIs that take access tokens of the pool, with the scopes that `clients` may be given.
    #[schemars(extend("x-bound" = "At most 25."))]
    #[serde(default)]
    pub(crate) resource_servers: List<ResourceServer>,
    /// Lifetime of ID and access tokens.
    #[serde(default = "token_lifetime")]
    pub(crate) token_lifetime: Period,
    /// Lifetime of refresh tokens, counted from the sign-in. If it becomes shorter, it applies to tokens that were issued before.
    #[serde(default = "refresh_lifetime")]
    pub(crate) refresh_lifetime: Period,
    /// How long a browser stays signed in at the pool (single sign-on). If it becomes shorter, it applies to browsers that are
    /// signed in.
    #[serde(default = "sso_lifetime")]
    pub(crate) sso_lifetime: Period,
    /// Maximum number of passwords that are hashed at the same time. Each needs 19 MiB of memory, and as much as its hash needs if another system has made it. Up to 1,024 sign-ins wait, each
    /// up to 10 s. Without it, the number of cores on Linux, where hashing has a lower priority than all other work, and half of it elsewhere. Where the CPU time of the process is limited
    /// (a container), a quota does not know this priority: choose less than its cores there.
    #[schemars(range(min = 1, max = 256))]
    pub(crate) hashing_max: Option<usize>,
}

defaults! {
    token_lifetime: Period = Duration::from_secs(3600);
    refresh_lifetime: Period = Duration::from_secs(30 * 86_400);
    sso_lifetime: Period = Duration::from_secs(8 * 3600);
}

/// The database of a user pool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    /// The file of an SQLite database, on a local disk. It is created when the process starts; its directory must exist. Beside it are the
    /// files `-wal`, `-shm` and `.lock`. One process uses it at a time. Several pools may use one file: a row names its pool, so do not
    /// rename a pool that has users in it.
    pub(crate) sqlite: String,
    /// Files with keys that encrypt what a copy of the database must not give away. `vestibule keys store` creates one. The first encrypts,
    /// every key can decrypt. Keep a copy apart from the copies of the database: without its key, a database does not open.
    pub(crate) key_files: List<String>,
}

/// A user.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    /// The user name. Unique in the pool, case-insensitive.
    pub(crate) username: String,
    /// The Argon2id hash of the password. `vestibule users hash` prints one.
    pub(crate) password_hash: SecretText,
    /// The `sub` claim. Without it, the subject is derived from the issuer and the user name, so that it never changes.
    pub(crate) subject: Option<String>,
    /// The `email` claim. It is not said to be verified unless `claims` has `email_verified: true`.
    pub(crate) email: Option<String>,
    /// The `name` claim.
    pub(crate) name: Option<String>,
    /// The `groups` claim.
    #[serde(default)]
    pub(crate) groups: List<String>,
    /// Additional claims, of any type.
    #[serde(default)]
    pub(crate) claims: BTreeMap<String, serde_json::Value>,
}

/// A relying party.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    /// The client ID. Unique in the pool.
    pub(crate) client_id: String,
    /// The client secret. Prefer `${NAME}` or `client_secret_file`. A client without a secret is public and must use
    /// PKCE.
    pub(crate) client_secret: Option<SecretText>,
    /// File with the client secret.
    pub(crate) client_secret_file: Option<String>,
    /// Allowed redirect URIs, compared exactly. At least one, unless `grant_types` is `[client_credentials]`. For `http://127.0.0.1/…` and `http://[::1]/…` any port is accepted (RFC 8252
    /// §7.3), but not for `http://localhost/…`.
    #[serde(default)]
    pub(crate) redirect_uris: List<String>,
    /// Allowed redirect URIs after signing out, compared exactly.
    #[serde(default)]
    pub(crate) post_logout_redirect_uris: List<String>,
    /// Addresses of applications that the client may get access tokens for, by the parameter `resource` of its requests (RFC 8707):
    /// `[https://app.example.com]`. They are compared exactly. Such a token has the address in `aud`, and the claims of the user that its scope
    /// allows. A rule takes it that has the same address in `audience` of `bearer`. Without it, access tokens are good for the userinfo
    /// endpoint of the pool only.
    #[serde(default)]
    pub(crate) resources: List<String>,
    /// Name of the client on the sign-in page. Without it, the client ID.
    pub(crate) name: Option<String>,
    /// Whether authorization requests must use PKCE. `required`: PKCE with S256; always used for public clients. `or_nonce`: PKCE
    /// or `nonce`. `optional`: neither; a stolen code is then protected only by the client secret. If a request uses PKCE, it is
    /// always verified. Without it, `or_nonce` for a client with a secret.
    pub(crate) pkce: Option<ClientPkce>,
    /// Signature algorithm of the ID tokens of this client: `RS256` (needs `rs256_signing_key_file`) or `ES256`. Without it,
    /// `RS256` if the pool has such a key, otherwise `ES256`.
    pub(crate) id_token_signed_response_alg: Option<SignatureAlgorithm>,
    /// How the client gets tokens: `[authorization_code, refresh_token]`, `[authorization_code]`, or `[client_credentials]` for a program that
    /// has no user. The last one needs a secret and `scopes`, and no `redirect_uris`. Without it, the first.
    pub(crate) grant_types: Option<List<GrantType>>,
    /// The scopes that the client may ask for: `openid`, `profile`, `email`, `groups`, `offline_access`, and those of `resource_servers`, as
    /// `https://api.example.com/read`. Others are not granted. Without it, all but those of `resource_servers`.
    pub(crate) scopes: Option<List<String>>,
    /// Lifetime of access tokens of the client. Without it, `token_lifetime` of the pool.
    #[schemars(extend("x-bound" = "`5m` to `1d`."))]
    pub(crate) access_token_lifetime: Option<Period>,
    /// Lifetime of ID tokens of the client. Without it, `token_lifetime` of the pool.
    #[schemars(extend("x-bound" = "`5m` to `1d`."))]
    pub(crate) id_token_lifetime: Option<Period>,
    /// Lifetime of refresh tokens of the client, from the sign-in on. Without it, `refresh_lifetime` of the pool.
    #[schemars(extend("x-bound" = "`1h` to `3650d`."))]
    pub(crate) refresh_token_lifetime: Option<Period>,
    /// Whether the client may ask the introspection endpoint (RFC 7662) about the tokens of all clients, as an API does that takes them. Every
    /// client with a secret may ask about its own. Needs a `store` in the pool.
    #[serde(default)]
    pub(crate) introspection: bool,
    /// Whether the client must send its authorization requests to the pool itself, before it sends the browser there (RFC 9126). Needs a secret,
    /// and a `store` in the pool.
    #[serde(default)]
    pub(crate) require_par: bool,
    /// An address of the client that gets a logout token when a session ends in which it took part (OpenID Connect Back-Channel Logout). `https`, or
    /// `http` for a loopback address. Needs a `store` in the pool.
    pub(crate) backchannel_logout_uri: Option<String>,
    /// The look and the texts of the pages of the pool while users sign in to this client. Without it, as in `pages` of the pool.
    pub(crate) pages: Option<Pages>,
    /// A page of your own on which users who sign in to this client type user name and password. Without it, `login_page` of the pool.
    pub(crate) login_page: Option<LoginPage>,
}

/// How a client gets tokens (RFC 6749 §1.3, §1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GrantType {
    /// A user signs in.
    AuthorizationCode,
    /// A token of before is renewed.
    RefreshToken,
    /// The client is the user.
    ClientCredentials,
}

/// An API that takes access tokens of the pool, with scopes of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResourceServer {
    /// Its name in scopes: `https://api.example.com`.
    #[schemars(extend("x-bound" = "1 to 256 characters."))]
    pub(crate) identifier: String,
    /// The names of its scopes. A client asks for `<identifier>/<name>`.
    #[schemars(extend("x-bound" = "1 to 100 scopes."))]
    pub(crate) scopes: List<String>,
}

/// What an authorization request must contain in addition to `state`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientPkce {
    /// PKCE with S256.
    Required,
    /// PKCE with S256, or `nonce`.
    OrNonce,
    /// Neither.
    Optional,
}

/// A signature algorithm (RFC 7518 §3.1).
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum SignatureAlgorithm {
    /// RSA, which every relying party must support.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256.
    #[serde(rename = "ES256")]
    Es256,
}
