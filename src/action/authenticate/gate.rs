//! One `authenticate-*` action, and how it is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::action::authenticate::metrics::Metrics;
use crate::action::authenticate::paths::Paths;
use crate::action::authenticate::renewer::Renewer;
use crate::action::authenticate::services::{GenerationServices, ProcessState};
use crate::action::authenticate::session_factory::SessionFactory;
use crate::action::settings::AuthenticateSettings;
use crate::action::supposed_user::Supposed;
use crate::claims::ClaimsHeaders;
use crate::drain::Control;
use crate::identity::Claims;
use crate::oidc;
use crate::page::Pages;
use crate::session::Sessions;
use crate::session::pending::PendingLogins;
use crate::session::rounds::Rounds;

/// The part of the listener's maximum head size that the cookies of pending sign-ins may use. The rest is left for the session, the
/// cookies of the application and everything else.
const PENDING_SHARE: usize = 2;

/// One `authenticate-*` action.
#[derive(Debug)]
pub(crate) struct Authenticate {
    /// Unique among all actions of this and earlier configurations, so that a worker never uses a session that it cached for another
    /// action.
    pub(super) id: u64,
    /// Identifies the action in a pending sign-in, across restarts and replicas.
    pub(super) key: String,
    /// The callback path. A response at another path does not belong to this action.
    pub(super) callback: Box<str>,
    pub(super) settings: AuthenticateSettings,
    pub(super) factory: Arc<SessionFactory>,
    pub(super) pending: PendingLogins,
    pub(super) rounds: Rounds,
    pub(super) claims: Arc<ClaimsHeaders>,
    pub(super) paths: Arc<Paths>,
    pub(super) pages: Arc<Pages>,
    pub(super) memory: ProcessState,
    pub(super) control: Control,
    pub(super) renewer: Arc<Renewer>,
    pub(super) metrics: Metrics,
}

impl Authenticate {
    /// Creates an action. `logout` is the setting of the provider, which determines whether sessions keep the ID token. `head_bytes_max` is
    /// the limit of the listener, which limits the cookies of pending sign-ins.
    pub(crate) fn new(
        settings: AuthenticateSettings,
        client: Arc<oidc::RelyingParty>,
        logout: oidc::settings::Logout,
        services: &GenerationServices,
        head_bytes_max: usize,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let base = &settings.session_cookie_name;
        let sessions = Sessions::new(&services.session, Arc::clone(base)).for_requests_of(settings.same_site);
        let metrics = Metrics::new(&services.registry, client.name(), services.claims.owned_names());
        let factory = Arc::new(SessionFactory::new(&settings, Arc::clone(&client), logout, sessions, services));
        let renewer = Renewer {
            factory: Arc::clone(&factory),
            control: services.control.clone(),
            refreshes: metrics.refreshes.clone(),
            memory: services.memory.clone(),
        };
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            key: gate_key(&settings, client.name()),
            callback: client.callback_path().unwrap_or(&services.paths.callback).into(),
            pending: PendingLogins::new(&services.session, Arc::clone(base), head_bytes_max / PENDING_SHARE),
            rounds: Rounds::new(Arc::clone(base), settings.session_timeout),
            factory,
            renewer: Arc::new(renewer),
            claims: Arc::clone(&services.claims),
            paths: Arc::clone(&services.paths),
            pages: Arc::clone(&services.pages),
            memory: services.memory.clone(),
            control: services.control.clone(),
            settings,
            metrics,
        }
    }

    /// The user whom a sign-in with these claims would give. Nothing is verified: for `check` only. `None` without a `sub`.
    pub(crate) fn supposed(&self, payload: Claims) -> Option<Supposed> {
        let identity = self.factory.client.supposed(payload)?;
        let claims = (Arc::clone(&self.claims), self.factory.client.client_id().to_owned());
        Some(Supposed { identity, claims: Some(claims) })
    }

    /// The name of the provider that users sign in at.
    pub(crate) fn provider(&self) -> &str {
        self.factory.client.name()
    }

    /// Whether an action with these settings would behave the same.
    pub(crate) fn is_of(&self, settings: &AuthenticateSettings) -> bool {
        self.settings == *settings
    }
}

/// Identifies an action by the settings that determine its sessions, so that a callback finds it after a restart or at another replica.
fn gate_key(settings: &AuthenticateSettings, provider: &str) -> String {
    let parts =
        [provider, &settings.session_cookie_name, &settings.scope, &settings.session_timeout.as_secs().to_string()];
    // None of the parts contains a line break.
    parts.join("\n")
}
