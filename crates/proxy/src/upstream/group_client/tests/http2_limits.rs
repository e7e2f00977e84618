//! How long targets that use HTTP/2 are waited for, and what they may send.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::FutureExt as _;
use h2::Reason;
use http::{HeaderValue, Method, StatusCode};

use super::http2::{Peer, body, data, get, read, request, send, with_client};
use super::*;
use crate::message::body::limits::StoodStill;
use crate::upstream::http2::malformed::Malformed;
use crate::upstream::protocol_version::ProtocolVersion;

/// Moves the clock. It stands still only for this moment: while it does, the runtime skips to the next timer whenever it waits for the
/// network.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

fn grpc(timeout: &'static str, body: Body) -> message::Request {
    let mut call = request(Method::POST, body);
    call.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    call.headers_mut().insert("grpc-timeout", HeaderValue::from_static(timeout));
    call
}

#[tokio::test]
async fn a_silent_target_is_given_up_and_its_connection_gets_no_new_requests() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let mut peer = Peer::accept(&played.listener).await;
                let _asked = peer.next().await;
                later(Settings::RESPONSE_TIMEOUT).await;
                peer.streams.recv().await;
            };
            let user = async {
                let failed = get(&client).await.expect_err("no answer");
                assert!(matches!(failed.error, Error::ResponseTimeout), "{failed:?}");
                assert!(client.target(0).http2.take().is_none());
            };
            tokio::select! { () = target => {}, () = user => {} }
        },
    )
    .await;
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_before_and_after_its_head() {
    let change = |settings: &mut Settings| settings.protocol = ProtocolVersion::Grpc;
    with_client(change, async |played: Played, client: GroupClient, _| {
        let target = async {
            let mut peer = Peer::accept(&played.listener).await;
            let _silent = peer.next().await;
            later(Duration::from_secs(3)).await;
            let mut asked = peer.next().await;
            let mut answer = asked.begin();
            answer.send_data(Bytes::from_static(b"first"), false).expect("sent");
            peer.streams.recv().await;
        };
        let user = async {
            let failed = send(&client, grpc("3S", Body::full("x"))).await.expect_err("no answer");
            assert!(matches!(failed.error, Error::Deadline), "{failed:?}");
            let answered = send(&client, grpc("5S", Body::full("x"))).await.expect("a head");
            let mut body = answered.response.into_body();
            let first = body.frame().await.expect("a frame").expect("data");
            assert_eq!(first.into_data().expect("data"), "first");
            later(Duration::from_secs(6)).await;
            let trailers = body
                .frame()
                .now_or_never()
                .expect("at the deadline")
                .expect("a frame")
                .expect("trailers")
                .into_trailers()
                .expect("trailers");
            assert_eq!(trailers["grpc-status"], "4");
        };
        tokio::select! { () = target => panic!("it goes on"), () = user => {} }
    })
    .await;
}

#[tokio::test]
async fn a_stream_lives_as_long_as_either_side_sends_something() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let (sends, mut upload) = body();
            upload.limit_idle(Settings::RESPONSE_TIMEOUT);
            let target = async {
                let mut peer = Peer::accept(&played.listener).await;
                let mut asked = peer.next().await;
                let answer = asked.begin();
                (peer, asked, answer)
            };
            let user = send(&client, request(Method::POST, upload));
            let ((_peer, mut asked, mut answer), answered) = tokio::join!(target, user);
            let mut body = answered.expect("a head").response.into_body();
            let half = Settings::RESPONSE_TIMEOUT / 2;
            for _ in 0..6 {
                assert!(body.frame().now_or_never().is_none());
                later(half).await;
                answer.send_data(Bytes::from_static(b"."), false).expect("sent");
                body.frame().await.expect("a frame").expect("the target sends");
            }
            for _ in 0..6 {
                assert!(body.frame().now_or_never().is_none(), "the client sends");
                later(half).await;
                sends.send(data("x")).expect("read");
                let data = asked.request.body_mut().data().await.expect("a frame").expect("data");
                asked.request.body_mut().flow_control().release_capacity(data.len()).expect("room");
            }
            let mut ended = None;
            for _ in 0..8 {
                ended = ended.or(body.frame().now_or_never());
                later(half).await;
            }
            let error = ended.expect("nothing moves any more").expect("a frame").expect_err("an error");
            assert!(error.is::<StoodStill>(), "{error}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_target_without_http2_is_found_out_before_it_gets_a_request() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let (mut stream, _) = played.listener.accept().await.expect("a connection");
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await.expect("sent");
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                String::from_utf8_lossy(&rest).into_owned()
            };
            let (failed, received) = tokio::join!(get(&client), target);
            let failed = failed.expect_err("no HTTP/2");
            assert!(matches!(failed.error, Error::MalformedHttp2(Malformed::NotHttp2)), "{failed:?}");
            assert!(!received.contains("app.test"), "{received:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn heads_that_are_not_passed_on_are_refused() {
    let change = |settings: &mut Settings| settings.response_headers_max = 10;
    with_client(change, async |played: Played, client: GroupClient, _| {
        let head = |status: u16, fields: usize, length: usize| {
            let mut head = http::Response::new(());
            *head.status_mut() = StatusCode::from_u16(status).expect("a status");
            for number in 0..fields {
                let name: http::HeaderName = format!("x-{number}").parse().expect("a name");
                head.headers_mut().insert(name, HeaderValue::try_from("x".repeat(length)).expect("a value"));
            }
            head
        };
        let target = async {
            let mut peer = Peer::accept(&played.listener).await;
            let mut blank = head(200, 0, 0);
            blank.headers_mut().insert("x-blank", HeaderValue::from_static("a "));
            for head in [head(101, 0, 0), head(200, 11, 1), head(200, 7, 10_000), blank, head(200, 10, 1)] {
                let mut asked = peer.next().await;
                asked.respond.send_response(head, true).expect("sent");
            }
            peer.streams.recv().await;
        };
        let user = async {
            let broken = Malformed::Protocol(Reason::PROTOCOL_ERROR);
            for expected in [broken, Malformed::TooManyFields, broken, Malformed::Blank] {
                let failed = get(&client).await.expect_err("refused").error;
                assert!(
                    matches!(failed, Error::MalformedHttp2(malformed) if malformed == expected),
                    "{failed:?} is not {expected:?}"
                );
            }
            assert_eq!(read(get(&client).await.expect("it is not too large")).await, "");
        };
        tokio::select! { () = target => panic!("it goes on"), () = user => {} }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_holds_up_no_other_of_the_connection() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let mut peer = Peer::accept(&played.listener).await;
                let mut asked = peer.next().await;
                let mut answer = asked.begin();
                answer.reserve_capacity(10_000_000);
                answer.send_data(vec![1; 10_000_000].into(), true).expect("queued");
                peer.next().await.answer("ok");
                peer.streams.recv().await;
            };
            let user = async {
                let _untaken = get(&client).await.expect("a head");
                assert_eq!(read(get(&client).await.expect("an answer")).await, "ok");
                assert_eq!(client.target(0).http2.len(), 1);
            };
            tokio::select! { () = target => panic!("it goes on"), () = user => {} }
        },
    )
    .await;
}

#[tokio::test]
async fn a_request_at_a_target_that_has_left_says_so() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let mut peer = Peer::accept(&played.listener).await;
                let mut asked = peer.next().await;
                let _answer = asked.begin();
                let _second = peer.next().await;
                client.target(0).cut();
                peer.streams.recv().await;
                std::future::pending::<Infallible>().await
            };
            let user = async {
                let begun = get(&client).await.expect("a head");
                let failed = get(&client).await.expect_err("cut").error;
                assert!(matches!(failed, Error::Deregistered(_)), "{failed:?}");
                let error = begun.response.into_body().collect().await.expect_err("cut");
                assert!(error.is::<crate::upstream::error::Deregistered>(), "{error}");
            };
            tokio::select! { _ = target => {}, () = user => {} }
        },
    )
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_in_use_is_not() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let user = async {
                let begun = get(&client).await.expect("a head");
                let (now, http2) = (client.connections.now(), &client.target(0).http2);
                let later = now + 10 * Settings::IDLE_TIMEOUT;
                http2.prune(later, Settings::IDLE_TIMEOUT);
                assert_eq!(http2.len(), 1, "a request is under way");
                drop(begun);
                http2.prune(client.connections.now(), Settings::IDLE_TIMEOUT);
                assert_eq!(http2.len(), 1, "it is idle, but not for long");
                http2.prune(later, Settings::IDLE_TIMEOUT);
                assert_eq!(http2.len(), 0);
            };
            let target = async {
                let mut peer = Peer::accept(&played.listener).await;
                let mut asked = peer.next().await;
                let _answer = asked.begin();
                assert!(peer.streams.recv().await.is_none(), "the connection is closed");
            };
            tokio::join!(user, target);
        },
    )
    .await;
}

#[tokio::test]
async fn requests_that_are_cancelled_at_once_do_not_end_the_connection_of_others() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let is_there = tokio::sync::Notify::new();
            let target = async {
                let mut peer = Peer::accept(&played.listener).await;
                let first = peer.next().await;
                is_there.notify_one();
                // `h2` as a server ends the connection after 20 requests that were reset before it saw them.
                for _ in 0..30 {
                    drop(peer.next().await);
                }
                first.answer("ok");
                peer.streams.recv().await;
            };
            let cancelling = async {
                is_there.notified().await;
                let mut asking: Vec<_> = (0..30).map(|_| Box::pin(get(&client))).collect();
                asking.iter_mut().for_each(|asking| assert!(asking.as_mut().now_or_never().is_none()));
                drop(asking);
                std::future::pending::<Infallible>().await
            };
            let patient = async {
                let answered = send(&client, request(Method::POST, Body::empty())).await;
                assert_eq!(read(answered.expect("an answer")).await, "ok");
                assert_eq!(client.target(0).http2.len(), 1);
            };
            tokio::select! {
                () = patient => {}
                () = target => panic!("it goes on"),
                _ = cancelling => {}
            }
        },
    )
    .await;
}
