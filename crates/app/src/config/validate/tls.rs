//! TLS of a listener: `certificates`, `tls_policy`, `ticket_key_files`, `mutual_authentication`.

use std::sync::Arc;

use crate::certificate::chain::{Certificate, Error};
use crate::certificate::ocsp;
use crate::certificate::table::Certificates;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::document::suggest;
use crate::config::keys::Kind;
use crate::config::raw::listener::{self as written, Listener, Protocol, TlsSource};
use crate::config::raw::mutual_authentication::Mode;
use crate::config::validate::context::Context;
use crate::config::validate::mutual_authentication::TrustStores;
use crate::config::validate::{keys, mutual_authentication};
use crate::crypto::aead::Key;
use crate::crypto::certified_key::Error as Pair;
use crate::listener::settings::{Tls, TlsPolicy};

/// TLS of an `https` listener. `None` for an `http` listener, which may have none of its settings.
pub(super) fn tls(
    raw: &Listener,
    at: &Path,
    stores: &TrustStores,
    context: &mut Context<'_>,
) -> Result<Option<Tls>, Reported> {
    match raw.protocol {
        Protocol::Http => without(raw, at, context).map(|()| None),
        Protocol::Https => {
            let certificates = certificates(raw, &at.key("certificates"), context);
            let policy = policy(raw.tls_policy.as_deref(), &at.key("tls_policy"), context);
            let ticket_keys = ticket_keys(raw, &at.key("ticket_key_files"), context);
            let clients = mutual_authentication::policy(raw, at, stores, context);
            // `acme` adds the names.
            let auto = Arc::default();
            Ok(Some(Tls {
                certificates: certificates?,
                auto,
                policy: policy?,
                ticket_keys: ticket_keys?,
                clients: clients?,
            }))
        }
    }
}

/// Refuses what an `http` listener has no use for.
fn without(raw: &Listener, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let set = [
        ("certificates", !raw.certificates.is_empty()),
        ("tls", raw.tls == TlsSource::Auto),
        ("tls_policy", raw.tls_policy.is_some()),
        ("ticket_key_files", !raw.ticket_key_files.is_empty()),
        ("mutual_authentication", raw.mutual_authentication.mode != Mode::Off),
    ];
    let mut result = Ok(());
    for (key, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
        let problem = context.found.problem(&at.key(key), format!("`{key}` is not allowed on an `http` listener"));
        result = problem.hint(format!("set `protocol: https`, or remove `{key}`")).fail();
    }
    result
}

fn certificates(raw: &Listener, at: &Path, context: &mut Context<'_>) -> Result<Option<Arc<Certificates>>, Reported> {
    let mut all = context.each_item(&raw.certificates, at, certificate)?.into_iter();
    match all.next() {
        Some(first) => Ok(Some(Arc::new(Certificates::new(first, all.collect())))),
        None if raw.tls == TlsSource::Auto && context.found.concern(at).is_none() => Ok(None),
        None => Err(context.found.concern(at).unwrap_or_else(|| {
            let problem = context.found.problem(at, "an `https` listener needs a certificate");
            problem
                .hint("add `certificates: [{ certificate_file: FILE, private_key_file: FILE }]`, or `tls: auto`")
                .reported()
        })),
    }
}

fn certificate(raw: &written::Certificate, at: &Path, context: &mut Context<'_>) -> Result<Certificate, Reported> {
    let (chain_at, key_at) = (at.key("certificate_file"), at.key("private_key_file"));
    let chain = keys::text(&raw.certificate_file, &chain_at, context);
    let key = keys::secret_text(&raw.private_key_file, &key_at, context);
    let response_at = at.key("ocsp_file");
    let response = raw.ocsp_file.as_ref().map(|file| keys::bytes(file, &response_at, context)).transpose();
    let error = match Certificate::from_pem(chain?.expose(), &key?) {
        Ok(certificate) => {
            return with_ocsp(certificate, raw.ocsp_file.as_deref().zip(response?), &response_at, context);
        }
        Err(error) => error,
    };
    let (at, file) = match error {
        Error::Pair(Pair::NoCertificate) | Error::NotX509 => (&chain_at, &raw.certificate_file),
        Error::Pair(Pair::NoKey | Pair::Mismatch | Pair::Unusable(_)) => (&key_at, &raw.private_key_file),
    };
    context.found.problem(at, format!("`{}`: {error}", context.source.resolve_secret(file).display())).fail()
}

/// Adds the OCSP response. A response that is of no use to clients is only a warning: without it, clients are served as well, and
/// a certificate that was just renewed has the response of the old one for a moment.
fn with_ocsp(
    certificate: Certificate,
    response: Option<(&str, Vec<u8>)>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Certificate, Reported> {
    let Some((file, response)) = response else { return Ok(certificate) };
    let error = match certificate.clone().with_ocsp(response) {
        Ok(certificate) => return Ok(certificate),
        Err(error) => error,
    };
    let message = format!("the file `{}` {error}", context.source.resolve_secret(file).display());
    match error {
        ocsp::Error::NotOcsp => {
            let problem = context.found.problem(at, message);
            problem.hint("`openssl ocsp … -respout FILE` writes one").fail()
        }
        ocsp::Error::Refused(_) | ocsp::Error::OtherCertificate | ocsp::Error::Revoked | ocsp::Error::Unknown => {
            context.found.warning(at, format!("{message}; it is not sent to clients"));
            Ok(certificate)
        }
    }
}

/// The policies that can be served. The ones with `PQ` have the same versions; hybrid groups are always offered.
const POLICIES: [(&str, TlsPolicy); 6] = [
    ("TLS13-1-2-Res", TlsPolicy::Tls13And12),
    ("TLS13-1-3", TlsPolicy::Tls13),
    ("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", TlsPolicy::Tls13And12),
    ("ELBSecurityPolicy-TLS13-1-3-2021-06", TlsPolicy::Tls13),
    ("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", TlsPolicy::Tls13And12),
    ("ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", TlsPolicy::Tls13),
];

fn policy(name: Option<&str>, at: &Path, context: &mut Context<'_>) -> Result<TlsPolicy, Reported> {
    let Some(name) = name else {
        return context.found.concern(at).map_or(Ok(TlsPolicy::default()), Err);
    };
    if let Some((_, policy)) = POLICIES.iter().find(|(known, _)| *known == name) {
        return Ok(*policy);
    }
    let (message, hint) = match missing(name) {
        Some(missing) => (
            format!("the policy `{name}` cannot be served: it has {missing}"),
            "`TLS13-1-2-Res` serves every client with TLS 1.3, or with TLS 1.2 and ECDHE with AES-GCM".to_owned(),
        ),
        None => (
            format!("there is no TLS policy `{name}`"),
            suggest::hint(name, POLICIES.iter().map(|(known, _)| *known))
                .unwrap_or_else(|| "write `TLS13-1-2-Res` or `TLS13-1-3`".to_owned()),
        ),
    };
    context.found.problem(at, message).hint(hint).fail()
}

/// What a policy of the AWS load balancer has that rustls has not (ALB §10.9). `None` if the name is none of its policies.
fn missing(name: &str) -> Option<&'static str> {
    const FAMILIES: [(&str, &str); 6] = [
        ("TLS13-1-2-20", "cipher suites with CBC"),
        ("TLS13-1-2-PQ-20", "cipher suites with CBC"),
        ("TLS13-1-2-Ext", "cipher suites with CBC or with RSA key exchange, which has no forward secrecy"),
        ("TLS13-1-1-", "TLS 1.1"),
        ("TLS13-1-0-", "TLS 1.0"),
        ("2016-08", "TLS 1.0"),
    ];
    let policy = name.strip_prefix("ELBSecurityPolicy-")?;
    FAMILIES.iter().find(|(family, _)| policy.starts_with(family)).map(|(_, missing)| *missing)
}

fn ticket_keys(raw: &Listener, at: &Path, context: &mut Context<'_>) -> Result<Option<Arc<[Key]>>, Reported> {
    // An empty list is the same as none.
    if raw.ticket_key_files.is_empty() && context.found.concern(at).is_none() {
        return Ok(None);
    }
    Ok(Some(keys::secret_keys(&raw.ticket_key_files, Kind::Ticket, at, context)?.into()))
}
