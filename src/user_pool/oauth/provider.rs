//! What the endpoints share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

use crate::clock::Clock;
use crate::user_pool::directory::Directory;
use crate::user_pool::metrics::Metrics;
use crate::user_pool::oauth::authorize::AuthorizationRequest;
use crate::user_pool::oauth::grant::Grants;
use crate::user_pool::oauth::issuer::Issuer;
use crate::user_pool::rate_limit::{Buckets, Limit};
use crate::user_pool::seal::Seal;
use crate::user_pool::settings::Settings;
use crate::user_pool::signin::sso::{Session, Sessions};

/// Sign-ins of one user at one client by the browser's session. A browser that opens many tabs makes some dozens.
const SILENT_PER_USER_AND_CLIENT: Limit = Limit { burst: 120, interval: Duration::from_secs(1) };
/// Buckets that are remembered.
const BUCKETS_MAX: usize = 100_000;

/// The provider: each endpoint is a method, in the file of its name.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(super) issuer: Issuer,
    pub(super) grants: Grants,
    pub(super) directory: Arc<Directory>,
    pub(super) sessions: Arc<Sessions>,
    /// Sign-ins of one user at one client without a password.
    pub(super) silent: Mutex<Buckets>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
}

impl Provider {
    /// Puts the endpoints together.
    pub(crate) fn new(
        settings: &Settings,
        url: Arc<str>,
        seal: Seal,
        directory: Arc<Directory>,
        sessions: Arc<Sessions>,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        let issuer = Issuer::new(
            url,
            seal.clone(),
            settings.signing_key.clone(),
            settings.other_keys.clone(),
            settings.token_lifetime,
        );
        let grants = Grants::new(seal, settings.refresh_lifetime);
        let silent = Mutex::new(Buckets::new(SILENT_PER_USER_AND_CLIENT, BUCKETS_MAX));
        Self { issuer, grants, directory, sessions, silent, clock, metrics }
    }

    /// What the user is told of who asks: the client's name, or the host that the user goes back to.
    pub(crate) fn client_name(&self, request: &AuthorizationRequest) -> String {
        let named = self.directory.client(&request.client_id).and_then(|client| client.name());
        let host = || Url::parse(&request.redirect_uri).ok().and_then(|url| url.host_str().map(str::to_owned));
        named.map(str::to_owned).or_else(host).unwrap_or_else(|| request.client_id.clone())
    }

    /// The name of a session's user, as the user would write it.
    pub(crate) fn user_name(&self, session: &Session) -> Option<String> {
        let user = self.directory.user(&session.subject, &session.fingerprint)?;
        Some(user.preferred_username().to_owned())
    }
}
