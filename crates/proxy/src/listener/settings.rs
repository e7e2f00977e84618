//! Validated addresses, TLS, limits and timeouts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::certificate::client;
use crate::certificate::table::Certificates;
use crate::crypto::aead::Key;
use crate::message::desync::Mode;
use crate::message::forwarded::Policy;
use crate::message::response_headers::ResponseHeaders;

/// One socket to accept on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of the listener in logs and metrics.
    pub name: Arc<str>,
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS of an `https` listener. `None` on an `http` listener.
    pub tls: Option<Tls>,
    /// Which proxies are trusted to set `X-Forwarded-For`, and how the header is changed.
    pub forwarded: Arc<Policy>,
    /// The header of the PROXY protocol that each connection begins with. `None` if connections come from the clients.
    pub proxy_protocol: Option<ProxyHeader>,
    /// How to handle a request with a header that overrides its method.
    pub method_override: MethodOverrides,
    /// What happens to requests that do not conform to the standard.
    pub desync: Mode,
    /// What is set in responses. `None` if nothing is.
    pub response_headers: Option<Arc<ResponseHeaders>>,
    /// All limits of a connection.
    pub limits: Arc<Limits>,
}

/// The header of the PROXY protocol that connections of a listener begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    pub version: ProxyProtocol,
    /// Who may send the header, and so choose the address of the client (attacks G-13). It says nothing about `X-Forwarded-*`.
    pub senders: Vec<IpNet>,
}

impl ProxyHeader {
    /// Whether this peer may send the header.
    pub(crate) fn is_from(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.senders.iter().any(|network| network.contains(&peer))
    }
}

/// The versions of the PROXY protocol that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    V1,
    V2,
    Any,
}

/// TLS of a listener.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificates of files. `None` if all are obtained by ACME.
    pub certificates: Option<Arc<Certificates>>,
    /// Names whose certificates are obtained by ACME.
    pub auto: Arc<[Arc<str>]>,
    pub policy: TlsPolicy,
    /// Keys of session tickets that other processes have, too. `None` uses keys that only this process knows.
    pub ticket_keys: Option<Arc<[Key]>>,
    /// What the certificates of clients must be. `None`: clients are not asked for certificates.
    pub clients: Option<Arc<client::policy::Policy>>,
}

/// The versions of TLS (ALB §10.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsPolicy {
    /// TLS 1.3 only.
    Tls13,
    /// TLS 1.3, and TLS 1.2 with ECDHE and AEAD.
    #[default]
    Tls13And12,
}

/// How to handle `X-HTTP-Method-Override` and similar headers (attacks P-19).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MethodOverrides {
    /// Respond with 400, because the request would have another meaning without the header.
    #[default]
    Refuse,
    /// Forward the header to the target. Rules match the request's own method.
    Pass,
}

/// All limits of a connection. The defaults are those of the ALB where the ALB has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum time from accept to the end of the TLS handshake. 10 s.
    pub handshake_timeout: Duration,
    /// Maximum time from the first to the last byte of a request head. 10 s. A slow head is not a slow application, so
    /// this is shorter than `idle_timeout`.
    pub head_timeout: Duration,
    /// Maximum time in which no byte is read or written on a connection, or in which an HTTP/2 client reads nothing of
    /// a response. 60 s (ALB §10.1 `idle_timeout`).
    pub idle_timeout: Duration,
    /// Maximum age of a connection. 3600 s (ALB §10.1 `client_keep_alive`).
    pub keep_alive: Duration,
    /// Maximum size of all request headers together, in bytes. 65536 (ALB §7.4).
    pub head_bytes_max: usize,
    /// Maximum number of header fields in one request. 200.
    pub headers_max: usize,
    /// Maximum concurrent streams of one HTTP/2 connection. 128 (ALB §10.5).
    pub streams_max: u32,
    /// Minimum rate of a request body, in bytes per second, until its response begins. Zero disables the limit. 240.
    pub body_rate_min: u64,
    /// Maximum open connections of one client address. A quarter of `connections_max`, but at least 1000.
    pub connections_per_address_max: usize,
    /// Maximum logins in progress of one client address. Zero disables the limit. 1000.
    pub logins_per_address_max: u32,
    /// Maximum open connections of this listener, for all workers together. 20000.
    pub connections_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            keep_alive: Duration::from_secs(3600),
            head_bytes_max: 64 * 1024,
            headers_max: 200,
            streams_max: 128,
            connections_max: 20_000,
            body_rate_min: 240,
            connections_per_address_max: 5000,
            logins_per_address_max: 1000,
        }
    }
}
