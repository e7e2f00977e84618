//! Validated addresses, TLS, limits and timeouts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::listener::certificate::Certificates;
use crate::message::forwarded::Policy;

/// One socket to accept on.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Names the listener in logs and metrics.
    pub(crate) name: Arc<str>,
    /// Where to listen; port 0 takes a free one.
    pub(crate) address: SocketAddr,
    /// What an `https` listener shows; `None` on an `http` listener.
    pub(crate) certificates: Option<Arc<Certificates>>,
    /// Whose `X-Forwarded-For` is believed, and what becomes of it.
    pub(crate) forwarded: Arc<Policy>,
    /// What becomes of a request that asks to be taken for one of another method.
    pub(crate) method_override: MethodOverrides,
    /// Every bound on a connection.
    pub(crate) limits: Limits,
}

/// What becomes of `X-HTTP-Method-Override` and its like (attacks P-19).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MethodOverrides {
    /// The request is answered 400: without the header it would mean something else.
    #[default]
    Refuse,
    /// The target sees the header. Rules match the request's own method.
    Pass,
}

/// Every bound on a connection. The defaults are the ALB's where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From accept to the end of the TLS handshake. 10 s.
    pub(crate) handshake_timeout: Duration,
    /// From the first byte of a request head to its last. 10 s; a slow head is not a slow application.
    pub(crate) head_timeout: Duration,
    /// The longest time in which nothing moves on a connection, or in which an HTTP/2 client takes nothing of an answer. 60 s
    /// (ALB §10.1 `idle_timeout`).
    pub(crate) idle_timeout: Duration,
    /// The life of a connection. 3600 s (ALB §10.1 `client_keep_alive`).
    pub(crate) keep_alive: Duration,
    /// All request headers together, in bytes. 65536 (ALB §7.4).
    pub(crate) head_bytes_max: usize,
    /// Header fields in one request. 200.
    pub(crate) headers_max: usize,
    /// Concurrent streams of one HTTP/2 connection. 128 (ALB §10.5).
    pub(crate) streams_max: u32,
    /// The least rate of a request's body, in bytes a second, until its answer begins. Zero: none. 240.
    pub(crate) body_rate_min: u64,
    /// Open connections of one client address. A quarter of `connections_max`, but at least 1000.
    pub(crate) connections_per_address_max: usize,
    /// Logins under way of one client address. Zero: any number. 1000.
    pub(crate) logins_per_address_max: u32,
    /// Open connections of this listener, all workers together. 20000.
    pub(crate) connections_max: usize,
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
