//! Targets that use HTTP/2. The test plays the target with the server of `h2`.

mod neighbours;

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::join_all;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Method, Version};
use http_body::Frame;
use tokio::sync::{Notify, mpsc};

use self::neighbours::Frames;
use super::*;
use crate::message::BoxError;
use crate::upstream::error::Mismatch;
use crate::upstream::protocol_version::ProtocolVersion;

/// A connection of the target, served by a task of its own.
pub(super) struct Peer {
    pub(super) streams: mpsc::UnboundedReceiver<Asked>,
    is_stopping: Rc<Notify>,
    is_over: Rc<Notify>,
}

/// A request as the target sees it.
pub(super) struct Asked {
    pub(super) request: http::Request<RecvStream>,
    pub(super) respond: SendResponse<Bytes>,
}

impl Peer {
    pub(super) async fn accept(listener: &TcpListener) -> Self {
        Self::with(listener, 100).await
    }

    /// Accepts a connection, with so many streams at once.
    async fn with(listener: &TcpListener, streams_max: u32) -> Self {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut builder = h2::server::Builder::new();
        builder.max_concurrent_streams(streams_max);
        let mut connection = builder.handshake::<_, Bytes>(stream).await.expect("HTTP/2");
        let (asked, streams) = mpsc::unbounded_channel();
        let (is_stopping, is_over) = (Rc::<Notify>::default(), Rc::<Notify>::default());
        let (stops, over) = (Rc::clone(&is_stopping), Rc::clone(&is_over));
        drain::background(async move {
            loop {
                tokio::select! {
                    accepted = connection.accept() => match accepted {
                        Some(Ok((request, respond))) => {
                            let _ = asked.send(Asked { request, respond });
                        }
                        _ => break,
                    },
                    () = stops.notified() => connection.graceful_shutdown(),
                    () = over.notified() => return,
                }
            }
        });
        Self { streams, is_stopping, is_over }
    }

    pub(super) async fn next(&mut self) -> Asked {
        self.streams.recv().await.expect("a request")
    }

    /// Announces that it takes no more requests, and finishes those that it has.
    fn stop(&self) {
        self.is_stopping.notify_one();
    }

    /// Closes the connection at once.
    fn close(&self) {
        self.is_over.notify_one();
    }
}

impl Asked {
    /// Answers 200 with this body.
    pub(super) fn answer(mut self, body: &'static str) {
        let mut stream = self.respond.send_response(http::Response::new(()), false).expect("a head");
        stream.send_data(Bytes::from_static(body.as_bytes()), true).expect("a body");
    }

    /// Begins an answer, whose body follows.
    pub(super) fn begin(&mut self) -> SendStream<Bytes> {
        self.respond.send_response(http::Response::new(()), false).expect("a head")
    }

    /// The body and the trailers of the request.
    async fn body(&mut self) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
        let (mut all, body) = (Vec::new(), self.request.body_mut());
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len()).expect("room");
            all.extend_from_slice(&data);
        }
        Ok((all, body.trailers().await?))
    }
}

/// A body that the test sends.
struct Sent(mpsc::UnboundedReceiver<Result<Frame<Bytes>, BoxError>>);

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx)
    }
}

pub(super) type Sends = mpsc::UnboundedSender<Result<Frame<Bytes>, BoxError>>;

pub(super) fn body() -> (Sends, Body) {
    let (sends, sent) = mpsc::unbounded_channel();
    (sends, Body::streaming(Sent(sent)))
}

pub(super) fn data(bytes: impl Into<Bytes>) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(bytes.into()))
}

pub(super) fn request(method: Method, body: Body) -> message::Request {
    let mut request = message::Request::new(body);
    (*request.method_mut(), *request.version_mut()) = (method, Version::HTTP_2);
    request
}

pub(super) async fn send(client: &GroupClient, mut from_client: message::Request) -> Result<Answered, Box<Unanswered>> {
    let (target, mut fields) = (PathAndQuery::from_static("/a?b=c"), OwnFields::default());
    fields.add(http::header::HOST, HeaderValue::from_static("app.test"));
    let (from_client, upgrade) = (&mut from_client, None);
    let scheme = Scheme::Https;
    client
        .send(Request {
            from_client,
            scheme,
            target: &target,
            fields: &fields,
            upgrade,
            accepts_trailers: true,
            attempts: None,
        })
        .await
}

pub(super) async fn get(client: &GroupClient) -> Result<Answered, Box<Unanswered>> {
    send(client, request(Method::GET, Body::empty())).await
}

pub(super) async fn read(answered: Answered) -> Bytes {
    answered.response.into_body().collect().await.expect("a whole body").to_bytes()
}

fn http2(played: &Played) -> Settings {
    Settings { protocol: ProtocolVersion::Http2, ..played.settings() }
}

/// Runs `test` with a target and a client of it.
pub(super) async fn with_client<F: Future<Output = ()>>(
    change: impl FnOnce(&mut Settings),
    test: impl FnOnce(Played, GroupClient, Rc<WorkerConnections>) -> F,
) {
    LocalSet::new()
        .run_until(async {
            let (played, connections) = (Played::start().await, connections());
            let mut settings = http2(&played);
            change(&mut settings);
            let client = played.client(settings, &connections);
            test(played, client, connections).await;
        })
        .await;
}

#[tokio::test]
async fn bodies_and_trailers_pass_both_ways_over_one_connection() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let trailers = |name: &'static str| {
                HeaderMap::from_iter([(name.parse().expect("a name"), HeaderValue::from_static("1"))])
            };
            let target = async {
                let mut peer = Peer::accept(&played.listener).await;
                for _ in 0..2 {
                    let mut asked = peer.next().await;
                    let head = &asked.request;
                    assert_eq!(head.uri(), "http://app.test/a?b=c");
                    assert_eq!((head.method(), head.headers()["te"].as_bytes()), (&Method::POST, &b"trailers"[..]));
                    assert!(!head.headers().contains_key("host") && !head.headers().contains_key("expect"));
                    let mut answer = asked.begin();
                    assert_eq!(asked.body().await.expect("whole"), (b"onetwo".to_vec(), Some(trailers("x-sum"))));
                    answer.send_data(Bytes::from_static(b"three"), false).expect("sent");
                    answer.send_trailers(trailers("grpc-status")).expect("sent");
                }
            };
            let user = async {
                for _ in 0..2 {
                    let (sends, body) = body();
                    let mut from_client = request(Method::POST, body);
                    from_client.headers_mut().insert("expect", HeaderValue::from_static("100-continue"));
                    for part in [data("one"), data(""), data("two"), Ok(Frame::trailers(trailers("x-sum")))] {
                        sends.send(part).expect("read");
                    }
                    drop(sends);
                    let answered = send(&client, from_client).await.expect("an answer");
                    let collected = answered.response.into_body().collect().await.expect("a body");
                    assert_eq!(collected.trailers(), Some(&trailers("grpc-status")));
                    assert_eq!(collected.to_bytes(), "three");
                }
            };
            tokio::join!(target, user);
            assert_eq!(client.target(0).http2.len(), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn the_first_requests_share_a_connection_and_those_above_its_streams_get_another() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                for count in [2, 1] {
                    let mut peer = Peer::with(&played.listener, 2).await;
                    let mut asked = Vec::new();
                    for _ in 0..count {
                        asked.push(peer.next().await);
                    }
                    drain::background(async move {
                        asked.into_iter().for_each(|asked| asked.answer("ok"));
                        peer.streams.recv().await;
                    });
                }
            };
            let users = async {
                for answered in join_all([get(&client), get(&client), get(&client)]).await {
                    assert_eq!(read(answered.expect("an answer")).await, "ok");
                }
            };
            tokio::join!(target, users);
            assert_eq!(client.target(0).http2.len(), 2);
        },
    )
    .await;
}

#[tokio::test]
async fn a_target_that_stops_finishes_what_it_has_and_gets_nothing_new() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let mut first = Peer::accept(&played.listener).await;
                let mut asked = first.next().await;
                let mut answer = asked.begin();
                first.stop();
                let mut second = Peer::accept(&played.listener).await;
                second.next().await.answer("new");
                answer.send_data(Bytes::from_static(b"old"), true).expect("sent");
                first.streams.recv().await;
                second.streams.recv().await;
            };
            let user = async {
                let old = get(&client).await.expect("a head");
                // The announcement (GOAWAY) has arrived when the connection is not usable.
                while client.target(0).http2.take().is_some() {
                    tokio::task::yield_now().await;
                }
                assert_eq!(read(get(&client).await.expect("an answer")).await, "new");
                assert_eq!(read(old).await, "old");
            };
            tokio::select! { () = target => {}, () = user => {} }
        },
    )
    .await;
}

/// Two targets; the first of them refuses each stream after `body` has arrived there.
async fn offered_to_the_next(length: usize) -> Result<Vec<u8>, String> {
    let (all, result) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(None)));
    let (kept, outcome) = (Rc::clone(&all), Rc::clone(&result));
    let offering = async move {
        let (played, other) = (Played::start().await, Played::start().await);
        let mut settings = http2(&played);
        settings.targets.extend(other.settings().targets);
        let client = played.client(settings, &connections());
        let first = async {
            let mut peer = Peer::accept(&played.listener).await;
            let mut asked = peer.next().await;
            let mut arrived = 0;
            while arrived < length {
                let data = asked.request.body_mut().data().await.expect("more").expect("data");
                asked.request.body_mut().flow_control().release_capacity(data.len()).expect("room");
                arrived += data.len();
            }
            asked.respond.send_reset(Reason::REFUSED_STREAM);
            peer.streams.recv().await;
        };
        let second = async {
            let mut peer = Peer::accept(&other.listener).await;
            let mut asked = peer.next().await;
            *kept.borrow_mut() = asked.body().await.expect("whole").0;
            asked.answer("ok");
            peer.streams.recv().await;
        };
        let user = async {
            let (sends, body) = body();
            sends.send(data(vec![7; length])).expect("read");
            drop(sends);
            let answered = send(&client, request(Method::POST, body)).await;
            *outcome.borrow_mut() = Some(answered.map(|_| ()).map_err(|failed| failed.error.in_one_line()));
        };
        tokio::select! {
            () = user => {}
            _ = async { tokio::join!(first, second) } => panic!("the targets go on"),
        }
    };
    Box::pin(LocalSet::new().run_until(offering)).await;
    let outcome = result.take().expect("an outcome");
    outcome.map(|()| all.take())
}

#[tokio::test]
async fn a_refused_request_is_offered_to_the_next_target_with_its_body() {
    assert_eq!(Box::pin(offered_to_the_next(20_000)).await, Ok(vec![7; 20_000]));
}

#[tokio::test]
async fn what_waited_for_room_when_a_stream_was_refused_is_offered_to_the_next_target() {
    let offering = async {
        let (played, other) = (Played::start().await, Played::start().await);
        let mut settings = http2(&played);
        settings.targets.extend(other.settings().targets);
        let client = played.client(settings, &connections());
        let first = async {
            // SETTINGS_INITIAL_WINDOW_SIZE is 0: the target takes no data yet.
            let mut frames = Frames::with(&played.listener, &[0, 4, 0, 0, 0, 0]).await;
            let stream = frames.request().await;
            frames.refuse(stream).await;
            frames.rest().await;
        };
        let second = async {
            let mut peer = Peer::accept(&other.listener).await;
            let mut asked = peer.next().await;
            assert_eq!(asked.body().await.expect("whole").0, b"onetwo");
            asked.answer("ok");
            peer.streams.recv().await;
        };
        let user = async {
            let (sends, body) = body();
            sends.send(data("one")).expect("read");
            sends.send(data("two")).expect("read");
            drop(sends);
            assert_eq!(read(send(&client, request(Method::POST, body)).await.expect("an answer")).await, "ok");
        };
        tokio::select! {
            () = user => {}
            _ = async { tokio::join!(first, second) } => panic!("the targets go on"),
        }
    };
    Box::pin(LocalSet::new().run_until(offering)).await;
}

#[tokio::test]
async fn a_refused_request_whose_body_is_too_long_to_be_kept_is_not_offered_in_part() {
    let refused = Box::pin(offered_to_the_next(100_000)).await.expect_err("refused");
    assert!(refused.starts_with("the target refused the request without processing it: "), "{refused}");
}

#[tokio::test]
async fn a_connection_that_breaks_repeats_what_does_no_harm_twice_and_nothing_else() {
    for (method, expected) in [(Method::GET, Ok("again")), (Method::POST, Err("closed the connection before"))] {
        with_client(
            |_| {},
            async |played: Played, client: GroupClient, _| {
                let target = async {
                    let mut peer = Peer::accept(&played.listener).await;
                    peer.next().await.answer("ok");
                    let asked = peer.next().await;
                    peer.close();
                    drop(asked);
                    let mut peer = Peer::accept(&played.listener).await;
                    peer.next().await.answer("again");
                    peer.streams.recv().await;
                };
                let user = async {
                    read(get(&client).await.expect("an answer")).await;
                    match (send(&client, request(method.clone(), Body::empty())).await, expected) {
                        (Ok(answered), Ok(expected)) => assert_eq!(read(answered).await, expected),
                        (Err(failed), Err(expected)) => {
                            let error = failed.error.in_one_line();
                            assert!(error.contains(expected), "{error}");
                        }
                        (other, _) => panic!("{method}: {other:?}"),
                    }
                };
                tokio::select! { () = target => panic!("it goes on"), () = user => {} }
            },
        )
        .await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_or_breaks_off_cancels_the_stream() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let mut peer = Peer::accept(&played.listener).await;
                let mut asked = peer.next().await;
                let mut answer = asked.begin();
                let reset = std::future::poll_fn(|cx| answer.poll_reset(cx)).await;
                assert_eq!(reset.expect("a reset"), Reason::CANCEL, "the client has left");
                let mut asked = peer.next().await;
                let broken = asked.body().await.expect_err("not whole");
                assert_eq!(broken.reason(), Some(Reason::CANCEL), "the client has broken off");
            };
            let user = async {
                let (_open, upload) = body();
                drop(send(&client, request(Method::POST, upload)).await.expect("a head"));
                let (sends, upload) = body();
                sends.send(data("half")).expect("read");
                sends.send(Err("broken".into())).expect("read");
                let failed = send(&client, request(Method::POST, upload)).await.expect_err("no answer");
                assert!(matches!(failed.error, Error::RequestBody(_)), "{failed:?}");
                std::future::pending::<Infallible>().await
            };
            tokio::select! { () = target => {}, _ = user => {} }
        },
    )
    .await;
}

#[tokio::test]
async fn a_client_without_http2_reaches_no_such_target() {
    with_client(
        |_| {},
        async |_, client: GroupClient, _| {
            let mut old = request(Method::GET, Body::empty());
            *old.version_mut() = Version::HTTP_11;
            let failed = send(&client, old).await.expect_err("refused").error;
            assert!(matches!(failed, Error::Protocol(Mismatch::ClientWithoutHttp2)), "{failed:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_request_that_http2_cannot_carry_ends() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let mut peer = Peer::accept(&played.listener).await;
                peer.next().await.answer("ok");
                let mut other = Peer::accept(&played.listener).await;
                tokio::join!(peer.streams.recv(), other.streams.recv());
            };
            let user = async {
                read(get(&client).await.expect("an answer")).await;
                let mut wrong = request(Method::GET, Body::empty());
                wrong.headers_mut().insert("connection", HeaderValue::from_static("x"));
                let failed = send(&client, wrong).await.expect_err("it is never sent").error;
                assert!(matches!(failed, Error::Refused(_)), "{failed:?}");
            };
            tokio::select! { () = target => {}, () = user => {} }
        },
    )
    .await;
}
