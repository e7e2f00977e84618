//! The facts about a connection that are known before its first request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderValue;

use crate::drain::Spawner;
use crate::exchange::client::Client;
use crate::exchange::logins::Logins;
use crate::exchange::rejection::Reason;
use crate::exchange::request_id;
use crate::message::forwarded::Policy;
use crate::message::uri::Scheme;

/// A client's connection.
#[derive(Debug)]
pub struct Connection {
    /// The identity of the connection in the access log of the ALB's format.
    pub(crate) id: u128,
    /// The client's address on the socket, never from a header. An IPv4-mapped IPv6 address is stored as IPv4.
    pub(crate) peer: IpAddr,
    pub(crate) peer_port: u16,
    /// `peer` as a header value, formatted once for all requests of the connection.
    pub(crate) peer_address: HeaderValue,
    /// The peer as `X-Forwarded-For` names it, if that is not `peer_address`.
    pub(crate) hop: Option<HeaderValue>,
    /// The listener's name.
    pub(crate) listener: Arc<str>,
    /// Which peers may send `X-Forwarded-For`, and how the header is changed.
    pub(crate) forwarded: Arc<Policy>,
    /// The logins under way at this listener.
    pub(crate) logins: Arc<Logins>,
    /// Runs what outlives the request, such as a tunnel, until the listener of this connection is closed. `None` if there is no listener.
    pub(crate) spawner: Option<Spawner>,
    /// Facts of the TLS handshake; `None` on a listener without TLS.
    pub(crate) tls: Option<Tls>,
    /// The client's certificate.
    pub client: Client,
}

/// Facts of a finished handshake.
#[derive(Clone, Debug)]
pub struct Tls {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The IANA name of the cipher suite.
    pub cipher_suite: &'static str,
    /// The name of the cipher suite in OpenSSL.
    pub openssl_cipher_suite: &'static str,
    /// The name that the client asked for (RFC 6066 §3).
    pub server_name: Option<String>,
}

impl Connection {
    /// A connection to `listener` from `peer`.
    pub fn new(peer: SocketAddr, listener: Arc<str>, forwarded: Arc<Policy>, tls: Option<Tls>) -> Self {
        let address = peer.ip().to_canonical();
        Self {
            id: request_id::connection_id(),
            peer: address,
            peer_port: peer.port(),
            hop: forwarded.hop(address, peer.port()),
            peer_address: HeaderValue::try_from(address.to_string()).expect("an address is ASCII"),
            listener,
            forwarded,
            logins: Arc::default(),
            spawner: None,
            tls,
            client: Client::default(),
        }
    }

    /// The same connection, with the client's certificate.
    pub fn with_client(mut self, client: Client) -> Self {
        self.client = client;
        self
    }

    /// The same connection, with the listener's count of logins.
    pub(crate) fn with_logins(mut self, logins: Arc<Logins>) -> Self {
        self.logins = logins;
        self
    }

    /// The same connection, with what is told when the listener is closed.
    pub(crate) fn with_spawner(mut self, spawner: Spawner) -> Self {
        self.spawner = Some(spawner);
        self
    }

    /// Why an exchange ends that is dropped before its end.
    pub(crate) fn interruption(&self) -> Reason {
        if self.spawner.as_ref().is_some_and(Spawner::is_cut) { Reason::DrainTimeout } else { Reason::ClientClosed }
    }

    /// The same connection as a newer configuration sees it. Most requests need none of this.
    pub(crate) fn under(&self, listener: &Arc<str>, forwarded: &Arc<Policy>, client: Client) -> Self {
        Self {
            id: self.id,
            peer: self.peer,
            peer_port: self.peer_port,
            peer_address: self.peer_address.clone(),
            hop: forwarded.hop(self.peer, self.peer_port),
            listener: Arc::clone(listener),
            forwarded: Arc::clone(forwarded),
            logins: Arc::clone(&self.logins),
            spawner: self.spawner.clone(),
            tls: self.tls.clone(),
            client,
        }
    }

    /// The scheme of this connection. A client behind a trusted proxy may have used another scheme: see
    /// [`Exchange::scheme`](crate::exchange::Exchange::scheme).
    pub(crate) fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::Https } else { Scheme::Http }
    }
}
