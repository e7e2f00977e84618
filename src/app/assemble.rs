//! Settings → live objects, in the order in which they need each other: providers and pools, then gates, then chains, then
//! listeners. Names become references here and nowhere later.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use http::HeaderValue;

use crate::action::authenticate::endpoints::Endpoints;
use crate::action::authenticate::local::Local;
use crate::action::authenticate::memory::Memory;
use crate::action::authenticate::paths;
use crate::action::authenticate::{Authenticate, Services};
use crate::action::fixed_response::FixedResponse;
use crate::action::forward::Forward;
use crate::action::redirect::Redirect;
use crate::action::settings::{AuthenticateKind, ChainSettings, GateSettings, TerminalSettings};
use crate::action::{ActionChain, Gate, Terminal, Worker};
use crate::app::Error;
use crate::app::providers::{Provider, Providers};
use crate::claims::ClaimsHeaders;
use crate::clock::Clock;
use crate::config::{Config, ListenerConfig};
use crate::drain::{Control, Spawner};
use crate::listener::Shared;
use crate::listener::certificate::Certificates;
use crate::message::WholeResponse;
use crate::message::header::Protected;
use crate::oidc;
use crate::proxy::snapshot::{Selected, Snapshot};
use crate::rule::{Rule, RuleSet};
use crate::session::names::OurCookies;
use crate::telemetry::metrics::{Counter, Registry};
use crate::telemetry::once::Once;
use crate::upstream::client::Client;
use crate::upstream::group::TargetGroup;
use crate::upstream::metrics::Metrics;

/// Everything that one configuration serves with; shared by all workers, changed by none.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) clock: Clock,
    groups: Vec<Arc<TargetGroup>>,
    claims: Option<Arc<ClaimsHeaders>>,
    clients: Vec<Arc<oidc::Client>>,
}

/// A listener, ready to be bound.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) name: Arc<str>,
    pub(crate) address: SocketAddr,
    pub(crate) shared: Shared,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Shown in the metrics as long as the listener is there.
    _certificate_expiries: Vec<Counter>,
}

impl Assembled {
    /// Assembles a configuration.
    ///
    /// # Errors
    ///
    /// Where the machine cannot do what the configuration says.
    pub(crate) fn new(config: Config, clock: &Clock, registry: &Registry, control: &Control) -> Result<Self, Error> {
        let providers = Providers::new(config.providers, config.user_pools, &config.paths, clock, registry)?;
        let clients = providers.watch(control);
        let now = clock.instant();
        let groups: Vec<_> =
            config.target_groups.into_iter().map(|group| Arc::new(TargetGroup::new(group, now))).collect();
        let claims = config.claims.map(|settings| Arc::new(ClaimsHeaders::new(settings)));
        let services = config.session.zip(claims.clone()).map(|(session, claims)| Services {
            session,
            claims,
            paths: Arc::clone(&config.paths),
            memory: Memory::new(registry),
            control: control.clone(),
            clock: clock.clone(),
            registry: registry.clone(),
        });
        let places =
            groups.iter().enumerate().map(|(place, group)| (Arc::clone(&group.settings.name), place)).collect();
        let owned = claims.iter().flat_map(|claims| claims.owned_names());
        let our_cookies = our_cookies(&config.listeners, &providers);
        let parts = Parts {
            our_cookies,
            told: Arc::default(),
            providers,
            services,
            places,
            protected: Arc::new(Protected::new(owned)),
            workers: config.workers,
            registry: registry.clone(),
        };
        let listeners = config.listeners.into_iter().map(|listener| parts.listener(listener)).collect();
        Ok(Self { listeners, clock: clock.clone(), groups, claims, clients })
    }

    /// What one worker has for itself. Call it on the worker's thread.
    pub(crate) fn worker(&self, index: usize, registry: &Registry, spawner: Spawner) -> Worker {
        let client = |group: &Arc<TargetGroup>| {
            let metrics = Metrics::new(registry, &group.settings.name);
            Client::new(Arc::clone(group), index, self.clock.clone(), metrics, spawner.clone())
        };
        Worker {
            authenticate: Local::new(registry),
            groups: self.groups.iter().map(client).collect(),
            clock: self.clock.clone(),
            spawner,
        }
    }

    /// Asks every provider on the network whether it answers, and says so in the log.
    pub(crate) fn greet_providers(&self, control: &Control) {
        for client in &self.clients {
            let client = Arc::clone(client);
            control.start_detached(async move { client.greet().await });
        }
    }

    /// What fails at the providers, one line each.
    pub(crate) fn provider_troubles(&self) -> Vec<String> {
        self.clients.iter().flat_map(|client| client.troubles()).map(|trouble| trouble.to_string()).collect()
    }

    /// What the operator's endpoint answers about keys: the same as a public listener (DESIGN §4).
    pub(crate) fn public_keys(&self, path: &str) -> Option<WholeResponse> {
        let keys = self.claims.as_ref()?.public_keys();
        match path.strip_prefix(paths::KEYS) {
            Some(kid) => keys.pem(kid),
            None => (path == paths::KEY_SET).then(|| keys.key_set()),
        }
    }
}

/// What listeners are made of.
struct Parts {
    providers: Providers,
    /// There where a rule authenticates: the configuration was checked for it.
    services: Option<Services>,
    /// Each target group's place among a worker's clients.
    places: BTreeMap<Arc<str>, usize>,
    protected: Arc<Protected>,
    our_cookies: Arc<OurCookies>,
    /// Targets about whose cookies something was said.
    told: Arc<Once>,
    workers: usize,
    registry: Registry,
}

impl Parts {
    fn listener(&self, config: ListenerConfig) -> Listener {
        let ListenerConfig { settings, rules, default, encoded_slash } = config;
        let mut gates = Vec::new();
        let head_bytes_max = settings.limits.head_bytes_max;
        let mut chain = |settings: ChainSettings| self.chain(settings, head_bytes_max, &mut gates);
        let count = rules.len();
        let mut rules: Vec<Rule<Selected>> = rules
            .into_iter()
            .map(|rule| Rule {
                name: rule.name,
                priority: rule.priority,
                conditions: rule.conditions,
                payload: Selected { place: 0, chain: chain(rule.chain), encoded_slash: rule.encoded_slash },
            })
            .collect();
        let default = Selected { place: count, chain: chain(default), encoded_slash };
        rules.sort_by_key(|rule| rule.priority);
        rules.iter_mut().enumerate().for_each(|(place, rule)| rule.payload.place = place);
        let endpoints =
            self.services.as_ref().filter(|_| !gates.is_empty()).map(|services| Endpoints::new(gates, services));
        let snapshot = Snapshot {
            listener: Arc::clone(&settings.name),
            address: reachable(settings.address),
            protected: Arc::clone(&self.protected),
            rules: RuleSet::new(rules, default),
            method_override: settings.method_override,
            endpoints,
            pools: self.providers.pools(),
        };
        let expiries = |certificates: &Arc<Certificates>| certificates.expiry_gauges(&settings.name, &self.registry);
        Listener {
            _certificate_expiries: settings.certificates.as_ref().map(expiries).unwrap_or_default(),
            name: Arc::clone(&settings.name),
            address: settings.address,
            shared: Shared::new(settings, self.workers),
            snapshot: Arc::new(snapshot),
        }
    }

    fn chain(&self, settings: ChainSettings, head_bytes_max: usize, gates: &mut Vec<Arc<Authenticate>>) -> ActionChain {
        let gate = settings.gates.into_iter().next().map(|GateSettings::Authenticate(settings)| {
            // One for all rules of the listener that say the same, so that a session is opened once for all of them.
            if let Some(gate) = gates.iter().find(|gate| gate.is_of(&settings)) {
                return Gate::Authenticate(Arc::clone(gate));
            }
            let services = self.services.as_ref().expect("a configuration with a gate has session and claims");
            let Provider { client, logout } = self.providers.find(&settings.kind);
            let gate = Arc::new(Authenticate::new(settings, client, logout, services, head_bytes_max));
            gates.push(Arc::clone(&gate));
            Gate::Authenticate(gate)
        });
        let terminal = match settings.terminal {
            TerminalSettings::Redirect(settings) => Terminal::Redirect(Redirect::new(settings)),
            TerminalSettings::FixedResponse(settings) => Terminal::FixedResponse(FixedResponse::new(settings)),
            TerminalSettings::Forward(settings) => Terminal::Forward(Forward {
                group: self.places[&settings.target_group],
                preserve_host: settings.preserve_host,
                protected: Arc::clone(&self.protected),
                our_cookies: Arc::clone(&self.our_cookies),
                told: Arc::clone(&self.told),
            }),
        };
        ActionChain { gate, terminal }
    }
}

/// The cookies of every gate of every listener and of every user pool, for a browser does not keep the cookies of one port
/// from another (attacks H-15).
fn our_cookies(listeners: &[ListenerConfig], providers: &Providers) -> Arc<OurCookies> {
    let gates = listeners.iter().flat_map(ListenerConfig::chains).flat_map(|chain| &chain.gates);
    let base = |GateSettings::Authenticate(settings): &GateSettings| Arc::clone(&settings.session_cookie_name);
    Arc::new(OurCookies::new(gates.map(base), !providers.pools().is_empty()))
}

/// An address as a client would name it: one that listens everywhere is named by this machine's own.
fn reachable(address: SocketAddr) -> HeaderValue {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let text = SocketAddr::new(ip, address.port()).to_string();
    // A free port, which is not known yet, is left out.
    let text = text.strip_suffix(":0").unwrap_or(&text);
    HeaderValue::from_str(text).expect("an address is ASCII")
}

impl Providers {
    fn find(&self, kind: &AuthenticateKind) -> Provider {
        match kind {
            AuthenticateKind::Oidc(name) => self.oidc(name),
            AuthenticateKind::UserPool(name) => self.user_pool(name),
        }
    }
}
