//! The TLS handshake: certificate by SNI, ALPN, tickets.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use crate::certificate::table::Certificates;
use crate::crypto::provider;
use crate::exchange::connection::Tls;
use crate::listener::plain_http::PlainHttpDetector;

/// The protocols that we speak, in order of preference (RFC 7301).
const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The HTTP version that was negotiated with ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// The TLS configuration of a listener: TLS 1.3 and 1.2, the cipher suites of the crypto provider, and session tickets
/// whose keys rotate. No early data: early data can be replayed, and only the application can know whether a replay
/// does harm (RFC 8446 §8).
pub(crate) fn server_config(certificates: &Arc<Certificates>) -> Arc<ServerConfig> {
    let resolver: Arc<Certificates> = Arc::clone(certificates);
    let mut config = ServerConfig::builder_with_provider(provider::tls())
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions")
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().expect("tickets need only randomness");
    // One session ticket is enough for a browser, and each ticket costs a write.
    config.send_tls13_tickets = 1;
    Arc::new(config)
}

/// The TLS parameters and the HTTP version that the handshake negotiated.
pub(crate) fn facts(stream: &TlsStream<PlainHttpDetector>) -> (Tls, Protocol) {
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let cipher_suite =
        connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown");
    let server_name = connection.server_name().map(str::to_owned);
    let protocol = if connection.alpn_protocol() == Some(H2) { Protocol::Http2 } else { Protocol::Http1 };
    (Tls { version, cipher_suite, server_name }, protocol)
}
