//! The client's side of a WebSocket that is asked for, whatever version of HTTP the client speaks.

use std::fmt;

use http::HeaderValue;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + fmt::Debug> ByteStream for T {}

/// What becomes a WebSocket if the target agrees.
#[derive(Debug)]
pub enum Upgrade {
    /// The client's HTTP/1.1 connection. The handshake is the client's own, and the client checks how it is answered.
    Connection(OnUpgrade),
    /// One stream of the client's HTTP/2 connection (RFC 8441). Vestibule makes the handshake and checks how it is answered.
    Stream {
        stream: Box<dyn ByteStream>,
        /// `Sec-WebSocket-Key` of the handshake.
        key: HeaderValue,
    },
}

impl Upgrade {
    /// The client's bytes, as soon as the client was told that the WebSocket is open. `None` if the client has gone.
    pub async fn opened(self) -> Option<Box<dyn ByteStream>> {
        match self {
            Self::Connection(connection) => Some(Box::new(TokioIo::new(connection.await.ok()?))),
            Self::Stream { stream, .. } => Some(stream),
        }
    }
}
