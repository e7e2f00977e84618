//! One configuration as the workers serve it: immutable, and replaced as a whole.
//!
//! Builds the live objects from settings, in the order of their dependencies: providers and pools, gates, chains,
//! listeners. Names are resolved to references here and nowhere else. What must survive the next configuration is taken from the
//! [`Process`].

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};

use http::HeaderValue;

use crate::action::authenticate::GenerationServices;
use crate::action::authenticate::endpoints::Endpoints;
use crate::action::authenticate::worker_state::WorkerState;
use crate::action::authorize::Owner;
use crate::action::bearer::worker_state::BearerState;
use crate::action::extras::{Extras, WorkerExtras};
use crate::action::settings::{ChainSettings, GateSettings};
use crate::action::worker::Worker;
use crate::admin;
use crate::app::chains::{Actions, Chains};
use crate::app::error::Error;
use crate::app::pool_tasks::PoolWork;
use crate::app::process::Process;
use crate::app::providers::Providers;
use crate::certificate::acme;
use crate::certificate::client::policy::Mode;
use crate::claims::ClaimsHeaders;
use crate::claims::public_keys::Asked;
use crate::clock::{Clock, Timestamp};
use crate::config::{Config, ListenerConfig};
use crate::console::Console;
use crate::drain::{Control, Spawner};
use crate::forward_auth::questions::Questions;
use crate::listener::settings::{Settings, Tls};
use crate::listener::state::GenerationListener;
use crate::listener::tls::ProcessTls;
use crate::message::WholeResponse;
use crate::message::forwarded::Policy;
use crate::message::header::Protected;
use crate::oidc;
use crate::page::Pages;
use crate::proxy::snapshot::{Selected, Snapshot};
use crate::rule::{self, Rule, RuleSet};
use crate::session::names::OurCookies;
use crate::static_files::worker_files::WorkerFiles;
use crate::telemetry::access_log::alb::Names;
use crate::telemetry::metrics::{Counter, GaugeGuard, Registry};
use crate::telemetry::traces::tracer::Tracer;
use crate::upstream::group::TargetGroup;
use crate::upstream::group_client::GroupClient;
use crate::upstream::metrics::Metrics;
use crate::upstream::report;
use crate::upstream::worker_connections::WorkerConnections;
use crate::user_pool::UserPool;

/// The objects built from one configuration. All workers share them; they never change. Freed when the last request ends that began
/// with them.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) admin: admin::Settings,
    /// The pages for the person on call.
    pub(crate) console: Option<Arc<Console>>,
    /// Whether to reload when a file changes.
    pub(crate) watch: bool,
    /// For which names certificates are obtained.
    pub(crate) acme: Option<acme::settings::Settings>,
    /// What user pools do besides answering requests.
    pub(crate) pool_work: Vec<PoolWork>,
    groups: Vec<Arc<TargetGroup>>,
    /// What some `forward` actions need, by their place.
    extras: Vec<Arc<Extras>>,
    /// The directory of each `static` action, by its place.
    sites: Vec<PathBuf>,
    claims: Option<Arc<ClaimsHeaders>>,
    clients: Vec<Arc<oidc::RelyingParty>>,
    pools: Vec<Arc<UserPool>>,
}

/// A listener of one configuration.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) id: ListenerId,
    pub(crate) on_wire: GenerationListener,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Keeps a series in the metrics as long as the listener exists.
    _certificate_expiries: Vec<Counter>,
    /// The same for the authorities of its clients.
    _trust_store: Vec<Counter>,
}

/// What makes a listener the same in two configurations: its address. Those that take a free port are told apart by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListenerId {
    address: SocketAddr,
    name: Option<Arc<str>>,
}

impl ListenerId {
    pub(crate) fn of(settings: &Settings) -> Self {
        let name = (settings.address.port() == 0).then(|| Arc::clone(&settings.name));
        Self { address: settings.address, name }
    }

    /// The listener as another process of Vestibule knows it.
    pub(crate) fn key(&self) -> String {
        match &self.name {
            None => self.address.to_string(),
            Some(name) => format!("{} {name}", self.address),
        }
    }
}

/// What a worker thread has under every configuration.
pub(crate) struct OnThread<'w> {
    pub(crate) index: usize,
    pub(crate) connections: &'w Rc<WorkerConnections>,
    pub(crate) files: &'w WorkerFiles,
    pub(crate) spawner: &'w Spawner,
}

impl Listener {
    pub(crate) fn name(&self) -> &str {
        &self.on_wire.settings().name
    }
}

impl Generation {
    /// Assembles a configuration.
    ///
    /// # Errors
    ///
    /// Returns an error if the system lacks something that the configuration needs.
    pub(crate) fn new(config: Config, process: &Process) -> Result<Self, Error> {
        let Process { clock, registry, control, .. } = process;
        let pages = Arc::new(Pages::new(config.pages));
        let mut providers = Providers::new(config.providers, config.user_pools, &config.paths, &pages, process)?;
        let pool_work = providers.take_pool_work();
        let consoles = providers.take_consoles();
        let console =
            config.admin.console.clone().map(|password| Arc::new(Console::new(password, consoles, clock.clone())));
        let session = config.session.clone();
        let groups: Vec<_> =
            config.target_groups.into_iter().map(|group| TargetGroup::new(group, &process.targets)).collect();
        let claims = config.claims.map(|settings| Arc::new(ClaimsHeaders::new(settings)));
        let services = config.session.zip(claims.clone()).map(|(session, claims)| GenerationServices {
            session,
            claims,
            paths: Arc::clone(&config.paths),
            pages: Arc::clone(&pages),
            memory: process.sessions.clone(),
            control: control.clone(),
            clock: clock.clone(),
            registry: registry.clone(),
        });
        let places =
            groups.iter().enumerate().map(|(place, group)| (Arc::clone(&group.settings.name), place)).collect();
        let owned = claims.iter().flat_map(|claims| claims.owned_names());
        let owned = owned.chain(config.listeners.iter().flat_map(|listener| listener.settings.forwarded.owned_names()));
        let policies =
            config.listeners.iter().filter_map(|listener| listener.settings.tls.as_ref()?.clients.as_deref());
        let owned = owned.chain(policies.flat_map(|policy| policy.names.all()));
        let our_cookies = our_cookies(&config.listeners, &groups, &providers, process);
        let (clients, pools) = (providers.clients(), providers.pools());
        let alb = config.alb.map(|alb| Arc::new(alb.names(groups.iter().map(|group| &*group.settings.name))));
        let tracer = process.traces.tracer(config.traces, (clock, registry, control))?;
        let build = Build {
            chains: Chains {
                providers,
                services,
                claims: claims.clone(),
                control: control.clone(),
                endings: process.sessions.endings.clone(),
                session,
                extras: RefCell::default(),
                sites: RefCell::default(),
                places,
                protected: Arc::new(Protected::new(owned)),
                our_cookies,
                told: Arc::clone(&process.told),
                registry: registry.clone(),
            },
            alb,
            tracer,
            pages,
            tls: process.tls.clone(),
            clock: clock.clone(),
            registry: registry.clone(),
            alive: Arc::new(process.generations.hold()),
        };
        let listeners = config.listeners.into_iter().map(|mut listener| {
            let (name, policy) = (Arc::clone(&listener.settings.name), Arc::clone(&listener.settings.forwarded));
            let Ok(policy) =
                process.policies.take_over((name, Policy::clone(&policy)), |_| Ok::<_, Infallible>(policy));
            listener.settings.forwarded = policy;
            build.listener(listener)
        });
        let listeners = listeners.collect();
        let (extras, sites) = (build.chains.extras.into_inner(), build.chains.sites.into_inner());
        Ok(Self {
            listeners,
            admin: config.admin,
            console,
            watch: config.watch,
            acme: config.acme,
            pool_work,
            groups,
            extras,
            sites,
            claims,
            clients,
            pools,
        })
    }

    /// Gives back the targets that the generation in force does not have: their requests end within `deregistration_delay`. Call it
    /// when the workers have adopted that one.
    pub(crate) fn retire(&self) {
        self.groups.iter().for_each(|group| group.retire());
    }

    /// Has the user pools know that their users are those of this configuration now.
    pub(crate) fn is_in_force(&self, now: Timestamp) {
        self.pools.iter().for_each(|pool| pool.is_in_force(now));
    }

    /// The objects that each worker has for itself. Call it on the thread of the worker.
    pub(crate) fn worker(&self, process: &Process, on: &OnThread<'_>) -> Worker {
        let Process { clock, registry, .. } = process;
        let client = |group: &Arc<TargetGroup>| {
            let metrics = Metrics::new(registry, &group.settings);
            GroupClient::new(Arc::clone(group), on.connections, on.index, metrics, on.spawner.clone())
        };
        Worker {
            authenticate: WorkerState::new(registry),
            bearer: BearerState::new(registry),
            groups: self.groups.iter().map(client).collect(),
            extras: self.extras.iter().map(|extras| WorkerExtras::new(extras, on.index)).collect(),
            disks: self.sites.iter().map(|directory| on.files.disk(directory)).collect(),
            places: on.files.places.clone(),
            reported: Rc::default(),
            clock: clock.clone(),
            spawner: on.spawner.clone(),
        }
    }

    /// Contacts every external provider and logs whether it answers.
    pub(crate) fn greet_providers(&self, control: &Control) {
        for client in &self.clients {
            let client = Arc::clone(client);
            control.start_detached(async move { client.greet().await });
        }
    }

    /// Current failures of providers, one line each.
    pub(crate) fn provider_troubles(&self) -> Vec<String> {
        self.clients.iter().flat_map(|client| client.troubles()).map(|trouble| trouble.to_string()).collect()
    }

    /// The targets and their health, as JSON.
    pub(crate) fn targets(&self, process: &Process) -> String {
        report::report(&self.groups, &process.targets)
    }

    /// The response of the admin endpoint to requests for public keys: the same as on a public listener (DESIGN §4).
    pub(crate) fn public_keys(&self, path: &str) -> Option<WholeResponse> {
        self.claims.as_ref()?.public_keys().answer(&Asked::by(path)?)
    }
}

/// The inputs for building listeners.
struct Build {
    chains: Chains,
    pages: Arc<Pages>,
    tls: ProcessTls,
    clock: Clock,
    registry: Registry,
    /// The names in the access log, if it has the format of the ALB.
    alb: Option<Arc<Names>>,
    /// What records requests as traces, if there is a collector.
    tracer: Option<Arc<Tracer>>,
    /// Counts the generation until its last snapshot is freed.
    alive: Arc<GaugeGuard>,
}

impl Build {
    fn listener(&self, config: ListenerConfig) -> Listener {
        let ListenerConfig { settings, rules, default, encoded_slash, cors, forward_auth } = config;
        let mut actions = Actions::default();
        let head_bytes_max = settings.limits.head_bytes_max;
        let mut chain = |rule: &str, chain: ChainSettings| {
            self.chains.chain(&Owner { listener: &settings.name, rule }, chain, head_bytes_max, &mut actions)
        };
        let count = rules.len();
        let mut rules: Vec<Rule<Selected>> = rules
            .into_iter()
            .map(|rule| Rule {
                payload: Selected {
                    place: 0,
                    chain: chain(&rule.name, rule.chain),
                    encoded_slash: rule.encoded_slash,
                    cors: rule.cors,
                },
                name: rule.name,
                priority: rule.priority,
                conditions: rule.conditions,
            })
            .collect();
        let default = Selected { place: count, chain: chain(rule::DEFAULT, default), encoded_slash, cors };
        rules.sort_by_key(|rule| rule.priority);
        rules.iter_mut().enumerate().for_each(|(place, rule)| rule.payload.place = place);
        let Actions { authenticate, bearer } = actions;
        let services = self.chains.services.as_ref().filter(|_| !authenticate.is_empty());
        let endpoints = services.map(|services| Endpoints::new(authenticate, services));
        let snapshot = Snapshot {
            listener: Arc::clone(&settings.name),
            address: reachable(settings.address),
            protected: Arc::clone(&self.chains.protected),
            rules: RuleSet::new(rules, default),
            method_override: settings.method_override,
            desync: settings.desync,
            response_headers: settings.response_headers.clone(),
            endpoints,
            takes_tokens: !bearer.is_empty(),
            pools: self.chains.providers.pools(),
            pages: Arc::clone(&self.pages),
            forwarded: Arc::clone(&settings.forwarded),
            alb: self.alb.clone(),
            tracer: self.tracer.clone(),
            questions: forward_auth.map(Questions::new),
            alive: Arc::clone(&self.alive),
            clients: settings.tls.as_ref().and_then(|tls| tls.clients.clone()),
            // Authorities ask for it without TLS (RFC 8555 §8.3).
            acme: settings.tls.is_none().then(|| Arc::clone(&self.tls.issued)),
        };
        let expiries = |tls: &Tls| Some(tls.certificates.as_ref()?.expiry_gauges(&settings.name, &self.registry));
        let trust_store = |tls: &Tls| match &tls.clients.as_ref()?.mode {
            Mode::Verify(verify) => Some(verify.store.gauges(&settings.name, &self.registry)),
            Mode::Passthrough => None,
        };
        Listener {
            _certificate_expiries: settings.tls.as_ref().and_then(expiries).unwrap_or_default(),
            _trust_store: settings.tls.as_ref().and_then(trust_store).unwrap_or_default(),
            id: ListenerId::of(&settings),
            on_wire: GenerationListener::new(settings, &self.tls, &self.clock),
            snapshot: Arc::new(snapshot),
        }
    }
}

/// The cookies of every gate of every listener, of every target group and of every user pool, because browsers send cookies to all ports
/// of a host (attacks H-15).
fn our_cookies(
    listeners: &[ListenerConfig],
    groups: &[Arc<TargetGroup>],
    providers: &Providers,
    process: &Process,
) -> Arc<OurCookies> {
    let gates = listeners.iter().flat_map(ListenerConfig::chains).flat_map(|chain| &chain.gates);
    let base = |gate: &GateSettings| Some(Arc::clone(&gate.authenticate()?.session_cookie_name));
    let sticky = groups.iter().filter_map(|group| group.settings.stickiness.as_ref());
    let mut known = process.cookie_names.lock().unwrap_or_else(PoisonError::into_inner);
    known.bases.extend(gates.filter_map(base));
    known.has_pool |= !providers.pools().is_empty();
    known.stickiness.extend(sticky.flat_map(|settings| settings.format.reserved()));
    let forwards = listeners.iter().flat_map(ListenerConfig::chains).filter_map(|chain| chain.terminal.forward());
    known
        .stickiness
        .extend(forwards.filter_map(|forward| forward.stickiness).flat_map(|settings| settings.format.reserved()));
    Arc::new(OurCookies::new(known.bases.iter().cloned(), known.has_pool).and(known.stickiness.iter().copied()))
}

/// An address as clients use it. An unspecified address is replaced by the loopback address.
fn reachable(address: SocketAddr) -> HeaderValue {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let text = SocketAddr::new(ip, address.port()).to_string();
    // Port 0 is removed: the port is not known yet.
    let text = text.strip_suffix(":0").unwrap_or(&text);
    HeaderValue::from_str(text).expect("an address is ASCII")
}
