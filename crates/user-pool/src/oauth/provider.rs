//! The state that the endpoints share.

use std::sync::{Arc, Mutex};

use url::Url;

use crate::clock::Clock;
use crate::database::{self, Database};
use crate::directory::user::User;
use crate::directory::{Directory, StoredUsers};
use crate::failures::Failures;
use crate::federation::Federation;
use crate::logouts::LogoutRows;
use crate::memory::PoolMemory;
use crate::metrics::Metrics;
use crate::oauth::client_auth::SecretLimits;
use crate::oauth::grant::Grants;
use crate::oauth::issuer::{Form, Issuer};
use crate::oauth::keys::Keys;
use crate::oauth::lifetimes::ClientLifetimes;
use crate::oauth::pushed::PushedRequests;
use crate::oauth::request::AuthorizationRequest;
use crate::rate_limit::Buckets;
use crate::seal::Seal;
use crate::signin::SignIn;
use crate::signin::sso::{Session, Sessions};
use crate::telemetry::logged_names::LoggedNames;

/// Maximum number of applications on the page of a signed-in user.
const APPLICATIONS_MAX: usize = 50;

/// The provider. Each endpoint is a method in the file of its name.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(super) issuer: Issuer,
    pub(super) pages_url: Arc<str>,
    pub(super) grants: Grants,
    /// Only with a database.
    pub(super) pushed: Option<PushedRequests>,
    /// The queue of logout tokens. Only with a database.
    pub(super) logouts: Option<(Arc<Database>, LogoutRows)>,
    pub(super) seal: Seal,
    pub(super) directory: Arc<Directory>,
    pub(super) sessions: Arc<Sessions>,
    /// What grants are held to.
    pub(super) sign_in: Arc<SignIn>,
    /// Limits sign-ins without a password.
    pub(super) silent: Arc<Mutex<Buckets>>,
    pub(super) secrets: Arc<SecretLimits>,
    /// Mistakes of relying parties that were already logged.
    pub(super) logged: Arc<LoggedNames>,
    pub(super) failures: Arc<Failures>,
    /// The other providers at which users sign in.
    pub(super) federation: Arc<Federation>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
}

/// What the provider shares with the rest of the pool.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The issuer.
    pub(crate) url: Arc<str>,
    /// The origin of the pages that browsers are sent to.
    pub(crate) pages_url: Arc<str>,
    pub(crate) seal: Seal,
    pub(crate) keys: Keys,
    pub(crate) lifetimes: ClientLifetimes,
    pub(crate) grants: Grants,
    /// The database, if the pool has one.
    pub(crate) stored: Option<StoredUsers>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) sign_in: Arc<SignIn>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) federation: Arc<Federation>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

impl Provider {
    /// Creates the provider.
    pub(crate) fn new(memory: &PoolMemory, parts: Parts) -> Self {
        let Parts { url, pages_url, seal, keys, grants, stored, directory, sessions, sign_in, .. } = parts;
        let Parts { failures, federation, lifetimes, clock, metrics, .. } = parts;
        let pushed = stored.as_ref().map(PushedRequests::new);
        let logouts = stored.map(|stored| (stored.database, LogoutRows::new(stored.records.pool)));
        let form = if directory.is_stored() { Form::Cognito } else { Form::Sealed };
        let issuer = Issuer::new(url, seal.clone(), keys, (form, lifetimes));
        let PoolMemory { silent, secrets, logged, .. } = memory.clone();
        Self {
            issuer,
            pages_url,
            grants,
            pushed,
            logouts,
            seal,
            directory,
            sessions,
            sign_in,
            silent,
            secrets,
            logged,
            failures,
            federation,
            clock,
            metrics,
        }
    }

    /// Whether the pool has a database.
    pub(crate) fn is_stored(&self) -> bool {
        self.directory.is_stored()
    }

    /// The name of the client for the sign-in page: its `name`, or the host of the redirect URI.
    pub(crate) fn client_name(&self, request: &AuthorizationRequest) -> String {
        let named = self.directory.client(&request.client_id).and_then(|client| client.name());
        let host = || Url::parse(&request.redirect_uri).ok().and_then(|url| url.host_str().map(str::to_owned));
        named.map(str::to_owned).or_else(host).unwrap_or_else(|| request.client_id.clone())
    }

    /// The name of a client that any program can use: not the host of its redirect URI, which is that of this device.
    pub(crate) fn program_name(&self, request: &AuthorizationRequest) -> String {
        let named = self.directory.client(&request.client_id).and_then(|client| client.name());
        named.unwrap_or(&request.client_id).to_owned()
    }

    /// The address at which the user can start the sign-in again. If the client restarts sign-ins by itself, or is an app without a
    /// web address, this is the redirect URI with an error. Otherwise it is the origin of the redirect URI.
    pub(crate) fn begin_again_location(&self, request: &AuthorizationRequest) -> String {
        let begins_again = self.directory.client(&request.client_id).is_some_and(|client| client.begins_again());
        match Url::parse(&request.redirect_uri) {
            Ok(url) if !begins_again && url.scheme() == "https" => format!("{}/", url.origin().ascii_serialization()),
            _ => self.not_signed_in_location(request),
        }
    }

    /// What a client is called on pages: its name, or the host of its address, or its ID.
    pub(crate) fn name_of(&self, client_id: &str) -> String {
        let name = self.directory.client(client_id).and_then(|client| {
            let url = client.redirect_uris().first().filter(|url| url.scheme() == "https");
            client.name().or_else(|| url?.host_str())
        });
        name.unwrap_or(client_id).to_owned()
    }

    /// The name and address of each application. Shown only to signed-in users.
    pub(crate) fn applications(&self) -> Vec<(String, String)> {
        let mut applications: Vec<(String, String)> = self
            .directory
            .clients()
            .flat_map(|client| client.redirect_uris().iter().map(move |url| (client, url)))
            .filter(|(_, url)| url.scheme() == "https")
            .map(|(client, url)| {
                let name = client.name().or(url.host_str()).unwrap_or(client.id());
                (name.to_owned(), format!("{}/", url.origin().ascii_serialization()))
            })
            .collect();
        applications.sort();
        applications.dedup_by(|one, other| one.1 == other.1);
        applications.truncate(APPLICATIONS_MAX);
        applications
    }

    /// The user of a session. `None` if the session is over, because the user does not exist, was disabled, or has another password.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn user(&self, session: &Session) -> Result<Option<Arc<User>>, database::Error> {
        self.user_with(&session.subject, &session.fingerprint).await
    }

    /// The user with this `sub`, if the user is enabled and has the same password as then.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn user_with(
        &self,
        subject: &str,
        fingerprint: &str,
    ) -> Result<Option<Arc<User>>, database::Error> {
        self.directory.user(subject, fingerprint).await
    }
}
