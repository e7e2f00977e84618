//! WebSockets over HTTP/2 (RFC 8441): a client that is written frame by frame, and targets.

use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::handshake::server::{Request as ServerRequest, Response as ServerResponse};

use super::http2::{DATA, END_STREAM, Frame, HEADERS, Http2, PING, RST_STREAM, Stream};
use super::runtime;
use super::server::{Received, Reply, Server};

/// The answer of a target that opens the WebSocket and then sends back every byte.
pub fn opens(request: &Received) -> Reply {
    let key = request.header("sec-websocket-key").unwrap_or_default();
    Reply::Switch(switch(key).into_bytes())
}

/// The head that opens the WebSocket with this key.
pub fn switch(key: &str) -> String {
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    )
}

/// The key in the head of a request.
#[track_caller]
pub fn key(head: &str) -> &str {
    let (_, rest) = head.split_once("sec-websocket-key: ").unwrap_or_else(|| panic!("a key: {head}"));
    rest.lines().next().expect("a line")
}

/// A target that opens every WebSocket and sends back every byte.
pub fn echo() -> Server {
    Server::start(opens)
}

/// A target that speaks WebSocket: it sends back each message. Ends with its first connection, and says which closing code it saw.
#[expect(clippy::result_large_err, reason = "the library says what a handshake fails with")]
pub fn server(socket: TcpListener) -> JoinHandle<Option<u16>> {
    std::thread::spawn(move || {
        let (stream, _) = socket.accept().expect("the proxy connects");
        stream.set_nonblocking(true).expect("a socket");
        runtime().block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).expect("a socket");
            // It takes the protocol that the client offers, if it offers one.
            let takes = |request: &ServerRequest, mut response: ServerResponse| {
                if let Some(protocol) = request.headers().get("sec-websocket-protocol") {
                    response.headers_mut().insert("sec-websocket-protocol", protocol.clone());
                }
                Ok(response)
            };
            let mut socket = tokio_tungstenite::accept_hdr_async(stream, takes).await.expect("a handshake");
            let mut seen = None;
            while let Some(Ok(message)) = socket.next().await {
                match message {
                    Message::Close(frame) => seen = seen.or(Some(frame.map_or(1005, |frame| frame.code.into()))),
                    message if message.is_text() || message.is_binary() => {
                        socket.send(message).await.expect("sent");
                    }
                    _ => {}
                }
            }
            seen
        })
    })
}

/// The header section that asks for a WebSocket at `path`, with more fields.
pub fn asks<'a>(path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let section = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "app.test"),
        (":path", path),
        ("sec-websocket-version", "13"),
    ];
    [&section[..], more].concat()
}

/// How the proxy ended a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Stream,
    Reset(u32),
    Connection,
}

/// One WebSocket, without its frames: bytes in both directions.
pub struct Socket {
    pub client: Http2,
    pub stream: u32,
}

impl Socket {
    /// Opens one at `/socket`.
    #[track_caller]
    pub fn open(address: SocketAddr, more: &[(&str, &str)]) -> Self {
        Self::on(Http2::connect(address, "app.test"), more)
    }

    /// The same on a connection that is there.
    #[track_caller]
    pub fn on(client: Http2, more: &[(&str, &str)]) -> Self {
        let mut this = Self::ask(client, more);
        let head = this.next();
        assert_eq!((head.status(), head.flags & END_STREAM), (Some(200), 0), "{head:?}");
        this
    }

    /// Asks, and does not wait for the answer.
    pub fn ask(mut client: Http2, more: &[(&str, &str)]) -> Self {
        let stream = client.open(&asks("/socket", more), Stream::Open);
        Self { client, stream }
    }

    /// The next frame of the stream.
    #[track_caller]
    pub fn next(&mut self) -> Frame {
        let stream = self.stream;
        let is_ours = |frame: &Frame| frame.stream == stream && [DATA, HEADERS, RST_STREAM].contains(&frame.kind);
        self.client.frame_that(is_ours).expect("the connection stays open")
    }

    /// Sends bytes in one DATA frame.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.frame(DATA, 0, self.stream, bytes.as_ref());
    }

    /// Reads at least until `end`, and answers all that has come.
    #[track_caller]
    pub fn read_until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end.as_bytes()) {
            let frame = self.next();
            assert_eq!(frame.kind, DATA, "{end:?} comes: {frame:?} after {:?}", String::from_utf8_lossy(&bytes));
            bytes.extend(frame.payload);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// All that still comes, and how it ends.
    pub fn read_to_end(&mut self) -> (String, End) {
        let stream = self.stream;
        let mut bytes = Vec::new();
        let end = loop {
            let Some(frame) = self.client.frame_that(|frame| frame.stream == stream || frame.kind == PING) else {
                break End::Connection;
            };
            match frame.kind {
                // A proxy that ends the connection waits for the answer (RFC 9113 §6.8).
                PING if frame.flags == 0 => {
                    self.client.frame(PING, 1, 0, &frame.payload);
                    continue;
                }
                DATA => bytes.extend(&frame.payload),
                RST_STREAM => break End::Reset(frame.code().expect("a reset has one")),
                _ => continue,
            }
            if frame.flags & END_STREAM != 0 {
                break End::Stream;
            }
        };
        (String::from_utf8_lossy(&bytes).into_owned(), end)
    }

    /// A closing frame of the proxy with that text is all that still comes.
    #[track_caller]
    pub fn is_closed_with(&mut self, text: &str) {
        let (rest, end) = self.read_to_end();
        assert!(rest.ends_with(text) && rest.chars().count() == text.len() + 4, "{rest:?}");
        assert_eq!(end, End::Stream, "the end of the stream is the end of the connection (RFC 8441 §5)");
    }
}
