//! Unary calls of gRPC to one server (gRPC over HTTP/2, <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version, header};
use percent_encoding::percent_decode;
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::backchannel::call::Error;
use crate::backchannel::network::{self, CONNECT_TIMEOUT};
use crate::message::BoxError;

/// Most bytes of an answer. The window of the connection is never opened again, so a server cannot send more.
const ANSWER_BYTES_MAX: u32 = 64 * 1024 - 1;
/// Most bytes of the header fields of an answer.
const HEAD_BYTES_MAX: u32 = 16 * 1024;
/// The length of the prefix of a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;
/// Characters of `grpc-message` that are kept. The server chooses them.
const TEXT_CHARS_MAX: usize = 256;

/// Where a server is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
    pub is_tls: bool,
    /// Certificate authorities trusted besides the system's.
    pub roots: Vec<CertificateDer<'static>>,
    /// For one call, with the connection if there is none.
    pub timeout: Duration,
}

/// What is called, and with what.
#[derive(Clone, Debug)]
pub struct Call<'c> {
    /// `/package.Service/Method`.
    pub path: &'static str,
    pub headers: &'c HeaderMap,
    /// The message, compressed by gzip if `is_gzip`.
    pub message: Bytes,
    pub is_gzip: bool,
}

/// The end of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status of gRPC. 0 is a success.
    pub code: u16,
    /// What the server says of it, cut.
    pub text: String,
    /// `grpc-status-details-bin`, still in base64.
    pub details: Option<Bytes>,
    /// The message; empty without one.
    pub message: Bytes,
}

/// Calls one server over one connection, which is kept. Nothing moves on it between two calls.
#[derive(Debug)]
pub struct Channel {
    settings: Settings,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    open: Option<Open>,
}

struct Open {
    sender: SendRequest<Bytes>,
    /// Moves the bytes. Ends when the connection has ended.
    driver: Pin<Box<dyn Future<Output = Result<(), h2::Error>> + Send>>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}

/// The server does not speak HTTP/2.
#[derive(Debug, thiserror::Error)]
#[error("the server does not agree to HTTP/2 (ALPN)")]
struct NotHttp2;

impl Channel {
    /// Prepares a channel. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`].
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let tls = settings.is_tls.then(|| {
            let mut config = network::tls(&settings.roots)?;
            config.alpn_protocols = vec![b"h2".to_vec()];
            let name = ServerName::try_from(settings.host.clone()).map_err(|error| Error::Setup(error.into()))?;
            Ok((Arc::new(config), name))
        });
        Ok(Self { tls: tls.transpose()?, settings, open: None })
    }

    /// Makes a call. Dropping the future closes the connection.
    ///
    /// # Errors
    ///
    /// Why there is no status of gRPC.
    pub async fn call(&mut self, call: &Call<'_>) -> Result<Answer, Error> {
        let timeout = self.settings.timeout;
        tokio::time::timeout(timeout, self.exchange(call)).await.unwrap_or(Err(Error::Timeout))
    }

    async fn exchange(&mut self, call: &Call<'_>) -> Result<Answer, Error> {
        let known = match self.open.take() {
            Some(open) => still_open(open).await,
            None => None,
        };
        let Open { sender, mut driver } = match known {
            Some(open) => open,
            None => {
                let connecting = connect(&self.settings, self.tls.as_ref());
                tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(Error::Timeout))?
            }
        };
        let request = self.request(call)?;
        let (answer, has_ended) = {
            let mut asked = std::pin::pin!(ask(sender.clone(), request, framed(call)));
            tokio::select! {
                biased;
                answer = &mut asked => (answer, false),
                // The answer is there, or will never be.
                _ = &mut driver => (asked.await, true),
            }
        };
        if answer.is_ok() && !has_ended {
            self.open = Some(Open { sender, driver });
        }
        answer.map_err(|error| Error::Broken(error.into()))
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<()>, Error> {
        let Settings { host, port, is_tls, timeout, .. } = &self.settings;
        let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let uri = Uri::builder().scheme(if *is_tls { "https" } else { "http" }).authority(authority);
        let uri = uri.path_and_query(call.path).build().map_err(|error| Error::Setup(error.into()))?;
        let mut request = Request::builder()
            .version(Version::HTTP_2)
            .method(Method::POST)
            .uri(uri)
            .header(header::TE, "trailers")
            .header("grpc-timeout", format!("{}m", timeout.as_millis()))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::USER_AGENT, concat!("vestibule/", env!("CARGO_PKG_VERSION")));
        if call.is_gzip {
            request = request.header("grpc-encoding", "gzip");
        }
        let mut request = request.body(()).map_err(|error| Error::Setup(error.into()))?;
        request.headers_mut().extend(call.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(request)
    }
}

async fn connect(settings: &Settings, tls: Option<&(Arc<ClientConfig>, ServerName<'static>)>) -> Result<Open, Error> {
    let failed = |error: BoxError| Error::Connect(error);
    let place = (&*settings.host, settings.port);
    let stream = TcpStream::connect(place).await.map_err(|error| failed(error.into()))?;
    // Nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let Some((config, name)) = tls else { return begin(stream).await };
    let connector = TlsConnector::from(Arc::clone(config));
    let stream = connector.connect(name.clone(), stream).await.map_err(|error| failed(error.into()))?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(failed(NotHttp2.into()));
    }
    begin(stream).await
}

/// Begins HTTP/2 with prior knowledge (RFC 9113 §3.3).
async fn begin<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> Result<Open, Error> {
    let mut builder = Builder::new();
    builder.initial_window_size(ANSWER_BYTES_MAX).max_header_list_size(HEAD_BYTES_MAX).enable_push(false);
    let (sender, driver) = builder.handshake(stream).await.map_err(|error| Error::Connect(error.into()))?;
    Ok(Open { sender, driver: Box::pin(driver) })
}

/// The connection, unless the server has closed it since the last call.
async fn still_open(mut open: Open) -> Option<Open> {
    let has_ended = poll_fn(|cx| Poll::Ready(open.driver.as_mut().poll(cx).is_ready())).await;
    (!has_ended).then_some(open)
}

fn framed(call: &Call<'_>) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + call.message.len());
    framed.put_u8(u8::from(call.is_gzip));
    framed.put_u32(u32::try_from(call.message.len()).unwrap_or(u32::MAX));
    framed.put(&*call.message);
    framed.freeze()
}

async fn ask(sender: SendRequest<Bytes>, request: Request<()>, message: Bytes) -> Result<Answer, h2::Error> {
    let mut sender = sender.ready().await?;
    let (head, mut body) = sender.send_request(request, false)?;
    body.send_data(message, true)?;
    let (head, mut body) = head.await?.into_parts();
    if head.status != StatusCode::OK {
        let text = format!("the server answered {}", head.status);
        return Ok(Answer { code: code_of(head.status), text, ..Answer::default() });
    }
    if let Some(code) = code(&head.headers) {
        // A call that fails at once has no message, and its status in the head.
        return Ok(ended(code, &head.headers, Bytes::new()));
    }
    let message = match whole(&mut body).await {
        Ok(message) => message,
        // The server needs no more of the request (RFC 9113 §8.1).
        Err(error) if error.reason() == Some(Reason::NO_ERROR) => Bytes::new(),
        Err(error) => return Err(error),
    };
    let trailers = body.trailers().await?.unwrap_or_default();
    const UNKNOWN: u16 = 2;
    Ok(ended(code(&trailers).unwrap_or(UNKNOWN), &trailers, message))
}

/// The body, which the window of the connection bounds.
async fn whole(body: &mut RecvStream) -> Result<Bytes, h2::Error> {
    let mut all = BytesMut::new();
    while let Some(part) = body.data().await {
        all.extend_from_slice(&part?);
    }
    Ok(all.freeze())
}

fn ended(code: u16, headers: &HeaderMap, message: Bytes) -> Answer {
    let text = headers.get("grpc-message").map(|text| percent_decode(text.as_bytes()).decode_utf8_lossy());
    let text = text.map(|text| text.chars().take(TEXT_CHARS_MAX).collect()).unwrap_or_default();
    let details = headers.get("grpc-status-details-bin").map(|details| Bytes::copy_from_slice(details.as_bytes()));
    // We accept no compression, so no server may use it.
    let message =
        if message.first() == Some(&0) { message.slice(PREFIX_BYTES.min(message.len())..) } else { Bytes::new() };
    Answer { code, text, details, message }
}

fn code(headers: &HeaderMap) -> Option<u16> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// The status of gRPC for an answer that is not one of gRPC ("HTTP to gRPC Status Code Mapping").
fn code_of(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

#[cfg(test)]
mod tests;
