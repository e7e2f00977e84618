//! Connections and requests for unit tests. The test controls the target's end.

use std::sync::Arc;

use http::uri::PathAndQuery;
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::crypto::provider;
use crate::message;
use crate::message::own_fields::OwnFields;
use crate::message::uri::Scheme;
use crate::socket::stream::Socket;
use crate::upstream::http1::request_writer::RequestWriter;
use crate::upstream::protocol_version::ProtocolVersion;
use crate::upstream::request::Request;
use crate::upstream::target_stream::TargetStream;
use crate::upstream::tls::{self, Trust};

/// Approximate number of unread bytes that the kernel buffers, in each direction and at each end.
const SOCKET_BYTES: usize = 32 * 1024;

async fn sockets() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    SockRef::from(&listener).set_recv_buffer_size(SOCKET_BYTES).expect("a socket");
    let stream = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
    SockRef::from(&stream).set_send_buffer_size(SOCKET_BYTES).expect("a socket");
    let (target, _) = listener.accept().await.expect("accepts");
    (Socket::new(stream).expect("a socket"), target)
}

/// A stream over TCP.
pub(super) async fn pair() -> (TargetStream, TcpStream) {
    let (socket, target) = sockets().await;
    (TargetStream::tcp(socket), target)
}

/// A stream over TLS.
pub(super) async fn secured_pair() -> (TargetStream, TlsStream<TcpStream>) {
    let (socket, target) = sockets().await;
    let config = tls::config(Trust::Any, None, None, ProtocolVersion::Http1).config;
    let connecting = TlsConnector::from(config).connect(ServerName::try_from("app").expect("a name"), socket);
    let (stream, target) = tokio::join!(connecting, TlsAcceptor::from(server()).accept(target));
    (TargetStream::tls(stream.expect("a handshake")), target.expect("a handshake"))
}

fn server() -> Arc<ServerConfig> {
    let certified = rcgen::generate_simple_self_signed(vec![String::from("app")]).expect("a certificate");
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(provider::tls())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("they belong together");
    Arc::new(config)
}

/// `from_client` as it is written to a target that gets "/a%20b?c=d".
pub(super) async fn writer(mut from_client: message::Request, fields: &OwnFields) -> RequestWriter {
    let target = PathAndQuery::from_static("/a%20b?c=d");
    let mut request = Request {
        from_client: &mut from_client,
        scheme: Scheme::Https,
        target: &target,
        fields,
        upgrade: None,
        accepts_trailers: false,
        attempts: None,
    };
    let mut content = request.content().await.expect("a body");
    RequestWriter::new(&mut request, &mut content)
}
