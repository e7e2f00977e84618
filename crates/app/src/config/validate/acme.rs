//! `acme`, and the names of listeners with `tls: auto`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::certificate::acme::settings::{Challenge, Settings};
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw;
use crate::config::raw::acme as written;
use crate::config::raw::listener::{Listener, Protocol, TlsSource};
use crate::config::settled::{ListenerConfig, UserPoolConfig};
use crate::config::validate::context::Context;
use crate::config::validate::{keys, value};
use crate::rule::condition::Condition;

const EXAMPLE: &str = "add `acme: { directory: URL, directory_path: FOLDER, terms_of_service_agreed: true }`";

/// Gives listeners with `tls: auto` their names. Returns the settings of ACME with all names, if there is such a listener.
pub(super) fn acme(
    raw: &raw::File,
    listeners: &mut [ListenerConfig],
    user_pools: &[UserPoolConfig],
    context: &mut Context<'_>,
) -> Result<Option<Settings>, Reported> {
    let at = Path::default().key("acme");
    let auto: Vec<(usize, &Listener)> =
        raw.listeners.iter().filter(|(_, listener)| listener.tls == TlsSource::Auto).collect();
    let Some(acme) = &raw.acme else {
        let Some((_, first)) = auto.first() else { return Ok(None) };
        if let Some(reported) = context.found.concern(&at).or_else(|| context.found.concern_keys_of(&at)) {
            return Err(reported);
        }
        let message = format!("`acme` is missing: the listener `{}` has `tls: auto`", first.name);
        return context.found.problem(&at, message).hint(EXAMPLE).fail();
    };
    if auto.is_empty() {
        context.found.warning(&at, "no listener has `tls: auto`");
    }
    let extra = value::each(&acme.names, &at.key("names"), &mut context.found, |name, at, found| {
        let lower = name.to_ascii_lowercase();
        if is_possible(&lower) {
            return Ok(Arc::from(lower));
        }
        let problem = found.problem(at, format!("an authority verifies no name `{name}`"));
        problem.hint("write a host name without wildcard: `app.example.com`").fail()
    });
    let mut all: Vec<Arc<str>> = Vec::new();
    for (index, written) in auto {
        let Some(listener) = listeners.iter_mut().find(|listener| *listener.settings.name == written.name) else {
            continue;
        };
        let names = names(listener, user_pools, extra.as_deref().unwrap_or_default());
        if names.is_empty() && extra.is_ok() {
            let at = Path::default().key("listeners").index(index).key("tls");
            let problem = context.found.problem(&at, "there is no host name to obtain a certificate for");
            problem.hint("add `host_header` conditions without wildcard, or `names` in `acme`");
        }
        all.extend(names.iter().filter(|name| !all.contains(name)).cloned().collect::<Vec<_>>());
        if let Some(tls) = &mut listener.settings.tls {
            tls.auto = names.into();
        }
    }
    let settings = settings(acme, raw, all, &at, context)?;
    extra.map(|_| Some(settings))
}

fn settings(
    acme: &written::Acme,
    raw: &raw::File,
    names: Vec<Arc<str>>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Settings, Reported> {
    let directory = value::secure_url(&acme.directory, &at.key("directory"), &mut context.found);
    let roots = acme.ca_file.as_ref().map(|file| keys::roots(file, &at.key("ca_file"), context)).transpose();
    if !acme.terms_of_service_agreed {
        let at = at.key("terms_of_service_agreed");
        let problem = context.found.problem(&at, "authorities issue no certificate without it");
        problem.hint("read the terms of service of the authority; set `terms_of_service_agreed: true` if you agree");
    }
    let email = email(acme.email.as_deref(), &at.key("email"), context);
    let has_http = raw.listeners.iter().any(|(_, listener)| listener.protocol == Protocol::Http);
    let challenge = match acme.challenge {
        Some(written::Challenge::TlsAlpn01) => Challenge::TlsAlpn01,
        None if !has_http => Challenge::TlsAlpn01,
        None => Challenge::Http01,
        Some(written::Challenge::Http01) => {
            if !has_http && raw.listeners.is_complete() {
                let problem = context.found.problem(&at.key("challenge"), "`http-01` needs an `http` listener");
                problem.hint("add one that clients reach at port 80, or set `challenge: tls-alpn-01`");
            }
            Challenge::Http01
        }
    };
    let folder: PathBuf = context.source.resolve(&acme.directory_path);
    if acme.directory_path.is_empty() {
        context.found.problem(&at.key("directory_path"), "the path is empty");
    }
    Ok(Settings {
        directory: directory?,
        roots: roots?.unwrap_or_default(),
        folder,
        contact: email?.map(|email| format!("mailto:{email}")),
        challenge,
        names,
    })
}

fn email<'e>(email: Option<&'e str>, at: &Path, context: &mut Context<'_>) -> Result<Option<&'e str>, Reported> {
    let Some(email) = email else { return Ok(None) };
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'?' | b'%' | b'<' | b'>');
    match email.split_once('@') {
        Some((user, host)) if !user.is_empty() && is_possible(host) && email.bytes().all(is_plain) => Ok(Some(email)),
        _ => context.found.problem(at, format!("`{email}` is not an e-mail address")).fail(),
    }
}

/// The names of a listener: of its rules, of user pools, and of `acme.names`. Each once, in this order.
fn names(listener: &ListenerConfig, user_pools: &[UserPoolConfig], extra: &[Arc<str>]) -> Vec<Arc<str>> {
    let conditions = listener.rules.iter().flat_map(|rule| &rule.conditions);
    let of_rules = conditions.flat_map(Condition::host_names).map(|name| name.to_ascii_lowercase());
    let of_pools =
        user_pools.iter().flat_map(|pool| pool.settings.origins()).filter_map(|url| url.domain().map(str::to_owned));
    let found = of_rules.chain(of_pools).filter(|name| is_possible(name)).map(Arc::from);
    let mut names: Vec<Arc<str>> = Vec::new();
    for name in found.chain(extra.iter().cloned()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Whether an authority can verify a name by HTTP-01 or TLS-ALPN-01: a DNS name of several labels, and no wildcard. It is also the name of a
/// file.
fn is_possible(name: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    // RFC 3696 §2: no top-level domain is a number. An address ends in one.
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(is_label)
        && !name.rsplit('.').next().is_some_and(is_number)
}
