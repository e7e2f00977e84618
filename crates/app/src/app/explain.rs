//! For `check --request`: shows which rule matches a request, and why the others do not.
//!
//! Builds the same objects as `serve`, except sockets, and calls [`decide`], so that `check` and `serve` cannot
//! disagree.

mod certificate;
pub(crate) mod outcome;
mod probe;
mod suppose;
mod user;

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use ipnet::IpNet;
use tokio::runtime::Builder;

use crate::action::Terminal;
use crate::action::settings::{
    AuthenticateKind, AuthenticateSettings, AuthorizeMode, AuthorizeSettings, BearerSettings, ChainSettings,
    ForwardSettings, GateSettings, OnUnauthenticated, Piece, Protocol, ProviderChoice, Template, TerminalSettings,
    Validation,
};
use crate::action::transform::{self, Transformed, Transforms};
use crate::app::error::Error;
use crate::app::generation::Generation;
use crate::app::process::Process;
use crate::clock::Clock;
use crate::config::{Config, ListenerConfig};
use crate::drain::{self, Control};
use crate::exchange::Exchange;
use crate::exchange::connection::{Connection, Tls};
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::body::Body;
use crate::message::forwarded::Policy;
use crate::message::header::{FORWARDED_FOR, FORWARDED_PROTO};
use crate::message::uri::{self, CanonicalRequest, Scheme};
use crate::message::{Request, cors};
use crate::proxy::decide::{Decision, decide, decide_described, facts};
use crate::proxy::reserved::Answering;
use crate::proxy::snapshot::{Selected, Snapshot};
use crate::rule::Rule;
use crate::rule::condition::{Condition, Facts};
use crate::static_files::settings::Settings;
use crate::telemetry::metrics::Registry;
use crate::user_pool::At;
use outcome::{Explanation, Outcome};
pub(crate) use probe::{NotARequest, NotClaims, Probe};
use suppose::Credentials;

/// Facts about a listener that serving does not need.
struct Place {
    name: Arc<str>,
    address: SocketAddr,
    forwarded: Arc<Policy>,
    is_tls: bool,
    /// The chain of each rule, in order; the default actions are last.
    chains: Vec<String>,
}

/// What each listener that can receive a request does with it.
#[derive(Debug)]
pub(crate) struct Explanations {
    /// Why there are none, or why there are more than one could expect. Empty if there is nothing to say.
    note: String,
    pub(crate) of: Vec<Explanation>,
}

impl fmt::Display for Explanations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.of.iter().map(|explanation| explanation.text.as_str()).collect();
        write!(f, "{}{}", self.note, texts.join("\n"))
    }
}

/// Explains the handling of each request. It builds and calls the code that serves requests, except for the sockets.
///
/// # Errors
///
/// Returns an error if the system lacks something that the configuration needs.
pub(crate) fn explain(mut config: Config, probes: &[Probe]) -> Result<Vec<Explanations>, Error> {
    let places: Vec<Place> = config.listeners.iter().map(place).collect();
    let pools: Vec<(String, Arc<str>)> = config
        .user_pools
        .iter()
        .flat_map(|pool| {
            pool.settings.origins().map(|origin| (origin.authority().to_owned(), Arc::clone(&pool.settings.name)))
        })
        .collect();
    let groups: Vec<_> = config.target_groups.iter().map(|group| Arc::clone(&group.name)).collect();
    let runtime = Builder::new_current_thread().build().map_err(Error::Worker)?;
    let _entered = runtime.enter();
    let (_drain, draining) = drain::channel();
    let control = Control::new(runtime.handle().clone(), draining.spawner());
    let clock = Clock::system();
    let process = Process::new(clock.clone(), Registry::default(), control, config.shutdown);
    // Nobody signs in, and the file may be in use.
    config.user_pools.iter_mut().for_each(|pool| pool.settings.store = None);
    let generation = Generation::new(config, &process)?;
    let surroundings = Surroundings { pools: &pools, groups: &groups, clock: &clock };
    Ok(probes.iter().map(|probe| explain_one(&places, &generation, probe, &surroundings)).collect())
}

/// What an explanation needs besides the listener.
struct Surroundings<'s> {
    /// The authority and the name of each user pool.
    pools: &'s [(String, Arc<str>)],
    /// The names of the target groups.
    groups: &'s [Arc<str>],
    clock: &'s Clock,
}

fn explain_one(
    places: &[Place],
    generation: &Generation,
    probe: &Probe,
    surroundings: &Surroundings<'_>,
) -> Explanations {
    let mut note = String::new();
    let can_come: Vec<_> =
        places.iter().zip(&generation.listeners).filter(|(place, _)| place.can_receive(probe.scheme())).collect();
    let exact: Vec<_> = can_come.iter().copied().filter(|(place, _)| place.address.port() == probe.port()).collect();
    if can_come.is_empty() {
        let _ = writeln!(note, "no listener uses `{}`", probe.scheme().as_str());
    } else if exact.is_empty() && !can_come.iter().any(|(place, _)| place.is_behind_a_proxy()) {
        let _ = writeln!(
            note,
            "note: no listener uses port {}; showing the result for each of these listeners:\n",
            probe.port()
        );
    }
    let of = if exact.is_empty() { can_come } else { exact };
    let of = of.into_iter().map(|(place, listener)| place.explain(&listener.snapshot, probe, surroundings)).collect();
    Explanations { note, of }
}

fn place(listener: &ListenerConfig) -> Place {
    let mut rules: Vec<_> = listener.rules.iter().collect();
    rules.sort_by_key(|rule| rule.priority);
    let chains = rules.into_iter().map(|rule| &rule.chain).chain([&listener.default]).map(chain).collect();
    let settings = &listener.settings;
    Place {
        name: Arc::clone(&settings.name),
        address: settings.address,
        forwarded: Arc::clone(&settings.forwarded),
        is_tls: settings.tls.is_some(),
        chains,
    }
}

impl Place {
    /// A plain listener receives HTTPS requests from trusted proxies.
    fn can_receive(&self, scheme: Scheme) -> bool {
        match scheme {
            Scheme::Https => self.is_tls || !self.forwarded.trusted.is_empty(),
            Scheme::Http => !self.is_tls,
        }
    }

    /// The port that clients use is then the port of the proxy.
    fn is_behind_a_proxy(&self) -> bool {
        !self.forwarded.trusted.is_empty()
    }

    fn explain(&self, snapshot: &Snapshot, probe: &Probe, surroundings: &Surroundings<'_>) -> Explanation {
        let (peer, mut request) = self.request(probe);
        let tls = self.is_tls.then_some(Tls {
            version: "TLSv1.3",
            cipher_suite: "",
            openssl_cipher_suite: "",
            server_name: None,
        });
        let clock = surroundings.clock;
        let (client, note) = match certificate::client(snapshot.clients.as_ref(), probe, clock.now()) {
            Ok(client) => client,
            Err(outcome) => return self.without_connection(probe, *outcome),
        };
        let connection = Connection::new((peer, 0).into(), Arc::clone(&self.name), Arc::clone(&self.forwarded), tls)
            .with_client(client);
        let mut exchange = Exchange::begin(Rc::new(connection), clock.instant(), clock.now());
        let decision = self.decide(snapshot, &mut exchange, &mut request, probe);
        let canonical = exchange.request.clone();
        let asked = canonical.as_ref().map_or_else(|| format!("{} {}", probe.method, probe.uri), ToString::to_string);
        let mut text = format!("{asked} on listener `{}` ({})\n{note}", self.name, self.address);
        let (rule, outcome) = match (&canonical, decision) {
            (Some(canonical), Ok(Decision::Rule(taken))) => {
                self.explain_rules(&mut text, snapshot, taken, &facts(&exchange, canonical, &request));
                if let Terminal::Forward(forward) = &taken.payload.chain.terminal
                    && let Some(settings) = forward.transforms()
                {
                    explain_transforms(&mut text, settings, canonical);
                }
                let selected = (&taken.payload, &**canonical);
                let outcome = run(&mut text, selected, &mut exchange, (&mut request, probe), surroundings.groups);
                let name = if taken.priority == 0 { "default".to_owned() } else { taken.name.to_string() };
                (Some(name), outcome)
            }
            (Some(canonical), Ok(Decision::Ours(answering))) => {
                let pool = surroundings.pools.iter().find(|(authority, _)| authority == canonical.authority.as_str());
                let by = match (answering, pool) {
                    (Answering::Pool(_, At::ISSUER), Some((_, name))) => {
                        format!("the user pool `{name}`: this host is its issuer")
                    }
                    (Answering::Pool(..), Some((_, name))) => {
                        format!("the user pool `{name}`: this host is one of its `custom_domains`")
                    }
                    _ => "the proxy itself: this path is reserved".to_owned(),
                };
                let _ = writeln!(text, "  answered by {by}");
                (None, Outcome::Own)
            }
            (_, decision) => {
                let rejection = decision.err().unwrap_or_else(|| Reason::Internal.into());
                let outcome = Outcome::refused(&rejection);
                let _ = writeln!(text, "  {outcome}");
                (None, outcome)
            }
        };
        Explanation { listener: self.name.to_string(), rule, outcome, text }
    }

    fn without_connection(&self, probe: &Probe, outcome: Outcome) -> Explanation {
        let (Probe { method, uri, .. }, name) = (probe, &self.name);
        let mut text = format!("{method} {uri} on listener `{name}` ({})\n", self.address);
        outcome.describe(&mut text);
        Explanation { listener: name.to_string(), rule: None, outcome, text }
    }

    /// The decision of serving. A listener with `forward_auth` is asked about the request, by one of its peers.
    fn decide<'s>(
        &self,
        snapshot: &'s Snapshot,
        exchange: &mut Exchange,
        request: &mut Request,
        probe: &Probe,
    ) -> Result<Decision<'s>, Rejection> {
        if probe.has_fragment {
            return Err(uri::Error::Fragment.into());
        }
        if snapshot.questions.is_none() {
            return decide(snapshot, exchange, request).map(|decided| decided.decision);
        }
        exchange.client = probe.client;
        exchange.scheme = probe.scheme();
        decide_described(snapshot, exchange, request).map(|(_, rule)| Decision::Rule(rule))
    }

    fn explain_rules(&self, text: &mut String, snapshot: &Snapshot, taken: &Rule<Selected>, facts: &Facts<'_>) {
        for rule in snapshot.rules.iter() {
            let takes = std::ptr::eq(rule, taken);
            let verdict = if takes { "takes the request" } else { "no" };
            match rule.priority {
                0 => {
                    let _ = writeln!(text, "  default actions: {verdict}");
                }
                priority => {
                    let _ = writeln!(text, "  rule `{}` (priority {priority}): {verdict}", rule.name);
                }
            }
            for condition in &rule.conditions {
                let holds =
                    if condition.holds(facts) { "yes".to_owned() } else { format!("no, {}", found(condition, facts)) };
                let _ = writeln!(text, "    {condition}: {holds}");
            }
            if takes {
                let _ = writeln!(text, "    -> {}", self.chains[rule.payload.place]);
                break;
            }
        }
    }

    /// The request and the peer, as the listener would see them. On a plain listener, an HTTPS request comes from a
    /// trusted proxy.
    fn request(&self, probe: &Probe) -> (IpAddr, Request) {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = probe.method.clone();
        *request.uri_mut() = probe.uri.clone();
        *request.headers_mut() = probe.headers.clone();
        let proxy = self.forwarded.trusted.first().filter(|_| !self.is_tls && probe.scheme() == Scheme::Https);
        let Some(proxy) = proxy else { return (probe.client, request) };
        let headers = request.headers_mut();
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        if let Ok(client) = HeaderValue::try_from(probe.client.to_string()) {
            headers.entry(FORWARDED_FOR).or_insert(client);
        }
        (host_of(proxy), request)
    }
}

/// A machine of a network: its first one. The first address of a network is the network itself, or any of its routers
/// (RFC 4291 §2.6.1), unless the network has one or two addresses only.
fn host_of(network: &IpNet) -> IpAddr {
    match network {
        IpNet::V4(network) => network.hosts().next().unwrap_or_else(|| network.network()).into(),
        IpNet::V6(network) => {
            let mut hosts = network.hosts();
            let first = if network.prefix_len() < 127 { hosts.nth(1) } else { hosts.next() };
            first.unwrap_or_else(|| network.network()).into()
        }
    }
}

/// What a target receives in place of what the client sends.
fn explain_transforms(text: &mut String, settings: &transform::Settings, request: &CanonicalRequest) {
    match Transforms::new(settings).apply(request) {
        Ok(Transformed { host: None, target: None }) => {
            let _ = writeln!(text, "    transforms: no expression matches");
        }
        Ok(Transformed { host, target }) => {
            let host = host.map(|host| format!("the host `{}`", String::from_utf8_lossy(host.as_bytes())));
            let parts: Vec<_> = host.into_iter().chain(target.map(|target| format!("`{target}`"))).collect();
            let _ = writeln!(text, "    transforms: the target receives {}", parts.join(" and "));
        }
        // The outcome says so.
        Err(_) => {}
    }
}

/// Runs the chain of a rule, as far as nothing has to be verified or sent.
fn run(
    text: &mut String,
    (selected, canonical): (&Selected, &CanonicalRequest),
    exchange: &mut Exchange,
    (request, probe): (&mut Request, &Probe),
    groups: &[Arc<str>],
) -> Outcome {
    // Listeners with `forward_auth` have no CORS policies.
    if selected.cors.is_some() && cors::Asked::of(request.method(), request.headers()).is_preflight() {
        let outcome = Outcome::Answer { status: cors::preflight_response().status().as_u16() };
        text.push_str("    a CORS preflight is answered before any gate\n");
        outcome.describe(text);
        return outcome;
    }
    let credentials = Credentials { session: probe.claims.as_ref(), token: probe.token.as_ref() };
    let supposition = suppose::suppose(&selected.chain, exchange, (canonical, request), credentials, groups);
    match probe.token.as_ref().or(probe.claims.as_ref()) {
        Some(claims) => user::explain(text, &selected.chain, claims, &supposition),
        None => user::steps(text, &supposition.steps),
    }
    let outcome = Outcome::of(supposition.end, &probe.headers);
    outcome.describe(text);
    outcome
}

/// The value of the request that the condition was compared with.
fn found(condition: &Condition, facts: &Facts<'_>) -> String {
    let request = facts.request;
    match condition {
        Condition::HostHeader(_) => format!("the host is `{}`", request.host()),
        Condition::PathPattern(_) => format!("the path is `{}`", request.path()),
        Condition::HttpRequestMethod(_) => format!("the method is `{}`", request.method),
        Condition::SourceIp(_) => format!("the client is {}", facts.client),
        Condition::HttpHeader(name, _) => match facts.headers.get(name) {
            Some(value) => format!("the header is `{}`", String::from_utf8_lossy(value.as_bytes())),
            None => "the header is missing".to_owned(),
        },
        Condition::QueryString(_) => match request.query() {
            Some(query) => format!("the query is `{query}`"),
            None => "the query is missing".to_owned(),
        },
    }
}

/// Describes a chain in one line.
pub(super) fn chain(chain: &ChainSettings) -> String {
    let gates = chain.gates.iter().map(|gate| match gate {
        GateSettings::Authenticate(gate) => authenticate(gate),
        GateSettings::Bearer(gate) => format!("jwt-validation by {} (otherwise: 401), then ", bearer(gate)),
        GateSettings::SessionOrBearer(session, gate) => {
            format!("a token by {}, or {}", bearer(gate), authenticate(session))
        }
        GateSettings::Authorize(gate) => authorize(gate),
    });
    gates.chain(std::iter::once(terminal(&chain.terminal))).collect()
}

fn authenticate(gate: &AuthenticateSettings) -> String {
    let action = match gate.providers.as_slice() {
        [ProviderChoice { kind: AuthenticateKind::UserPool(_), .. }] => "authenticate-user-pool",
        _ => "authenticate-oidc",
    };
    let names: Vec<_> = gate.providers.iter().map(|provider| format!("`{}`", provider.kind.name())).collect();
    let issuer = names.join(" or ");
    let without = match gate.on_unauthenticated {
        OnUnauthenticated::Authenticate => "sign in",
        OnUnauthenticated::Deny => "answer 401",
        OnUnauthenticated::Allow => "continue without a user",
    };
    format!("{action} with {issuer} (without a session: {without}), then ")
}

fn bearer(gate: &BearerSettings) -> String {
    let issuers = gate.issuers.iter().map(|issuer| match issuer {
        AuthenticateKind::Oidc(name) => format!("`{name}`"),
        AuthenticateKind::UserPool(name) => format!("the user pool `{name}`"),
    });
    let issuer = issuers.collect::<Vec<_>>().join(" or ");
    let issuer = match gate.validation {
        Validation::Keys => issuer,
        Validation::Introspection => format!("{issuer} (which is asked about it)"),
        Validation::ByForm => format!("{issuer} (which is asked about it if it is no JWT)"),
    };
    match &gate.public_client_id {
        Some(id) => format!("{issuer}, with `{id}` as the client of programs"),
        None => issuer,
    }
}

fn authorize(gate: &AuthorizeSettings) -> String {
    let otherwise = match (gate.mode, gate.requirement.is_some(), gate.demand.is_empty()) {
        (AuthorizeMode::Report, ..) => "report only",
        (AuthorizeMode::Enforce, _, true) => "403",
        (AuthorizeMode::Enforce, false, false) => "sign in again",
        (AuthorizeMode::Enforce, true, false) => "403, or sign in again if only the sign-in falls short",
    };
    format!("authorize where {gate} (otherwise: {otherwise}), then ")
}

fn terminal(terminal: &TerminalSettings) -> String {
    match terminal {
        TerminalSettings::Forward(settings) => forward(settings),
        TerminalSettings::Allow(audience) if audience.is_empty() => "allow".to_owned(),
        TerminalSettings::Allow(audience) => format!("allow for `{audience}`"),
        TerminalSettings::FixedResponse(fixed) => format!("fixed-response {}", fixed.status.as_u16()),
        TerminalSettings::Static(files) => static_files(files),
        TerminalSettings::Redirect(redirect) => {
            let protocol = match redirect.protocol {
                Some(Protocol::Http) => "http",
                Some(Protocol::Https) => "https",
                None => "#{protocol}",
            };
            let part = |template: &Template| template.0.iter().map(piece).collect::<String>();
            let (host, port) = (part(&redirect.host), part(&redirect.port));
            let (path, query) = (part(&redirect.path), part(&redirect.query));
            format!("redirect ({}) to {protocol}://{host}:{port}{path}?{query}", redirect.status.as_u16())
        }
    }
}

fn static_files(files: &Settings) -> String {
    let part = |what: &str, name: &Option<Box<str>>| name.as_ref().map(|name| format!("{what} `{name}`"));
    let prefix = (!files.path_prefix.is_empty()).then(|| format!("without `{}` of the path", files.path_prefix));
    let all = prefix
        .into_iter()
        .chain(part("pages that do not exist are", &files.fallback))
        .chain(part("404 is", &files.not_found))
        .chain(files.dotfiles.then(|| "also names that begin with a dot".to_owned()))
        .collect::<Vec<_>>();
    let more = if all.is_empty() { String::new() } else { format!(" ({})", all.join("; ")) };
    format!("static files of {}{more}", files.directory.display())
}

fn forward(forward: &ForwardSettings) -> String {
    let names: Vec<String> = match &forward.groups[..] {
        [(name, _)] => vec![format!("`{name}`")],
        several => several.iter().map(|(name, weight)| format!("`{name}` (weight {weight})")).collect(),
    };
    let sticky = if forward.stickiness.is_some() { ", a browser stays at its group" } else { "" };
    format!("forward to {}{sticky}", names.join(" or "))
}

fn piece(piece: &Piece) -> &str {
    match piece {
        Piece::Literal(text) => text,
        Piece::Protocol => "#{protocol}",
        Piece::Host => "#{host}",
        Piece::Port => "#{port}",
        Piece::Path => "#{path}",
        Piece::Query => "#{query}",
    }
}

#[cfg(test)]
mod tests;
