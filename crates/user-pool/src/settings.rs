//! Validated settings of one user pool.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::account::settings::Settings as AccountSettings;
use crate::brand;
use crate::client_options::ClientOptions;
use crate::credential::policy::PasswordPolicy;
use crate::database::Vault;
use crate::directory::settings::Settings as DirectoryRules;
use crate::events::settings::EventSettings;
use crate::factors;
use crate::federation::settings::ProviderSettings;
use crate::identity::Claims;
use crate::jose::signing_key::{Algorithm, PublicKey, SigningKey};
use crate::messages;
use crate::secret::Secret;
use crate::self_service::settings::Settings as SelfServiceSettings;

/// One pool: an OpenID provider with its users and app clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name of the pool in the configuration.
    pub name: Arc<str>,
    /// `https://host[:port]` without a path and without a trailing slash. The pool answers all requests with this authority.
    pub issuer: Url,
    /// The heading of the sign-in page. `None` for "Sign in" in the language of the visitor.
    pub title: Option<String>,
    /// Signs access tokens, and ID tokens of clients that use ES256. `None`: the pool makes its keys itself, and has a store.
    pub signing_key: Option<SigningKey>,
    /// What the operator makes of the pages.
    pub brand: brand::Settings,
    /// Signs ID tokens of clients that use RS256.
    pub rs256_signing_key: Option<SigningKey>,
    /// Keys that are published but do not sign.
    pub other_keys: Vec<PublicKey>,
    /// Keys for the pool's cookies, codes and refresh tokens. The first key encrypts; every key can decrypt.
    pub seal_keys: Arc<[crate::crypto::aead::Key]>,
    pub users: Vec<UserSettings>,
    /// What users of the database have, and how they sign in.
    pub directory: Arc<DirectoryRules>,
    /// What users of the database may do without an administrator.
    pub self_service: Arc<SelfServiceSettings>,
    /// What they may change of themselves.
    pub account: Arc<AccountSettings>,
    /// Where users are that are added while the process runs. `None`: the pool has the users of the configuration only.
    pub store: Option<Store>,
    /// How long events and the audit are kept.
    pub retention: EventSettings,
    /// Which passwords the users of `store` may choose.
    pub password_policy: PasswordPolicy,
    /// How messages are sent to users.
    pub messages: messages::settings::Settings,
    /// Other providers at which users of the pool sign in. Empty without a `store`.
    pub providers: Vec<ProviderSettings>,
    pub clients: Vec<ClientSettings>,
    /// Second factors.
    pub mfa: factors::settings::Settings,
    /// Lifetime of ID and access tokens. Default: 1 h.
    pub token_lifetime: Duration,
    /// Lifetime of refresh tokens, counted from the redemption of the code. Default: 30 days.
    pub refresh_lifetime: Duration,
    /// Lifetime of the pool's single-sign-on session. Default: 8 h.
    pub sso_lifetime: Duration,
    /// Maximum number of passwords hashed at the same time. Each needs 19 MiB. Default: half the cores, at least 1.
    pub hashing_max: usize,
}

impl Settings {
    /// The algorithms of the keys of a pool that makes them itself: RS256, and ES256 if a client asks for it.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let wants_es256 = self.clients.iter().any(|client| client.id_token_algorithm == Algorithm::Es256);
        [Algorithm::Rs256].into_iter().chain(wants_es256.then_some(Algorithm::Es256)).collect()
    }

    /// The origins that the pool is served on: that of the issuer, then the domains of its own.
    pub fn origins(&self) -> impl Iterator<Item = &Url> {
        std::iter::once(&self.issuer).chain(&self.brand.domains)
    }

    /// Where browsers are sent that do not come from one of the pages: to the first domain of the pool's own, if there is one.
    pub(crate) fn pages_url(&self) -> &Url {
        self.brand.domains.first().unwrap_or(&self.issuer)
    }
}

/// The database of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The file of SQLite. Several pools may have the same.
    pub sqlite: PathBuf,
    pub vault: Vault,
}

/// A user of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSettings {
    /// The user name. Compared after trimming, NFKC and case folding (attacks U-04).
    pub username: String,
    /// Argon2id, in PHC form.
    pub password_hash: Secret<String>,
    /// The `sub` claim. If the file has none, it is derived from the issuer and the user name.
    pub subject: String,
    /// `email`, `name`, `groups`, …: the claims of userinfo apart from `sub` and `preferred_username`.
    pub claims: Claims,
}

/// A relying party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    pub client_id: String,
    /// `None` for a public client.
    pub client_secret: Option<Secret<String>>,
    /// Compared exactly (attacks U-07).
    pub redirect_uris: Vec<Url>,
    pub post_logout_redirect_uris: Vec<Url>,
    /// What it may ask access tokens for (RFC 8707 §2). Empty: it gets tokens for the userinfo endpoint only.
    pub resources: Vec<Url>,
    /// Shown on the sign-in page.
    pub name: Option<String>,
    /// What its authorization requests must contain. A public client must always use PKCE.
    pub pkce: Pkce,
    /// The algorithm of its ID tokens. The pool has a key for it.
    pub id_token_algorithm: Algorithm,
    /// Whether the client restarts the sign-in after the error `login_required`, and then returns to the requested page.
    pub begins_again: bool,
    /// Whether it is the client of our own rules. It has no secret, and asks for tokens within this process only.
    pub is_ours: bool,
    /// What it may do at the endpoints.
    pub options: ClientOptions,
}

/// What binds an authorization request to the browser that started it, in addition to `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// PKCE.
    Required,
    /// PKCE or `nonce`.
    OrNonce,
    /// Neither is required.
    Optional,
}
