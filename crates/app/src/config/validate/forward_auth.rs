//! `listeners[].forward_auth`, and what its rules may end with.

use crate::action::authenticate::paths::DEFAULT_PREFIX;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::action::{Action, Actions};
use crate::config::raw::forward_auth::{self as written, ForwardAuth};
use crate::config::raw::listener::{Listener, Protocol};
use crate::config::validate::context::Context;
use crate::config::validate::proxies;
use crate::forward_auth::check;
use crate::forward_auth::settings::{AskedBy, Refusals, Settings};

pub(super) fn forward_auth(raw: &Listener, at: &Path, context: &mut Context<'_>) -> Result<Option<Settings>, Reported> {
    let is_asked = raw.forward_auth.is_some();
    let section = at.key("forward_auth");
    // One that cannot be read is there, too.
    if let (false, Some(reported)) =
        (is_asked, context.found.concern(&section).or_else(|| context.found.concern_keys_of(&section)))
    {
        return Err(reported);
    }
    if is_asked {
        no_cors(raw, at, context);
    }
    for (index, rule) in raw.rules.iter() {
        terminals(&rule.actions, is_asked, &at.key("rules").index(index).key("actions"), context);
    }
    terminals(&raw.default_actions, is_asked, &at.key("default_actions"), context);
    if let Some(forward_auth) = &raw.forward_auth
        && forward_auth.asked_by == written::AskedBy::EnvoyGrpc
        && raw.protocol == Protocol::Http
    {
        let problem = context.found.problem(&section.key("asked_by"), "`envoy_grpc` on an `http` listener");
        problem.hint(
            "gRPC needs HTTP/2, and a listener has it with TLS only: use an `https` listener, or `asked_by: envoy`",
        );
    }
    raw.forward_auth.as_ref().map(|raw| settings(raw, &section, context)).transpose()
}

fn settings(raw: &ForwardAuth, at: &Path, context: &mut Context<'_>) -> Result<Settings, Reported> {
    let peers_at = at.key("peers");
    let peers = proxies::trusted(&raw.peers, &peers_at, context);
    if raw.peers.is_empty() {
        // attacks F-03, F-11: there is no default.
        let problem = context.found.problem(&peers_at, "`peers` is empty: nobody could ask");
        return problem.hint("list the networks of the proxies that ask: `[127.0.0.1/32]`").fail();
    }
    let asked_by = match raw.asked_by {
        written::AskedBy::Nginx => AskedBy::Nginx,
        written::AskedBy::Traefik => AskedBy::Traefik,
        written::AskedBy::Caddy => AskedBy::Caddy,
        written::AskedBy::Envoy => AskedBy::Envoy,
        written::AskedBy::EnvoyGrpc => AskedBy::EnvoyGrpc,
    };
    let endpoints = endpoints(raw, &at.key("endpoints"), context);
    Ok(Settings { asked_by, peers: peers?, endpoints: endpoints? })
}

fn endpoints(raw: &ForwardAuth, at: &Path, context: &mut Context<'_>) -> Result<Vec<(Box<str>, Refusals)>, Reported> {
    if raw.asked_by == written::AskedBy::EnvoyGrpc {
        if !raw.endpoints.is_empty() {
            let problem = context.found.problem(at, "`endpoints` with `asked_by: envoy_grpc`");
            return problem.hint("remove it: the call has one path, and its answer is whole").fail();
        }
        return Ok(vec![(check::PATH.into(), Refusals::Answer)]);
    }
    if raw.endpoints.is_empty() {
        let mut endpoints = vec![("/auth".into(), Refusals::Answer)];
        if raw.asked_by != written::AskedBy::Envoy {
            endpoints.push(("/auth/status".into(), Refusals::Status));
        }
        return Ok(endpoints);
    }
    let mut sound = Ok(Vec::new());
    for (path, refusals) in &raw.endpoints {
        let at = at.key(path);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
        let is_path = path.starts_with('/') && !path.ends_with('/') && path.bytes().all(is_plain);
        if !is_path || path.contains("//") || path.split('/').any(|segment| matches!(segment, "." | "..")) {
            let problem = context.found.problem_at_key(&at, format!("`{path}` is not the path of an endpoint"));
            sound = problem.hint("write a path of letters, digits, `-`, `_` and `.`: `/auth`").fail();
            continue;
        }
        let above =
            raw.endpoints.keys().find(|other| path.strip_prefix(&***other).is_some_and(|rest| rest.starts_with('/')));
        if let Some(above) = above.filter(|_| raw.asked_by == written::AskedBy::Envoy) {
            let problem = context.found.problem_at_key(&at, format!("`{path}` is below the endpoint `{above}`"));
            sound = problem
                .hint("Envoy asks below the path of an endpoint; use a path that is not below another one")
                .fail();
            continue;
        }
        if path.strip_prefix(DEFAULT_PREFIX).is_some_and(|rest| rest.starts_with('/'))
            || path.starts_with("/.well-known/")
        {
            let problem = context.found.problem_at_key(&at, format!("`{path}` is below the reserved paths"));
            sound = problem.hint("use another path: the proxy sends requests to the reserved paths here, too").fail();
            continue;
        }
        let refusals = match refusals {
            written::Refusals::Answer => Refusals::Answer,
            written::Refusals::Status => Refusals::Status,
        };
        if let Ok(endpoints) = &mut sound {
            endpoints.push((path.as_str().into(), refusals));
        }
    }
    sound
}

/// The headers would have to be in the answers of the application, and a preflight cannot be answered 204 here.
fn no_cors(raw: &Listener, at: &Path, context: &mut Context<'_>) {
    let of_rules = raw.rules.iter().filter(|(_, rule)| rule.cors.is_some());
    let of_listener = raw.cors.iter().map(|_| at.key("cors"));
    for at in of_listener.chain(of_rules.map(|(index, _)| at.key("rules").index(index).key("cors"))) {
        let problem = context.found.problem(&at, "`cors` in a listener with `forward_auth`");
        problem.hint("answer it in the proxy that asks, or in the application");
    }
}

/// A listener with questions has no targets, and only such a listener lets requests pass at another proxy.
fn terminals(actions: &Actions, is_asked: bool, at: &Path, context: &mut Context<'_>) {
    let has_gate = actions.iter().any(|(_, action)| {
        !matches!(
            action,
            Action::Forward(_) | Action::Redirect(_) | Action::FixedResponse(_) | Action::Static(_) | Action::Allow(_)
        )
    });
    for (index, action) in actions.iter() {
        let at = at.index(index);
        match action {
            Action::Forward(_) if is_asked => {
                let problem = context.found.problem(&at, "`forward` in a listener with `forward_auth`");
                problem.hint("the proxy that asks forwards the request: use `allow`");
            }
            // A file would let the request pass.
            Action::Static(_) if is_asked => {
                let problem = context.found.problem(&at, "`static` in a listener with `forward_auth`");
                problem
                    .hint("the proxy that asks answers the request: use `allow`, and let that proxy serve the files");
            }
            // Its status would let the request pass.
            Action::FixedResponse(fixed) if is_asked && fixed.status_code < 400 => {
                let message = "a `fixed-response` with a status below 400 in a listener with `forward_auth`";
                let problem = context.found.problem(&at.key("status_code"), message);
                problem.hint("the proxy that asks would let the request pass: use `allow`, or answer in that proxy");
            }
            Action::Allow(_) if !is_asked => {
                let problem = context.found.problem(&at, "`allow` in a listener without `forward_auth`");
                problem.hint("use `forward`");
            }
            Action::Allow(allow) if has_gate && allow.audience.as_deref().is_none_or(str::is_empty) => {
                let problem =
                    context.found.problem(&at, "`allow` without `audience` behind an action that authenticates");
                problem.hint("name the application: `audience: NAME`; it is `aud` of the signed claims");
            }
            _ => {}
        }
    }
}
