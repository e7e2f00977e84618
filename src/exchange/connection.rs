//! What is known of a connection before its first request.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::message::forwarded::Policy;

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The other end of the socket; never taken from a header.
    pub(crate) peer: SocketAddr,
    /// Our end of the socket: the port that a client used.
    pub(crate) local: SocketAddr,
    /// The listener's name.
    pub(crate) listener: Arc<str>,
    /// Whose `X-Forwarded-For` is believed here, and what becomes of it.
    pub(crate) forwarded: Arc<Policy>,
    /// What was agreed on, where the listener speaks TLS.
    pub(crate) tls: Option<Tls>,
}

/// Facts of a finished handshake.
#[derive(Debug)]
pub(crate) struct Tls {
    /// `TLSv1.3` or `TLSv1.2`.
    pub(crate) version: &'static str,
    /// The IANA name of the cipher suite.
    pub(crate) cipher_suite: &'static str,
    /// The name that the client asked for (RFC 6066 §3).
    pub(crate) server_name: Option<String>,
}

impl Connection {
    /// `https` or `http`: what the client's address bar begins with.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}
