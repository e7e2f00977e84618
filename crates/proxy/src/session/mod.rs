//! The browser session between us and the user agent, and pending logins.
//!
//! Sessions and pending logins are stored in encrypted cookies (DESIGN §5). This process keeps only a cache of decrypted
//! sessions ([`cache`]) and the list of revoked sessions ([`revoked`]). This room knows no provider and no rule, and decides
//! nothing about a request. Start at [`Sessions`]. [`shards`] is the format of the cookies, [`codec`] the format of their
//! content.

pub(crate) mod error;
pub mod settings;

pub mod record;

pub mod cache;
mod codec;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod fuzz;
pub mod names;
pub mod pending;
mod purpose;
pub(crate) mod revoked;
pub(crate) mod rounds;
pub mod shards;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use crate::clock::Timestamp;
use crate::crypto::sealed::Sealer;
use crate::message::cookie::{self, SameSite};
use crate::session::error::Error;
use crate::session::purpose::Purpose;
use crate::session::record::Session;
use crate::session::shards::Shards;

/// How long a browser keeps the cookie of an expired session, so that a returning user is told "your session has ended"
/// and not "please sign in" (ALB §2.1 distinguishes EXPIRED from NONE). The session expires by the time inside the encrypted value.
const KEEP_EXPIRED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Reads and writes the sessions with one base name of cookies.
#[derive(Clone, Debug)]
pub struct Sessions {
    sealer: Sealer,
    base: Arc<str>,
    same_site: SameSite,
}

impl Sessions {
    /// Sessions in cookies named `base-0`, `base-1`, …. The first key of the settings encrypts them.
    pub fn new(settings: &settings::Settings, base: Arc<str>) -> Self {
        Self { sealer: Sealer::new(Arc::clone(&settings.keys)), base, same_site: SameSite::Lax }
    }

    /// The same sessions, with another `SameSite` attribute on the cookies.
    pub(crate) fn for_requests_of(self, same_site: SameSite) -> Self {
        Self { same_site, ..self }
    }

    /// The base name of the cookies.
    pub(crate) fn base(&self) -> &Arc<str> {
        &self.base
    }

    /// Decrypts the session of a request to `host`. The caller checks whether the session has expired.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the value was not encrypted for this name and host, [`Error::Version`] if another version of
    /// this program encrypted it.
    pub fn open(&self, host: &str, shards: &Shards<'_>) -> Result<Session, Error> {
        let context = Purpose::Session.context(&self.base, host);
        codec::decode(&self.sealer.open_bytes(&context, shards.sealed()?.as_ref())?)
    }

    /// Loads the session of a request to `host`. The cookie has all of it, so this is [`open`](Self::open) and never waits. Callers
    /// expect that it waits, because a store that keeps sessions elsewhere has to be asked.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub(crate) async fn load(&self, host: &str, shards: &Shards<'_>) -> Result<Session, Error> {
        // Tests run what other requests do meanwhile.
        #[cfg(test)]
        tokio::task::yield_now().await;
        self.open(host, shards)
    }

    /// The `Set-Cookie` lines that store `session` in the browser: its shards, and the deletion of every shard with a higher
    /// number.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if the session does not fit into four cookies.
    pub fn save(&self, host: &str, session: &Session, now: Timestamp) -> Result<Vec<HeaderValue>, Error> {
        let text = self.sealer.seal_bytes(&Purpose::Session.context(&self.base, host), &codec::encode(session)?);
        let keep = session.expires_at.since(now) + KEEP_EXPIRED;
        // Rounded up: the browser must not drop a session that is still valid.
        shards::write(self.same_site, &self.base, &text, keep.as_secs() + 1)
    }

    /// The `Set-Cookie` lines that delete every shard, and every other cookie of the request whose name looks like a shard's.
    pub(crate) fn clear(&self, headers: &http::HeaderMap) -> Vec<HeaderValue> {
        shards::names(&self.base, headers).iter().map(|name| cookie::set_for(self.same_site, name, "", 0)).collect()
    }
}

#[cfg(test)]
mod tests;
