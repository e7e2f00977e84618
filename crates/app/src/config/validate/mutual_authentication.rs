//! `mutual_authentication` of a listener.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;

use crate::certificate::client::headers::Names;
use crate::certificate::client::policy::{Mode, Policy, Verify};
use crate::certificate::client::trust_store::TrustStore;
use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::raw::listener::{Listener, TlsSource};
use crate::config::raw::mutual_authentication::{self as written, Advertise, MutualAuthentication};
use crate::config::raw::value::List;
use crate::config::validate::claims;
use crate::config::validate::context::Context;

/// The trust stores of the file, by name. Those with a mistake are known, too.
pub(super) type TrustStores = BTreeMap<String, Result<Arc<TrustStore>, Reported>>;

/// Bytes of all names of a trust store in a handshake message, which has at most 64 KiB (RFC 8446 §4.2.4).
const ADVERTISED_BYTES_MAX: usize = 48 * 1024;

/// What the listener asks of its clients. `Ok(None)` if it asks for no certificates.
pub(super) fn policy(
    listener: &Listener,
    at: &Path,
    stores: &TrustStores,
    context: &mut Context<'_>,
) -> Result<Option<Arc<Policy>>, Reported> {
    let raw = &listener.mutual_authentication;
    let at = at.key("mutual_authentication");
    let names = names(&raw.header_names, &at.key("header_names"), &mut context.found);
    let mode = match raw.mode {
        written::Mode::Off => only_with_verify(raw, &at, context).map(|()| None),
        written::Mode::Passthrough => only_with_verify(raw, &at, context).map(|()| Some(Mode::Passthrough)),
        written::Mode::Verify => verify(raw, &at, stores, context).map(|verify| Some(Mode::Verify(verify))),
    };
    let (names, Some(mode)) = (names?, mode?) else { return Ok(None) };
    together(listener, &mode, &at, context)?;
    Ok(Some(Arc::new(Policy { mode, names })))
}

/// Refuses settings that have no effect with another mode than `verify`.
fn only_with_verify(raw: &MutualAuthentication, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let set = [
        ("trust_store", raw.trust_store.is_some()),
        ("ignore_client_certificate_expiry", raw.ignore_client_certificate_expiry),
        ("advertise_trust_store_ca_names", raw.advertise_trust_store_ca_names == Advertise::On),
    ];
    // A mode with a mistake has been reported, and may have been `verify`.
    if let Some(reported) = context.found.concern(&at.key("mode")) {
        return Err(reported);
    }
    let mut result = Ok(());
    for (key, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
        let problem = context.found.problem(&at.key(key), format!("`{key}` is allowed only with `mode: verify`"));
        result = problem.hint(format!("set `mode: verify`, or remove `{key}`")).fail();
    }
    result
}

fn verify(
    raw: &MutualAuthentication,
    at: &Path,
    stores: &TrustStores,
    context: &mut Context<'_>,
) -> Result<Verify, Reported> {
    let store_at = at.key("trust_store");
    let Some(name) = &raw.trust_store else {
        return Err(context.found.concern(&store_at).unwrap_or_else(|| {
            let problem = context.found.problem(at, "`mode: verify` needs a `trust_store`");
            problem
                .lacks(&store_at)
                .hint("add `trust_store: NAME`, and `trust_stores: { NAME: { ca_files: [FILE] } }`")
                .reported()
        }));
    };
    context.refer(name, "trust_stores", "trust store", &store_at)?;
    let store = match stores.get(name) {
        Some(store) => Arc::clone(store.as_ref().map_err(|reported| *reported)?),
        None => {
            // The entry has a mistake of its own.
            let entry = Path::default().key("trust_stores").key(name);
            let known = context.found.concern(&entry).or_else(|| context.found.concern_keys_of(&entry));
            return Err(
                known.unwrap_or_else(|| context.found.problem(&store_at, "this trust store has a mistake").reported())
            );
        }
    };
    let advertises = raw.advertise_trust_store_ca_names == Advertise::On;
    if advertises && store.advertised_bytes() > ADVERTISED_BYTES_MAX {
        let message = "the names of the authorities of this trust store do not fit into a TLS handshake";
        let problem = context.found.problem(&at.key("advertise_trust_store_ca_names"), message);
        return problem.hint("set it to `off`, or use a smaller trust store").fail();
    }
    Ok(Verify { store, ignores_expiry: raw.ignore_client_certificate_expiry, advertises })
}

/// What does not work on a listener that asks for certificates.
fn together(listener: &Listener, mode: &Mode, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    if !listener.ticket_key_files.is_empty() {
        let message = "`ticket_key_files` has no effect on a listener that asks clients for certificates: each connection is verified anew";
        return context.found.problem(&at.key("mode"), message).hint("remove `ticket_key_files`").fail();
    }
    if matches!(mode, Mode::Verify(_)) && listener.tls == TlsSource::Auto {
        let message = "an authority that verifies the name of a certificate (`tls-alpn-01`) shows no certificate, so this listener refuses it";
        context
            .found
            .warning(&at.key("mode"), message)
            .hint("the `http-01` challenge needs an `http` listener on port 80");
    }
    Ok(())
}

fn names(raw: &written::HeaderNames, at: &Path, found: &mut Findings) -> Result<Names, Reported> {
    let mut names = Names::default();
    let mut result = Ok(());
    for (key, text) in raw.given() {
        let place = match key {
            "clientcert" => &mut names.chain,
            "clientcert_serial_number" => &mut names.serial_number,
            "clientcert_issuer" => &mut names.issuer,
            "clientcert_subject" => &mut names.subject,
            "clientcert_validity" => &mut names.validity,
            _ => &mut names.leaf,
        };
        match name(text, &at.key(key), found) {
            Ok(name) => *place = name,
            Err(reported) => result = Err(reported),
        }
    }
    result?;
    let all = names.all();
    if let Some(twice) =
        all.iter().enumerate().find(|(place, name)| all[..*place].contains(*name)).map(|(_, name)| *name)
    {
        return found.problem(at, format!("two headers have the name `{twice}`")).hint("choose different names").fail();
    }
    Ok(names)
}

fn name(text: &str, at: &Path, found: &mut Findings) -> Result<HeaderName, Reported> {
    let name = HeaderName::from_bytes(text.as_bytes()).ok().filter(|name| {
        // Targets may read every other character as one of these (docs/decisions/0006).
        name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    let Some(name) = name else {
        let problem = found.problem(at, format!("`{text}` is not a header name"));
        return problem.hint("letters, digits and `-` are allowed").fail();
    };
    if claims::is_taken(&name) {
        let problem = found.problem(at, format!("the header `{name}` is reserved"));
        return problem.hint("choose another name, for example `x-client-certificate`").fail();
    }
    Ok(name)
}

/// Warns about trust stores that no listener uses.
pub(super) fn unused(
    raw: &BTreeMap<String, written::TrustStore>,
    listeners: &List<Listener>,
    context: &mut Context<'_>,
) {
    let is_used = |name: &&String| {
        listeners.iter().any(|(_, listener)| listener.mutual_authentication.trust_store.as_ref() == Some(*name))
    };
    for name in raw.keys().filter(|name| !is_used(name)) {
        let at = Path::default().key("trust_stores").key(name);
        let warning = context.found.warning(&at, "this trust store is not used by any listener");
        warning.hint(format!(
            "set `mutual_authentication: {{ mode: verify, trust_store: {name} }}` of a listener, or remove it"
        ));
    }
}
