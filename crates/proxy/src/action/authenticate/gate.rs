//! One `authenticate-*` action, and how it is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::action::authenticate::metrics::Metrics;
use crate::action::authenticate::paths::Paths;
use crate::action::authenticate::renewer::Renewer;
use crate::action::authenticate::services::{GenerationServices, ProcessState};
use crate::action::authenticate::session_factory::SessionFactory;
use crate::action::settings::AuthenticateSettings;
use crate::claims::ClaimsHeaders;
use crate::drain::Control;
use crate::message::cookie::SameSite;
use crate::oidc;
use crate::page::Pages;
use crate::session::Sessions;
use crate::session::pending::{self, PendingLogins};
use crate::session::rounds::Rounds;

/// The part of the listener's maximum head size that the cookies of pending sign-ins may use. The rest is left for the session, the
/// cookies of the application and everything else.
const PENDING_SHARE: usize = 2;

/// One `authenticate-*` action with one provider, or with several of which the user chooses one.
///
/// With several, the action has a [`Choice`] with a gate of its own for each provider. Those gates sign users in, make their visitors and
/// refresh their sessions. The action itself opens the session of a request, and lets the user choose where there is none.
#[derive(Debug)]
pub struct Authenticate {
    /// Unique among all actions of this and earlier configurations, so that a worker never uses a session that it cached for another
    /// action.
    pub(super) id: u64,
    /// Identifies the action in a pending sign-in, across restarts and replicas.
    pub(super) key: String,
    /// Tells apart actions with one key whose sign-ins begin in other ways. `None` for an action that sets nothing of this.
    pub(super) shape: Option<String>,
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
    /// The providers to choose from. `None` for an action with one provider, and for each gate of a choice.
    pub(super) choice: Option<Choice>,
    /// In a gate of a choice: the key of the action that has the choice. Its tickets lead to the page on which users choose.
    pub(super) chosen_from: Option<Arc<str>>,
}

/// The providers that the users of one action choose from.
#[derive(Debug)]
pub(super) struct Choice {
    /// At least two, in the order of the configuration.
    pub(super) gates: Box<[Arc<Authenticate>]>,
}

impl Authenticate {
    /// Creates an action. `providers` are those of the settings, in the same order, each with its `logout`, which determines whether sessions
    /// keep the ID token. `head_bytes_max` is the limit of the listener, which limits the cookies of pending sign-ins.
    pub fn new(
        settings: AuthenticateSettings,
        providers: Vec<(Arc<oidc::RelyingParty>, oidc::settings::Logout)>,
        services: &GenerationServices,
        head_bytes_max: usize,
    ) -> Self {
        let first = providers.first().expect("an action has a provider").clone();
        if providers.len() == 1 {
            return Self::with(settings, first, services, head_bytes_max);
        }
        let names: Vec<&str> = settings.providers.iter().map(|provider| &**provider.kind.name()).collect();
        // No name contains a comma.
        let key = gate_key(&settings, &names.join(","));
        let chosen_from: Arc<str> = key.as_str().into();
        let gates = settings.providers.iter().zip(providers).map(|(provider, client)| {
            let settings = AuthenticateSettings { providers: vec![provider.clone()], ..settings.clone() };
            let gate = Self::with(settings, client, services, head_bytes_max);
            Arc::new(Self { chosen_from: Some(Arc::clone(&chosen_from)), ..gate })
        });
        let choice = Some(Choice { gates: gates.collect() });
        Self { choice, key, ..Self::with(settings, first, services, head_bytes_max) }
    }

    /// A gate of one provider.
    fn with(
        settings: AuthenticateSettings,
        (client, logout): (Arc<oidc::RelyingParty>, oidc::settings::Logout),
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
            endings: services.memory.endings.of(client.issuer()),
            memory: services.memory.clone(),
        };
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            key: gate_key(&settings, client.name()),
            shape: shape(&settings),
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
            choice: None,
            chosen_from: None,
        }
    }

    /// The gates that sign users in: the action itself, or one for each provider of its choice.
    pub(super) fn signing_in(self: &Arc<Self>) -> &[Arc<Self>] {
        self.choice.as_ref().map_or(std::slice::from_ref(self), |choice| &choice.gates)
    }

    /// Whether an action with these settings would behave the same.
    pub fn is_of(&self, settings: &AuthenticateSettings) -> bool {
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

/// What `authentication_request_extra_params` and `same_site` add to the key. It is no part of the key itself: a sign-in that has begun
/// finishes after a reload that changes only these.
fn shape(settings: &AuthenticateSettings) -> Option<String> {
    let AuthenticateSettings { extra_params, same_site, .. } = settings;
    let is_plain = extra_params.is_empty() && *same_site == SameSite::default();
    (!is_plain).then(|| pending::tag(&format!("{same_site:?}\n{extra_params:?}")))
}

/// The first of these gates that begins sign-ins as `shape` says. If there is none, the first: the configuration has changed since.
pub(super) fn of_shape<'g, T>(
    found: impl Iterator<Item = (&'g Arc<Authenticate>, T)>,
    shape: impl Fn(&T) -> Option<&str>,
) -> Option<(&'g Arc<Authenticate>, T)> {
    let mut first = None;
    for (gate, one) in found {
        if gate.shape.as_deref() == shape(&one) {
            return Some((gate, one));
        }
        first.get_or_insert((gate, one));
    }
    first
}
