//! Bytes on a TLS connection, for requests that no client library would write.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use super::certificates;
use super::server::DEADLINE;

/// An HTTP/1.1 connection over TLS, as bytes.
pub struct Raw(StreamOwned<ClientConnection, TcpStream>);

impl Raw {
    pub fn connect(address: SocketAddr, server_name: &str) -> Self {
        Self::speaking(b"http/1.1", address, server_name)
    }

    /// A connection on which something else is agreed on (ALPN).
    pub fn speaking(protocol: &[u8], address: SocketAddr, server_name: &str) -> Self {
        Self::with(certificates::client(&[protocol]), address, server_name)
    }

    /// Connects as a client that trusts another authority than the tests' own, given as PEM.
    pub fn connect_trusting(address: SocketAddr, server_name: &str, authority: &str) -> Self {
        Self::with(certificates::client_trusting(authority, &[b"http/1.1"]), address, server_name)
    }

    fn with(config: Arc<rustls::ClientConfig>, address: SocketAddr, server_name: &str) -> Self {
        let name = server_name.to_owned().try_into().expect("a name");
        let connection = ClientConnection::new(config, name).expect("a client");
        let stream = TcpStream::connect(address).expect("the proxy accepts");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        Self(StreamOwned::new(connection, stream))
    }

    /// The certificate that a client is shown, in DER.
    pub fn connect_showing(address: SocketAddr, server_name: &str) -> Vec<u8> {
        let mut shown = Self::with(certificates::trusting_anyone(), address, server_name);
        shown.0.conn.complete_io(&mut shown.0.sock).expect("a handshake");
        shown.0.conn.peer_certificates().expect("shown")[0].to_vec()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the proxy reads");
        self.0.flush().expect("the proxy reads");
    }

    /// Sends what may meet a closed connection.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).and_then(|()| self.0.flush()).is_ok()
    }

    /// Everything until the proxy closes.
    pub fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match self.0.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                // Closed without `close_notify`, or reset: an end as well.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::UnexpectedEof
                            | ErrorKind::ConnectionReset
                            | ErrorKind::ConnectionAborted
                            | ErrorKind::BrokenPipe
                    ) =>
                {
                    break;
                }
                Err(error) => panic!("the proxy closes within the deadline: {error}"),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What comes within a moment; nothing where nothing does.
    pub fn read_soon(&mut self) -> Vec<u8> {
        self.0.sock.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        let mut chunk = vec![0; 4096];
        let read = self.0.read(&mut chunk).unwrap_or(0);
        self.0.sock.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        chunk.truncate(read);
        chunk
    }

    /// Exactly so many bytes; `None` where the proxy closes before.
    pub fn read_exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        match self.0.read_exact(&mut bytes) {
            Ok(()) => Some(bytes),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the proxy answers or closes within the deadline")
            }
            Err(_) => None,
        }
    }

    /// Until `end` has come.
    pub fn read_until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        let mut byte = [0; 1];
        while !bytes.ends_with(end.as_bytes()) {
            match self.0.read(&mut byte) {
                Ok(1) => bytes.push(byte[0]),
                other => panic!("{end:?} comes, got {other:?} after {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// One response with a length: its head and its body.
    pub fn read_response(&mut self) -> (String, String) {
        let head = self.read_until("\r\n\r\n");
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.trim().parse().expect("a length"));
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("the whole body");
        (head, String::from_utf8_lossy(&body).into_owned())
    }
}

/// Sends one request as bytes on a connection of its own, and reads until the proxy closes.
pub fn exchange(address: SocketAddr, server_name: &str, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::connect(address, server_name);
    raw.send(bytes);
    raw.read_to_end()
}

/// The status of a response's first line.
#[track_caller]
pub fn status(response: &str) -> u16 {
    let word = response.split(' ').nth(1).unwrap_or_default();
    word.parse().unwrap_or_else(|_| panic!("a status line: {response:?}"))
}

/// A TLS client configuration, where a test needs one of its own.
pub fn tls(protocols: &[&[u8]]) -> Arc<rustls::ClientConfig> {
    certificates::client(protocols)
}
