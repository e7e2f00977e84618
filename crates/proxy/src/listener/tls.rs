//! The TLS handshake: certificate by SNI, ALPN, tickets.

use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use tokio_rustls::server::TlsStream;

use crate::certificate::acme::issued::Issued;
use crate::certificate::chooser::{ACME_TLS, Chooser};
use crate::certificate::client::policy::Presented;
use crate::certificate::client::verifier::Verifier;
use crate::clock::Clock;
use crate::crypto::provider;
use crate::exchange::connection::Tls;
use crate::listener::plain_http::PlainHttpDetector;
use crate::listener::settings::{Tls as Settings, TlsPolicy};
use crate::listener::tickets::{KeyedTickets, ProcessTickets};

/// The protocols that we speak, in order of preference (RFC 7301).
const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The HTTP version that was negotiated with ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// What TLS of all listeners has in common as long as the process lives, under every configuration.
#[derive(Clone, Debug)]
pub struct ProcessTls {
    pub(crate) tickets: ProcessTickets,
    /// What ACME has obtained.
    pub issued: Arc<Issued>,
}

impl Default for ProcessTls {
    fn default() -> Self {
        Self::new()
    }
}

impl ProcessTls {
    pub fn new() -> Self {
        Self { tickets: ProcessTickets::new(), issued: Arc::default() }
    }
}

/// The TLS configuration of a listener: the versions of its policy, the cipher suites and key exchange groups of the crypto
/// provider, and session tickets. No early data: early data can be replayed, and only the application can know whether a
/// replay does harm (RFC 8446 §8).
///
/// Everything here is made from settings, except the keys of tickets: without keys in the settings, those of the process are
/// used. A client may then resume at another listener of the process what it began at this one, if the server name is the
/// same. That is sound because listeners that ask clients for certificates resume nothing.
pub(super) fn server_config(tls: &Settings, process: &ProcessTls, clock: &Clock) -> Arc<ServerConfig> {
    let versions: &[&SupportedProtocolVersion] = match tls.policy {
        TlsPolicy::Tls13 => &[&version::TLS13],
        TlsPolicy::Tls13And12 => &[&version::TLS13, &version::TLS12],
    };
    let chooser = Chooser {
        certificates: tls.certificates.clone(),
        auto: Arc::clone(&tls.auto),
        issued: Arc::clone(&process.issued),
        clock: clock.clone(),
    };
    let verifier: Arc<dyn ClientCertVerifier> = match &tls.clients {
        Some(policy) => Arc::new(Verifier::new(Arc::clone(policy), clock.clone())),
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = ServerConfig::builder_with_provider(provider::tls_server())
        .with_protocol_versions(versions)
        .expect("the provider has suites for both versions")
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(chooser));
    config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
    if !tls.auto.is_empty() {
        config.alpn_protocols.push(ACME_TLS.to_vec());
    }
    if tls.clients.is_some() {
        // A client that resumes a session is not verified again, whatever has been revoked since (attacks T-02). So nothing is resumed
        // here: no ticket is made, none is opened, and nothing is kept.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        return Arc::new(config);
    }
    config.ticketer = match &tls.ticket_keys {
        Some(keys) => Arc::new(KeyedTickets { keys: Arc::clone(keys), clock: clock.clone() }),
        None => Arc::clone(&process.tickets.0),
    };
    // One session ticket is enough for a browser, and each ticket costs a write.
    config.send_tls13_tickets = 1;
    Arc::new(config)
}

/// Whether the peer is an authority that verifies a name. It sends no request (RFC 8737 §3).
pub(super) fn is_challenge(stream: &TlsStream<PlainHttpDetector>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(ACME_TLS)
}

/// The TLS parameters and the HTTP version that the handshake negotiated, and the certificate that the client has shown.
pub(crate) fn facts(stream: &TlsStream<PlainHttpDetector>) -> (Tls, Protocol, Option<Presented>) {
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let negotiated = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let cipher_suite = iana_name(negotiated.unwrap_or("unknown"));
    let presented = connection.peer_certificates().and_then(Presented::new);
    let server_name = connection.server_name().map(str::to_owned);
    let protocol = if connection.alpn_protocol() == Some(H2) { Protocol::Http2 } else { Protocol::Http1 };
    (Tls { version, cipher_suite, openssl_cipher_suite: openssl_name(cipher_suite), server_name }, protocol, presented)
}

/// The name in the register of IANA: what operators search for, and what the Elastic Common Schema has in `tls.cipher`. rustls has names of its own
/// for the suites of TLS 1.3.
fn iana_name(suite: &'static str) -> &'static str {
    match suite {
        "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
        "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
        "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
        other => other,
    }
}

/// The name that OpenSSL has for a cipher suite, from its name in the register of IANA: what the ALB tells targets (ALB §10.7). The suites of TLS 1.3 have one name.
fn openssl_name(suite: &'static str) -> &'static str {
    match suite {
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" => "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" => "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" => "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" => "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" => "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" => "ECDHE-RSA-CHACHA20-POLY1305",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_that_we_serve_has_a_name_in_openssl() {
        let suites = &provider::tls_server().cipher_suites;
        assert!(suites.len() >= 9);
        for suite in suites {
            let known = iana_name(suite.suite().as_str().expect("a name"));
            assert!(known.starts_with("TLS_"), "{known}");
            let name = openssl_name(known);
            let is_openssl = match suite.version().version {
                rustls::ProtocolVersion::TLSv1_3 => name.starts_with("TLS_"),
                _ => name.starts_with("ECDHE-") && !name.contains('_'),
            };
            assert!(is_openssl, "{known} is {name}");
        }
    }
}
