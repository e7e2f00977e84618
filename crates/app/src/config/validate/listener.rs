//! `listeners`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::listener::{self as written, CONNECTIONS_PER_ADDRESS_DEFAULT_MIN, Listener, Protocol};
use crate::config::raw::mutual_authentication::Mode as MutualMode;
use crate::config::raw::value::List;
use crate::config::settled::ListenerConfig;
use crate::config::validate::context::{ClientSpeaks, Context};
use crate::config::validate::cookie_owners::CookieOwners;
use crate::config::validate::mutual_authentication::TrustStores;
use crate::config::validate::{
    action, claims, cors, forward_auth, process, proxies, response_headers, rule, tls, value,
};
use crate::listener::settings::{Limits, MethodOverrides, ProxyHeader, ProxyProtocol, Settings};
use crate::message::desync;
use crate::message::forwarded::{HostFrom, Mode, Policy, TlsHeaders};

const TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::from_millis(1), written::TIMEOUT_MAX);
/// Bounds of `keep_alive`. ALB §10.1 gives 60 s as the minimum; shorter values are useful only in tests.
const KEEP_ALIVE_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(604_800));

pub(super) fn listeners(
    raw: &List<Listener>,
    at: &Path,
    stores: &TrustStores,
    logins: &mut CookieOwners,
    context: &mut Context<'_>,
) -> Vec<ListenerConfig> {
    if raw.is_empty() {
        context.found.problem(at, "expected at least one listener");
    }
    let mut names = BTreeMap::new();
    let mut listeners: Vec<(ListenerConfig, Path)> = Vec::with_capacity(raw.len());
    for (index, listener) in raw.iter() {
        let at = at.index(index);
        value::name(&listener.name, &at.key("name"), &mut context.found);
        if let Some(first) = names.insert(listener.name.as_str(), at.key("name")) {
            let message = format!("the listener name `{}` is already used", listener.name);
            context.found.problem(&at.key("name"), message).label(&first, "first used here");
        }
        let Ok(listener) = self::listener(listener, &at, stores, logins, context) else { continue };
        let taken =
            |(other, _): &&(ListenerConfig, Path)| process::collide(other.settings.address, listener.settings.address);
        if let Some((other, first)) = listeners.iter().find(taken) {
            let message = format!("the listener `{}` uses the same port", other.settings.name);
            context.found.problem(&at.key("address"), message).label(first, "first used here");
        }
        listeners.push((listener, at.key("address")));
    }
    listeners.into_iter().map(|(listener, _)| listener).collect()
}

fn listener(
    raw: &Listener,
    at: &Path,
    stores: &TrustStores,
    logins: &mut CookieOwners,
    context: &mut Context<'_>,
) -> Result<ListenerConfig, Reported> {
    let address = value::address(&raw.address, &at.key("address"), &mut context.found);
    let tls = tls::tls(raw, at, stores, context);
    let encoded_slash = rule::encoded_slash(raw.encoded_slash);
    let client_speaks = client_speaks(raw);
    // A mode with a mistake has been reported. With `forward_auth`, the certificate is that of the proxy that asks, and not of its client.
    let mode_at = at.key("mutual_authentication").key("mode");
    let verifies = raw.mutual_authentication.mode == MutualMode::Verify && raw.forward_auth.is_none();
    context.verifies_certificates = verifies || context.found.concern(&mode_at).is_some();
    let cors = raw.cors.as_ref().map(|raw| cors::cors(raw, &at.key("cors"), &mut context.found)).transpose();
    let of_listener = rule::OfListener { client_speaks, encoded_slash, cors: cors.as_ref().ok().cloned().flatten() };
    let rules = rule::rules(&raw.rules, &of_listener, &at.key("rules"), logins, context);
    let response_headers = response_headers::response_headers(raw, client_speaks, at, context);
    let default = action::chain(&raw.default_actions, client_speaks, &at.key("default_actions"), logins, context);
    let trusted_proxies = proxies::trusted(&raw.trusted_proxies, &at.key("trusted_proxies"), context);
    let limits = limits(&raw.limits, &at.key("limits"), context);
    let forward_auth = forward_auth::forward_auth(raw, at, context);
    let senders = proxies::trusted(&raw.proxy_protocol_from, &at.key("proxy_protocol_from"), context);
    let (trusted, senders, forward_auth) = (trusted_proxies?, senders?, forward_auth?);
    // A load balancer that passes on bytes has written no header field, and who may send the one is not trusted with the other.
    let (mut trusted, senders) = match raw.proxy_protocol {
        Some(_) if senders.is_empty() => (Vec::new(), trusted),
        _ => (trusted, senders),
    };
    let of_traces = trusted.clone();
    // Who may ask describes the client.
    trusted.extend(forward_auth.iter().flat_map(|forward_auth| &forward_auth.peers));
    let tls_headers = tls_headers(raw, at, context);
    let proxy_protocol = proxy_protocol(raw, senders, at, context);
    if raw.xff_client_port && raw.x_forwarded_for != written::ForwardedFor::Append {
        let warning = context.found.warning(&at.key("xff_client_port"), "no address is appended, so no port is either");
        warning.label(&at.key("x_forwarded_for"), "because of this").hint("remove one of the two");
    }
    let settings = Settings {
        name: Arc::from(raw.name.as_str()),
        address: address?,
        tls: tls?,
        forwarded: Arc::new(Policy {
            trusted,
            of_traces,
            mode: match raw.x_forwarded_for {
                written::ForwardedFor::Append => Mode::Append,
                written::ForwardedFor::Preserve => Mode::Preserve,
                written::ForwardedFor::Remove => Mode::Remove,
            },
            host_from: match raw.host_from {
                written::HostFrom::Host => HostFrom::Host,
                written::HostFrom::XForwardedHost => HostFrom::ForwardedHost,
            },
            has_client_port: raw.xff_client_port,
            // Where Vestibule samples, a trace that it does not record is not begun as one that is recorded.
            begins_traces: (raw.trace_context == written::TraceContext::Create)
                .then(|| context.root.get("traces").is_none()),
            tls_headers: tls_headers?,
        }),
        proxy_protocol: proxy_protocol?,
        desync: match raw.desync_mitigation {
            written::DesyncMitigation::Monitor => desync::Mode::Monitor,
            written::DesyncMitigation::Defensive => desync::Mode::Defensive,
            written::DesyncMitigation::Strictest => desync::Mode::Strictest,
        },
        method_override: match raw.method_override {
            written::MethodOverride::Refuse => MethodOverrides::Refuse,
            written::MethodOverride::Pass => MethodOverrides::Pass,
        },
        response_headers: response_headers?.map(Arc::new),
        limits: Arc::new(limits?),
    };
    names_of_headers(&settings, at, context)?;
    Ok(ListenerConfig { settings, rules, default: default?, encoded_slash, cors: cors?, forward_auth })
}

fn proxy_protocol(
    raw: &Listener,
    senders: Vec<IpNet>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<ProxyHeader>, Reported> {
    let version = match raw.proxy_protocol {
        None if raw.proxy_protocol_from.is_empty() => return Ok(None),
        None => {
            let problem = context.found.problem(&at.key("proxy_protocol_from"), "there is no `proxy_protocol`");
            return problem.hint("write `proxy_protocol: v2`, or remove `proxy_protocol_from`").fail();
        }
        Some(written::ProxyProtocol::V1) => ProxyProtocol::V1,
        Some(written::ProxyProtocol::V2) => ProxyProtocol::V2,
        Some(written::ProxyProtocol::Any) => ProxyProtocol::Any,
    };
    if senders.is_empty() {
        // attacks G-13: otherwise any client could choose its address.
        let problem = context.found.problem(&at.key("proxy_protocol"), "`proxy_protocol` needs `trusted_proxies`");
        let problem = problem.lacks(&at.key("trusted_proxies"));
        return problem.hint("list the networks of the load balancers that send the header").fail();
    }
    Ok(Some(ProxyHeader { version, senders }))
}

fn tls_headers(raw: &Listener, at: &Path, context: &mut Context<'_>) -> Result<Option<TlsHeaders>, Reported> {
    let Some(names) = &raw.tls_headers else { return Ok(None) };
    let at = at.key("tls_headers");
    if raw.protocol == Protocol::Http {
        let problem = context.found.problem(&at, "an `http` listener has no TLS to tell about");
        return problem.hint("remove `tls_headers`").fail();
    }
    let found = &mut context.found;
    let version = claims::own_header(&names.version, &at.key("version"), found);
    let cipher_suite = claims::own_header(&names.cipher_suite, &at.key("cipher_suite"), found);
    let names = TlsHeaders { version: version?, cipher_suite: cipher_suite? };
    if names.version == names.cipher_suite {
        return found
            .problem(&at.key("cipher_suite"), "both headers have the same name")
            .hint("choose another name for one of them")
            .fail();
    }
    Ok(Some(names))
}

/// A name for two headers would give one of them to the targets.
fn names_of_headers(settings: &Settings, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let clients = settings.tls.as_ref().and_then(|tls| tls.clients.as_ref());
    let (Some(of_tls), Some(clients)) = (&settings.forwarded.tls_headers, clients) else { return Ok(()) };
    let of_clients = clients.names.all();
    let twice = [&of_tls.version, &of_tls.cipher_suite].into_iter().find(|name| of_clients.contains(name));
    let Some(twice) = twice else { return Ok(()) };
    let problem =
        context.found.problem(&at.key("tls_headers"), format!("`{twice}` is a header of `mutual_authentication`"));
    problem
        .label(&at.key("mutual_authentication"), "it is sent for the client's certificate")
        .hint("choose another name")
        .fail()
}

/// What may be in front of a listener.
pub(super) fn client_speaks(raw: &Listener) -> ClientSpeaks {
    match raw.protocol {
        Protocol::Https => ClientSpeaks::Https,
        Protocol::Http => {
            let passes_bytes = raw.proxy_protocol.is_some() && raw.proxy_protocol_from.is_empty();
            let has_proxies = !raw.trusted_proxies.is_empty() && !passes_bytes;
            if has_proxies || raw.forward_auth.is_some() { ClientSpeaks::WhatTheProxySays } else { ClientSpeaks::Http }
        }
    }
}

fn limits(raw: &written::Limits, at: &Path, context: &mut Context<'_>) -> Result<Limits, Reported> {
    let mut time = |written, bounds, key| value::period(written, bounds, &at.key(key), &mut context.found);
    let handshake_timeout = time(&raw.handshake_timeout, TIMEOUT_BOUNDS, "handshake_timeout");
    let head_timeout = time(&raw.head_timeout, TIMEOUT_BOUNDS, "head_timeout");
    let idle_timeout = time(&raw.idle_timeout, TIMEOUT_BOUNDS, "idle_timeout");
    let keep_alive = time(&raw.keep_alive, KEEP_ALIVE_BOUNDS, "keep_alive");
    Ok(Limits {
        handshake_timeout: handshake_timeout?,
        head_timeout: head_timeout?,
        idle_timeout: idle_timeout?,
        keep_alive: keep_alive?,
        head_bytes_max: raw.head_bytes_max,
        headers_max: raw.headers_max,
        streams_max: raw.streams_max,
        connections_max: raw.connections_max,
        connections_per_address_max: raw
            .connections_per_address_max
            .unwrap_or_else(|| (raw.connections_max / 4).max(CONNECTIONS_PER_ADDRESS_DEFAULT_MIN)),
        logins_per_address_max: raw.logins_per_address_max,
        body_rate_min: raw.body_rate_min,
    })
}
