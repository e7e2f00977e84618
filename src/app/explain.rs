//! For `check --request`: shows which rule matches a request, and why the others do not.
//!
//! Builds the same objects as `serve`, except sockets, and calls [`decide`], so that `check` and `serve` cannot
//! disagree.

mod user;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::{Map, Value};
use tokio::runtime::Builder;

use crate::action::Terminal;
use crate::action::settings::{
    AuthenticateKind, AuthenticateSettings, AuthorizeMode, AuthorizeSettings, BearerSettings, ChainSettings,
    ForwardSettings, GateSettings, OnUnauthenticated, Piece, Protocol, Template, TerminalSettings,
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
use crate::jose::strict_json;
use crate::message::Request;
use crate::message::body::Body;
use crate::message::forwarded::Policy;
use crate::message::header::{FORWARDED_FOR, FORWARDED_PROTO};
use crate::message::unread::{self, Look};
use crate::message::uri::{self, CanonicalRequest, Scheme};
use crate::proxy::decide::{Decision, decide, facts};
use crate::proxy::reserved::Answering;
use crate::proxy::snapshot::{Selected, Snapshot};
use crate::rule::Rule;
use crate::rule::condition::{Condition, Facts};
use crate::telemetry::metrics::Registry;

/// A hypothetical request, and the user who sends it.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    client: IpAddr,
    has_fragment: bool,
    /// The claims of the user, as in an ID token.
    claims: Option<Map<String, Value>>,
}

/// The reason why the text is not a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotARequest {
    /// Not a method and an absolute URL.
    #[error("`{0}` is not a request: write `GET https://host/path`")]
    Request(String),
    /// Not a header.
    #[error("`{0}` is not a header: write `Name: value`")]
    Header(String),
}

/// Why a text is not a set of claims. It is read as strictly as an ID token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotClaims {
    #[error("the file is empty: write the payload of an ID token as JSON, or what `/oauth2/userinfo` shows")]
    Empty,
    #[error("this looks like a JWT: decode it, and write its payload (the second of the three parts) as JSON")]
    Jwt,
    #[error("not JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("not a JSON object: write the claims as `{{\"sub\": \"ada\", …}}`")]
    NotAnObject,
    #[error("two members of an object have the same name")]
    Repeated,
}

impl Probe {
    /// Parses `GET https://host/path?query`; the method is optional.
    ///
    /// # Errors
    ///
    /// [`NotARequest`].
    pub(crate) fn parse(request: &str, headers: &[String], client: Option<IpAddr>) -> Result<Self, NotARequest> {
        let not_a_request = || NotARequest::Request(request.to_owned());
        let (method, url) = request.trim().split_once(' ').unwrap_or(("GET", request.trim()));
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| not_a_request())?;
        let (url, has_fragment) = as_served(&method, url.trim());
        // `Uri` keeps the path as written; `Url` would normalize input that the proxy refuses.
        let uri: Uri = url.parse().map_err(|_| not_a_request())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
            return Err(not_a_request());
        }
        let mut map = HeaderMap::new();
        for header in headers {
            let parsed = header.split_once(':').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            let (name, value) = parsed.ok_or_else(|| NotARequest::Header(header.clone()))?;
            map.append(name, value);
        }
        let client = client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Self { method, uri, headers: map, client, has_fragment, claims: None })
    }

    /// The same request, of a user with these claims.
    ///
    /// # Errors
    ///
    /// [`NotClaims`].
    pub(crate) fn of_user(self, claims: &[u8]) -> Result<Self, NotClaims> {
        let text = claims.trim_ascii();
        if text.is_empty() {
            return Err(NotClaims::Empty);
        }
        if is_like_a_jwt(text) {
            return Err(NotClaims::Jwt);
        }
        match serde_json::from_slice(claims) {
            Ok(Value::Object(_)) => {}
            Ok(_) => return Err(NotClaims::NotAnObject),
            Err(error) => return Err(NotClaims::NotJson { line: error.line(), column: error.column() }),
        }
        // What is not strict although it is an object repeats a name.
        Ok(Self { claims: Some(strict_json::object(claims).map_err(|_| NotClaims::Repeated)?), ..self })
    }

    fn scheme(&self) -> Scheme {
        if self.uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http }
    }

    fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(self.scheme().default_port())
    }
}

/// Three or five parts of base64url with dots between them, of which the first is an object (RFC 7515 §7.1), also in quotes.
fn is_like_a_jwt(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let dots = text.iter().filter(|byte| **byte == b'.').count();
    text.starts_with(b"eyJ") && (dots == 2 || dots == 4)
}

/// The URL as the listener reads its path and its query, and whether it has a fragment.
fn as_served(method: &Method, url: &str) -> (String, bool) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let target = url[authority..].find(['/', '?', '#']).map_or(url.len(), |at| authority + at);
    match unread::look(format!("{method} {} ", &url[target..]).as_bytes()) {
        Look::Encoded(head) => {
            let encoded = &head[method.as_str().len() + 1..head.len() - 1];
            (url[..target].to_owned() + &String::from_utf8_lossy(encoded), false)
        }
        // It is refused, whatever its query is.
        Look::Fragment => (url.split(['?', '#']).next().unwrap_or_default().to_owned(), true),
        Look::Plain => (url.to_owned(), false),
    }
}

/// Facts about a listener that serving does not need.
struct Place {
    name: Arc<str>,
    address: SocketAddr,
    forwarded: Arc<Policy>,
    is_tls: bool,
    /// The chain of each rule, in order; the default actions are last.
    chains: Vec<String>,
}

/// Describes the handling of the request in a few lines of text. It builds and calls the code that serves requests,
/// except for the sockets.
///
/// # Errors
///
/// Returns an error if the system lacks something that the configuration needs.
pub(crate) fn explain(config: Config, probe: &Probe) -> Result<String, Error> {
    let places: Vec<Place> = config.listeners.iter().map(place).collect();
    let pools: Vec<(String, Arc<str>)> = config
        .user_pools
        .iter()
        .map(|pool| (pool.settings.issuer.authority().to_owned(), Arc::from(&*pool.settings.name)))
        .collect();
    let runtime = Builder::new_current_thread().build().map_err(Error::Worker)?;
    let _entered = runtime.enter();
    let (_drain, draining) = drain::channel();
    let control = Control::new(runtime.handle().clone(), draining.spawner());
    let clock = Clock::system();
    let process = Process::new(clock.clone(), Registry::default(), control, config.shutdown);
    let generation = Generation::new(config, &process)?;

    let mut text = String::new();
    let can_come: Vec<_> =
        places.iter().zip(&generation.listeners).filter(|(place, _)| place.can_receive(probe.scheme())).collect();
    let exact: Vec<_> = can_come.iter().copied().filter(|(place, _)| place.address.port() == probe.port()).collect();
    if can_come.is_empty() {
        let _ = writeln!(text, "no listener uses `{}`", probe.scheme().as_str());
    } else if exact.is_empty() && !can_come.iter().any(|(place, _)| place.is_behind_a_proxy()) {
        let _ = writeln!(
            text,
            "note: no listener uses port {}; showing the result for each of these listeners:\n",
            probe.port()
        );
    }
    for (at, (place, listener)) in if exact.is_empty() { can_come } else { exact }.into_iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        place.explain(&mut text, &listener.snapshot, probe, &pools, &clock);
    }
    Ok(text)
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

    fn explain(
        &self,
        text: &mut String,
        snapshot: &Snapshot,
        probe: &Probe,
        pools: &[(String, Arc<str>)],
        clock: &Clock,
    ) {
        let (peer, mut request) = self.request(probe);
        let tls = self.is_tls.then_some(Tls {
            version: "TLSv1.3",
            cipher_suite: "",
            openssl_cipher_suite: "",
            server_name: None,
        });
        let connection = Connection::new((peer, 0).into(), Arc::clone(&self.name), Arc::clone(&self.forwarded), tls);
        let mut exchange = Exchange::begin(Rc::new(connection), clock.instant(), clock.now());
        let decision = match probe.has_fragment {
            true => Err(uri::Error::Fragment.into()),
            false => decide(snapshot, &mut exchange, &mut request).map(|decided| decided.decision),
        };
        let canonical = exchange.request.clone();
        let asked = canonical.as_ref().map_or_else(|| format!("{} {}", probe.method, probe.uri), ToString::to_string);
        let _ = writeln!(text, "{asked} on listener `{}` ({})", self.name, self.address);
        let (Some(canonical), Ok(decision)) = (&canonical, &decision) else {
            refused(text, &decision.err().unwrap_or_else(|| Reason::Internal.into()));
            return;
        };
        match decision {
            Decision::Ours(Answering::Pool(_)) => {
                let pool = pools.iter().find(|(authority, _)| authority == canonical.authority.as_str());
                let name = pool.map_or("", |(_, name)| name);
                let _ = writeln!(text, "  answered by the user pool `{name}`: this host is its issuer");
            }
            Decision::Ours(Answering::Endpoint(..) | Answering::Challenge(_) | Answering::Resource(_)) => {
                let _ = writeln!(text, "  answered by the proxy itself: this path is reserved");
            }
            Decision::Rule(taken) => {
                self.explain_rules(text, snapshot, taken, &facts(&exchange, canonical, &request));
                if let Terminal::Forward(forward) = &taken.payload.chain.terminal
                    && let Some(settings) = forward.transforms()
                {
                    explain_transforms(text, settings, canonical);
                }
                if let Some(claims) = &probe.claims {
                    user::explain(text, &taken.payload.chain, claims, exchange.started_at);
                }
                if taken.payload.chain.authenticates()
                    && let Err(rejection) = exchange.require_https()
                {
                    refused(text, &rejection);
                }
            }
        }
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
        (proxy.addr(), request)
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
        Err(failed) => refused(text, &Rejection::new(Reason::RuleTransformFailed, failed)),
    }
}

fn refused(text: &mut String, rejection: &Rejection) {
    let (status, code) = (rejection.reason.status().as_u16(), rejection.reason.code());
    let cause = rejection.source.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
    let _ = writeln!(text, "  refused with {status} `{code}`{cause}");
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
    let (action, issuer) = match &gate.kind {
        AuthenticateKind::Oidc(name) => ("authenticate-oidc", name),
        AuthenticateKind::UserPool(name) => ("authenticate-user-pool", name),
    };
    let without = match gate.on_unauthenticated {
        OnUnauthenticated::Authenticate => "sign in",
        OnUnauthenticated::Deny => "answer 401",
        OnUnauthenticated::Allow => "continue without a user",
    };
    format!("{action} with `{issuer}` (without a session: {without}), then ")
}

fn bearer(gate: &BearerSettings) -> String {
    match &gate.issuer {
        AuthenticateKind::Oidc(name) => format!("`{name}`"),
        AuthenticateKind::UserPool(name) => format!("the user pool `{name}`"),
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
