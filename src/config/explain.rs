//! Which rule takes a request, and why not the others: `check --request`.
//!
//! Reads the request as a connection would, so that what is refused there is refused here.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::action::settings::{
    AuthenticateKind, ChainSettings, GateSettings, OnUnauthenticated, Piece, Protocol, TerminalSettings,
};
use crate::config::{Config, ListenerConfig, UserPoolConfig};
use crate::message::uri::{self, CanonicalRequest};
use crate::rule::condition::Condition;
use crate::rule::facts::Facts;
use crate::rule::{Rule, RuleSet};

/// A request that nobody sends.
#[derive(Clone, Debug)]
pub struct Probe {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    client: IpAddr,
}

/// Why the text is not a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a method and an absolute URL.
    #[error("`{0}` is not a request: write `GET https://host/path`")]
    Request(String),
    /// Not a header.
    #[error("`{0}` is not a header: write `Name: value`")]
    Header(String),
}

impl Probe {
    /// Reads `GET https://host/path?query`; the method may be left out.
    ///
    /// # Errors
    ///
    /// [`Error::Request`], [`Error::Header`].
    pub fn parse(request: &str, headers: &[String], client: Option<IpAddr>) -> Result<Self, Error> {
        let not_a_request = || Error::Request(request.to_owned());
        let (method, url) = request.trim().split_once(' ').unwrap_or(("GET", request.trim()));
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| not_a_request())?;
        // `Uri` keeps the path as it is written; `Url` would repair what the proxy refuses.
        let uri: Uri = url.trim().parse().map_err(|_| not_a_request())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
            return Err(not_a_request());
        }
        let mut map = HeaderMap::new();
        for header in headers {
            let parsed = header.split_once(':').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            let (name, value) = parsed.ok_or_else(|| Error::Header(header.clone()))?;
            map.append(name, value);
        }
        Ok(Self { method, uri, headers: map, client: client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)) })
    }

    fn scheme(&self) -> uri::Scheme {
        if self.is_https() { uri::Scheme::Https } else { uri::Scheme::Http }
    }

    fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }
}

/// Says what becomes of the request, in some lines of text.
#[must_use]
pub fn explain(config: &Config, probe: &Probe) -> String {
    let mut text = String::new();
    let request = match CanonicalRequest::parse(probe.scheme(), &probe.method, &probe.uri, &probe.headers) {
        Ok(request) => request,
        Err(error) => {
            let status = if error == uri::Error::Method { 405 } else { 400 };
            let _ = writeln!(text, "refused with {status} before any rule: {error}");
            return text;
        }
    };
    let speaks = |listener: &&ListenerConfig| listener.settings.certificates.is_some() == probe.is_https();
    let of_scheme: Vec<_> = config.listeners.iter().filter(speaks).collect();
    let exact: Vec<_> =
        of_scheme.iter().copied().filter(|listener| listener.settings.address.port() == probe.port()).collect();
    if of_scheme.is_empty() {
        let _ = writeln!(text, "no listener speaks `{}`", probe.uri.scheme_str().unwrap_or_default());
    } else if exact.is_empty() {
        let _ = writeln!(text, "note: no listener has port {}; as if that port led to each of these:\n", probe.port());
    }
    // Serving takes protected names out first; no condition of a sound file looks at one.
    let facts = Facts { request: &request, headers: &probe.headers, client: probe.client };
    let listeners = if exact.is_empty() { of_scheme } else { exact };
    for (at, listener) in listeners.into_iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        explain_listener(&mut text, listener, config, probe, &facts);
    }
    text
}

fn explain_listener(text: &mut String, listener: &ListenerConfig, config: &Config, probe: &Probe, facts: &Facts<'_>) {
    let settings = &listener.settings;
    let _ = writeln!(text, "{} on listener `{}` ({})", facts.request, settings.name, settings.address);
    if let Some(pool) = config.user_pools.iter().find(|pool| answers(pool, probe, facts.request)) {
        let _ = writeln!(text, "  answered by the user pool `{}`: this host is its issuer", pool.settings.name);
        return;
    }
    let rules = listener.rules.iter().map(|rule| Rule {
        name: rule.name.clone(),
        priority: rule.priority,
        conditions: rule.conditions.clone(),
        payload: &rule.chain,
    });
    let rules = RuleSet::new(rules.collect(), &listener.default);
    let authenticates = || rules.reaching(facts.request.host()).any(|chain| !chain.gates.is_empty());
    if config.paths.find(facts.request.target.path()).is_some() && authenticates() {
        let _ = writeln!(text, "  answered by the proxy itself: this path belongs to the sign-in");
        return;
    }
    let taken = std::ptr::from_ref(rules.find(facts));
    for rule in rules.iter() {
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
            let _ = writeln!(text, "    -> {}", chain(rule.payload));
            break;
        }
    }
}

/// What the request has in place of what the condition wants.
fn found(condition: &Condition, facts: &Facts<'_>) -> String {
    let request = facts.request;
    match condition {
        Condition::HostHeader(_) => format!("the host is `{}`", request.host()),
        Condition::PathPattern(_) => format!("the path is `{}`", request.path()),
        Condition::HttpRequestMethod(_) => format!("the method is `{}`", request.method),
        Condition::SourceIp(_) => format!("the client is {}", facts.client),
        Condition::HttpHeader(name, _) => match facts.headers.get(name) {
            Some(value) => format!("the header is `{}`", String::from_utf8_lossy(value.as_bytes())),
            None => "there is no such header".to_owned(),
        },
        Condition::QueryString(_) => match request.query() {
            Some(query) => format!("the query is `{query}`"),
            None => "there is no query".to_owned(),
        },
    }
}

/// What a chain does, in one line.
fn chain(chain: &ChainSettings) -> String {
    let gates = chain.gates.iter().map(|GateSettings::Authenticate(gate)| {
        let (action, issuer) = match &gate.kind {
            AuthenticateKind::Oidc(name) => ("authenticate-oidc", name),
            AuthenticateKind::UserPool(name) => ("authenticate-user-pool", name),
        };
        let without = match gate.on_unauthenticated {
            OnUnauthenticated::Authenticate => "signs in",
            OnUnauthenticated::Deny => "is answered 401",
            OnUnauthenticated::Allow => "goes on anonymously",
        };
        format!("{action} with `{issuer}` (who has no session {without}), then ")
    });
    gates.chain(std::iter::once(terminal(&chain.terminal))).collect()
}

fn terminal(terminal: &TerminalSettings) -> String {
    match terminal {
        TerminalSettings::Forward(forward) => format!("forward to `{}`", forward.target_group),
        TerminalSettings::FixedResponse(fixed) => format!("fixed-response {}", fixed.status.as_u16()),
        TerminalSettings::Redirect(redirect) => {
            let protocol = match redirect.protocol {
                Some(Protocol::Http) => "http",
                Some(Protocol::Https) => "https",
                None => "#{protocol}",
            };
            let part = |template: &crate::action::settings::Template| template.0.iter().map(piece).collect::<String>();
            let (host, port) = (part(&redirect.host), part(&redirect.port));
            let (path, query) = (part(&redirect.path), part(&redirect.query));
            format!("redirect ({}) to {protocol}://{host}:{port}{path}?{query}", redirect.status.as_u16())
        }
    }
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

fn answers(pool: &UserPoolConfig, probe: &Probe, request: &CanonicalRequest) -> bool {
    let issuer = &pool.settings.issuer;
    (issuer.scheme() == "https") == probe.is_https()
        && issuer.host_str() == Some(request.host())
        && issuer.port_or_known_default() == Some(probe.port())
}
