//! Sends the response to one request, and discards the rest of its upload.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::Body as _;
use tokio::time::{Instant, Sleep};

use crate::clock::Clock;
use crate::listener::http2::flood::FloodDetector;
use crate::listener::http2::outbox::{Outbox, Piece, Stream};
use crate::listener::http2::upload::{Rest, Stage};
use crate::listener::http2::websocket::WebSocket;
use crate::message::Response;
use crate::message::body::Body;

/// How long an upload is read and discarded after its response was sent. Then the stream is reset.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// Connection-specific header fields, which HTTP/2 forbids (RFC 9113 §8.2.2).
const OF_CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What all responses of one connection share.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) outbox: Rc<Outbox>,
    pub(crate) flood: Rc<FloodDetector>,
    pub(crate) clock: Clock,
    /// If the client reads nothing of a response for this long (at most twice this long), the stream is reset.
    pub(crate) idle_timeout: Duration,
}

/// The body of a response that is being sent to the client.
struct Sending<'a> {
    answers: &'a Answers,
    body: Body,
    to: SendStream<Piece>,
    /// Created with the first piece that has to be tracked. Most responses consist of one piece, which is sent at once.
    stream: Option<Rc<Stream>>,
    /// The end of the response was given to `h2`.
    is_over: bool,
    /// Created when the client does not read the bytes that wait for it.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Answers {
    /// Sends `response`. Returns when its last byte was given to `h2`, or when the client has reset the stream.
    pub(crate) async fn send(
        &self,
        mut respond: SendResponse<Piece>,
        response: Response,
        rest: Option<&Rest>,
        websocket: Option<&WebSocket>,
    ) {
        let (parts, body) = response.into_parts();
        let mut head = http::Response::from_parts(parts, ());
        self.complete(head.headers_mut(), &body);
        let is_whole = body.is_end_stream();
        let Ok(to) = respond.send_response(head, is_whole) else {
            respond.send_reset(Reason::INTERNAL_ERROR);
            return;
        };
        if !is_whole {
            let mut sending = Sending { answers: self, body, to, stream: None, is_over: false, patience: None };
            poll_fn(|cx| {
                if let Some(websocket) = websocket {
                    websocket.receive(cx);
                }
                // A client may send its whole request before it reads the response.
                if let Some(rest) = rest {
                    let _ = rest.poll_discard(cx);
                }
                sending.poll(cx)
            })
            .await;
        }
    }

    /// Adds the header fields that every response has, and removes those that no response may have.
    fn complete(&self, headers: &mut HeaderMap, body: &Body) {
        let (mut is_of_connection, mut has_date, mut has_length) = (false, false, false);
        // One pass over the fields: nearly always there is nothing to remove.
        for (name, value) in headers.iter_mut() {
            if *name == header::CONTENT_LENGTH {
                // `h2` does not keep `Content-Length` in its HPACK table, so this value need not be copied.
                has_length = true;
                continue;
            }
            has_date |= *name == header::DATE;
            is_of_connection |= OF_CONNECTION.contains(name);
            *value = with_own_memory(value);
        }
        if is_of_connection {
            for name in &OF_CONNECTION {
                headers.remove(name);
            }
        }
        if !has_date && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(self.clock.now().to_system_time()))
        {
            headers.insert(header::DATE, date);
        }
        if !has_length
            && !body.is_end_stream()
            && let Some(length) = body.size_hint().exact()
        {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
}

/// A copy of `value` in its own memory.
///
/// `h2` keeps header values in the HPACK table as long as the connection is open (RFC 7541 §2.3.2). A value from a
/// target is a slice of the buffer that it was read into. Without a copy, each response with new values would keep a
/// whole buffer of 8 KB in memory.
fn with_own_memory(value: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(value.as_bytes()).expect("the bytes are those of a value");
    copy.set_sensitive(value.is_sensitive());
    copy
}

impl Sending<'_> {
    /// Ready when the last piece was given to `h2`, or when the stream has ended. If many bytes wait on the connection,
    /// ready when the client has read the last piece.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The client has reset the stream or closed the connection.
        if self.to.poll_reset(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.is_over {
            return self.poll_taken(cx);
        }
        if self.stream.is_none() && !self.answers.outbox.may_take_more() {
            self.stream = Some(Stream::new(&self.answers.outbox));
        }
        loop {
            if let Some(stream) = &self.stream
                && !stream.has_room(cx.waker())
            {
                return self.poll_patience(cx);
            }
            let polled = Pin::new(&mut self.body).poll_frame(cx);
            if polled.is_pending()
                && let Some(stream) = &self.stream
            {
                stream.pass_on();
            }
            let is_over = match ready!(polled) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.data(data),
                    Err(frame) => {
                        let mut trailers = frame.into_trailers().unwrap_or_default();
                        trailers.values_mut().for_each(|value| *value = with_own_memory(value));
                        let _ = self.to.send_trailers(trailers);
                        true
                    }
                },
                Some(Err(_)) => {
                    self.to.send_reset(Reason::INTERNAL_ERROR);
                    true
                }
                None => {
                    let _ = self.to.send_data(self.answers.outbox.last_piece(Bytes::new()), true);
                    true
                }
            };
            if is_over {
                self.is_over = true;
                return self.poll_taken(cx);
            }
        }
    }

    /// Waits until the client has read the end of the response, if the end has to be tracked. Otherwise a client could
    /// keep a last piece waiting in each of its streams for the life of its connection, and so use up the memory that
    /// all clients of the worker share.
    fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let outbox = &self.answers.outbox;
        match &self.stream {
            Some(stream) if !stream.is_taken(cx.waker()) && outbox.is_crowded(0) => self.poll_patience(cx),
            _ => Poll::Ready(()),
        }
    }

    /// Waits for the client. Ready when the stream was reset because the client has read nothing for too long. Without
    /// this timeout, a stream could block a connection to a target for as long as the client uses its connection for
    /// other streams.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.answers.idle_timeout;
        // Reset the timer instead of creating a new one: a long response waits often.
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        loop {
            ready!(patience.as_mut().poll(cx));
            if self.stream.as_ref().is_some_and(|stream| stream.stands_still()) {
                self.to.send_reset(Reason::CANCEL);
                return Poll::Ready(());
            }
            patience.as_mut().reset(Instant::now() + timeout);
        }
    }

    /// Queues a piece. Returns whether it is the last one.
    fn data(&mut self, data: Bytes) -> bool {
        self.answers.flood.sent(data.len());
        let is_last = self.body.is_end_stream();
        let outbox = &self.answers.outbox;
        let data = outbox.compact(data);
        let piece = if is_last && !outbox.is_crowded(data.len()) {
            outbox.last_piece(data)
        } else if data.is_empty() && !is_last {
            return false;
        } else {
            self.stream.get_or_insert_with(|| Stream::new(outbox)).piece(data)
        };
        self.to.send_data(piece, is_last).is_err() || is_last
    }
}

/// Reads and discards the rest of an upload after its response, up to a limit of bytes and time.
///
/// If the stream is dropped before the client has ended its upload, `h2` must reset the stream (RFC 9113 §8.1). Clients
/// drop a response that arrives together with a reset. Many clients end their upload when they have seen the response,
/// and small uploads end soon anyway.
///
/// A WebSocket of which the target sends nothing more is not discarded until the tunnel ends.
pub(crate) async fn discard(rest: &Rest, websocket: Option<&WebSocket>) {
    // While the upload is still being read, the reader's own deadlines apply.
    let mut deadline = pin!(None::<tokio::time::Sleep>);
    poll_fn(|cx| {
        if let Some(websocket) = websocket {
            websocket.receive(cx);
        }
        if rest.poll_discard(cx).is_ready() {
            return Poll::Ready(());
        }
        if rest.stage() == Stage::Wanted {
            return Poll::Pending;
        }
        if deadline.is_none() {
            deadline.set(Some(tokio::time::sleep(DISCARD_TIME)));
        }
        deadline.as_mut().as_pin_mut().map_or(Poll::Ready(()), |deadline| deadline.poll(cx))
    })
    .await;
}

#[cfg(test)]
mod tests {
    use h2::server;
    use http::Request;
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    #[tokio::test]
    async fn an_open_connection_does_not_keep_the_memory_that_an_answer_was_read_into() {
        let read = Bytes::from(vec![b'a'; 8 * 1024]);
        let value = || HeaderValue::from_maybe_shared(read.slice(..8)).expect("a value");
        let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-trailer"), value())]);
        let body = Full::new(Bytes::from_static(b"body")).with_trailers(std::future::ready(Some(Ok(trailers))));
        let mut response = Response::new(Body::streaming(body.map_err(|never| match never {})));
        response.headers_mut().insert("x-field", value());
        let answers = Answers {
            outbox: Outbox::new(crate::listener::http2::outbox::OutboxBudget::new(1 << 20)),
            flood: FloodDetector::new(),
            clock: Clock::system(),
            idle_timeout: Duration::from_secs(60),
        };
        let (client, server) = tokio::io::duplex(64 * 1024);

        let serving = async {
            let mut connection = server::Builder::new().handshake::<_, Piece>(server).await.expect("a client");
            let (_, respond) = connection.accept().await.expect("a request").expect("a request");
            let ((), next) = tokio::join!(answers.send(respond, response, None, None), connection.accept());
            assert!(next.is_none(), "the client asks no more");
            connection
        };
        let asking = async {
            let (mut client, connection) = h2::client::handshake(client).await.expect("a server");
            let asked = client.send_request(Request::get("https://localhost/").body(()).expect("a request"), true);
            let answered = async {
                let mut body = asked.expect("sent").0.await.expect("an answer").into_body();
                let data = body.data().await.expect("a body").expect("a body");
                (data, body.trailers().await.expect("trailers").expect("trailers"))
            };
            drop(client);
            tokio::join!(answered, connection).0
        };
        let (connection, (data, trailers)) = tokio::join!(serving, asking);
        assert_eq!((&data[..], trailers["x-trailer"].as_bytes()), (&b"body"[..], &b"aaaaaaaa"[..]));
        assert!(read.is_unique(), "the compression's table has copies");
        drop(connection);
    }
}
