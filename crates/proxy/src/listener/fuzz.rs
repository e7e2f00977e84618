//! For `fuzz/`: serves the bytes of a client on one connection, with `Screened` and without it, and compares.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;
use crate::drain;
use crate::exchange::connection::Connection;
use crate::exchange::rejection::Reason;
use crate::listener::http1::{builder, serve};
use crate::listener::http2::memory::WorkerMemory;
use crate::listener::metrics::Metrics;
use crate::listener::proxy_protocol::{self, Client, Parsed};
use crate::listener::requests::{Handler, Requests};
use crate::listener::settings::{MethodOverrides, ProxyProtocol, Settings};
use crate::listener::state::{GenerationListener, ProcessListener, Served, Terms, WorkerListener};
use crate::listener::tls::ProcessTls;
use crate::listener::transport::{Readable, Watched};
use crate::message::body::Body;
use crate::message::desync::Mode;
use crate::message::unread::{Look, Unread, look};
use crate::message::upload::Uploads;
use crate::message::{Request, Response};
use crate::telemetry::metrics::Registry;

/// The first byte of the input is the size of the pieces in which the rest arrives.
///
/// The handler must see the same requests with `Screened` and without it, with two exceptions. A request with a
/// fragment is refused and is the last one. A request target with characters that hyper refuses is percent-encoded.
pub fn requests(input: &[u8]) {
    let Some((&how, bytes)) = input.split_first() else { return };
    if bytes.len() > 8192 {
        return;
    }
    heads(bytes);
    let piece = if how == 0 { bytes.len() } else { usize::from(how) };
    let (ours, refused) = seen(bytes, piece, true);
    let (alone, _) = seen(bytes, piece, false);
    for (ours, alone) in ours.iter().zip(&alone) {
        assert_eq!(ours, alone, "left: with the screen; right: hyper alone");
    }
    if ours.len() < alone.len() {
        assert_eq!(refused, Some(Reason::RequestPath), "a request is lost: {:?}", alone[ours.len()]);
        assert!(bytes.contains(&b'#'), "a request without a fragment is refused");
    }
    if let Some(more) = ours.get(alone.len()) {
        assert!(more.target.contains('%'), "hyper alone does not take {more:?}");
    }
    // The size of the pieces must not change the requests. A head that arrives together with the one before it is not
    // screened, so inputs with characters that `Screened` handles are skipped.
    let is_doubtful = |byte: &u8| matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`' | 0x80..);
    if !bytes.iter().any(is_doubtful) {
        let (at_once, _) = seen(bytes, bytes.len(), true);
        assert_eq!(at_once, ours, "left: at once; right: in pieces of {piece}");
    }
}

/// Checks that a head is encoded only once, and that only its request target changes.
fn heads(bytes: &[u8]) {
    let unread = Unread::of(bytes);
    assert!(unread.headers.len() <= 200);
    let Look::Encoded(encoded) = look(bytes) else { return };
    assert_eq!(look(&encoded), Look::Plain, "a head is looked at again");
    let decoded: Vec<u8> = percent_encoding::percent_decode(&encoded).collect();
    let expected: Vec<u8> = percent_encoding::percent_decode(bytes).collect();
    assert_eq!(decoded, expected, "a head says something else than before");
    assert_eq!(
        bytes.iter().filter(|byte| **byte == b'\n').count(),
        encoded.iter().filter(|byte| **byte == b'\n').count()
    );
}

/// A request as the handler sees it. `body` is `None` if the body is incomplete.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

#[derive(Default)]
struct Watching {
    seen: RefCell<Vec<Seen>>,
    refused: RefCell<Option<Reason>>,
}

impl Handler for Watching {
    async fn handle(&self, _connection: Rc<Connection>, request: &mut Request) -> Response {
        let body = request.body_mut().collect().await.ok().map(|body| body.to_bytes().to_vec());
        let fields = request.headers().iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        let seen = Seen {
            method: request.method().to_string(),
            target: request.uri().to_string(),
            fields: fields.collect(),
            body,
        };
        self.seen.borrow_mut().push(seen);
        Response::new(Body::full("answered"))
    }

    fn refuse(&self, _connection: Rc<Connection>, _request: Unread, reason: Reason) -> Response {
        let before = self.refused.replace(Some(reason));
        assert_eq!(before, None, "a connection is refused twice");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response
    }
}

/// A client that sends its bytes in pieces, and then closes.
#[derive(Debug)]
struct Canned {
    bytes: Bytes,
    piece: usize,
    /// The next read returns `Pending`.
    pauses: bool,
}

impl AsyncRead for Canned {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.pauses = !self.pauses;
        if self.pauses {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let length = self.bytes.len().min(buffer.remaining()).min(self.piece.max(1));
        buffer.put_slice(&self.bytes.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Canned {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Readable for Canned {
    fn poll_readable(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn poll_discard(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(std::mem::take(&mut self.bytes).len()))
    }
}

fn seen(bytes: &[u8], piece: usize, is_screened: bool) -> (Vec<Seen>, Option<Reason>) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        static METRICS: Metrics = Metrics::new(&Registry::default(), "fuzz");
    }
    let canned = Canned { bytes: Bytes::copy_from_slice(bytes), piece, pauses: false };
    let transport = Watched::new(canned, Arc::default(), ());
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let settings = Settings {
        name: Arc::from("fuzz"),
        address: peer,
        tls: None,
        forwarded: Arc::default(),
        method_override: MethodOverrides::default(),
        desync: Mode::default(),
        response_headers: None,
        proxy_protocol: None,
        limits: Arc::default(),
    };
    let (handler, metrics) = (Rc::new(Watching::default()), Rc::new(METRICS.with(Clone::clone)));
    let process = ProcessListener::new(&settings.limits, 1);
    let terms = Terms { limits: Arc::clone(&settings.limits), metrics: Rc::clone(&metrics), looks_at_heads: false };
    let (memory, clock) = (Rc::new(WorkerMemory::new()), Clock::system());
    let generation = GenerationListener::new(settings, &ProcessTls::new(), &clock);
    let served = Served { generation, handler: Rc::clone(&handler), metrics };
    let requests = Requests {
        listener: Rc::new(WorkerListener::new(process, served, memory, clock.clone())),
        connection: Rc::new(Connection::new(peer, Arc::from("fuzz"), Arc::default(), None)),
        activity: transport.activity(),
        uploads: Uploads::default(),
        body_rate_min: 0,
    };
    let (_drain, draining) = drain::channel();
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            if is_screened {
                serve(transport, requests, terms, &clock, draining).await;
            } else {
                let _ = builder(&terms.limits).serve_connection(TokioIo::new(transport), requests).await;
            }
        });
    });
    (handler.seen.take(), handler.refused.take())
}

/// The first bytes of a connection behind a proxy: the same however they arrive, never beyond the header, and each header of version 1 has
/// one spelling.
pub fn proxy_header(input: &[u8]) {
    let Some((how, bytes)) = input.split_first() else { return };
    let accepted = [ProxyProtocol::V1, ProxyProtocol::V2, ProxyProtocol::Any][usize::from(*how) % 3];
    let parsed = proxy_protocol::parse(bytes, accepted);
    match parsed {
        Ok(Parsed::Whole { length, client }) => {
            assert!(length <= bytes.len() && length <= 16 + 4096);
            for end in 0..length {
                assert_eq!(proxy_protocol::parse(&bytes[..end], accepted), Ok(Parsed::Partial), "{end} of {length}");
            }
            assert_eq!(proxy_protocol::parse(&bytes[..length], accepted), parsed, "what follows changes nothing");
            if let (Client::At(address), true) = (client, bytes.starts_with(b"PROXY ")) {
                assert!(length <= 107 && bytes[..length].ends_with(b"\r\n"));
                let line = std::str::from_utf8(&bytes[..length]).expect("text");
                let words: Vec<&str> = line.trim_end().split(' ').collect();
                assert_eq!(words.len(), 6, "{line:?}");
                let named: IpAddr = words[2].parse().expect("an address");
                assert_eq!((named.to_canonical(), words[4]), (address.ip(), &*address.port().to_string()), "{line:?}");
            }
        }
        Ok(Parsed::Partial) => assert!(bytes.len() < 16 + 4096, "{} bytes and no end", bytes.len()),
        Err(_) => {
            let more = [bytes, b"\r\n"].concat();
            assert_eq!(proxy_protocol::parse(&more, accepted), parsed, "what is refused stays refused");
        }
    }
}
