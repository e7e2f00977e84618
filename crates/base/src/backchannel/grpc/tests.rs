use std::cell::Cell;

use h2::server::{self, SendResponse};
use http::Response;
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::crypto::provider;

fn settings(port: u16) -> Settings {
    let (host, timeout) = ("127.0.0.1".to_owned(), Duration::from_secs(5));
    Settings { host, port, is_tls: false, roots: Vec::new(), timeout }
}

fn call(headers: &HeaderMap) -> Call<'_> {
    Call { path: "/test.Echo/Say", headers, message: Bytes::from_static(b"hello"), is_gzip: false }
}

fn trailers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field =
        |(name, value): &(&'static str, &'static str)| (name.parse().expect("a name"), value.parse().expect("a value"));
    fields.iter().map(field).collect()
}

/// What a server answers: the head, the body and the trailers.
type Reply = (Response<()>, Option<&'static [u8]>, HeaderMap);

fn ok(message: &'static [u8]) -> Reply {
    (Response::new(()), Some(message), trailers(&[("grpc-status", "0")]))
}

fn answer(mut respond: SendResponse<Bytes>, (head, body, trailers): Reply) {
    let ends = body.is_none() && trailers.is_empty();
    let mut stream = respond.send_response(head, ends).expect("the client is there");
    if let Some(body) = body {
        stream.send_data(Bytes::from_static(body), false).expect("the client is there");
    }
    if !ends {
        stream.send_trailers(trailers).expect("the client is there");
    }
}

/// Serves connections, each with `calls` calls. Returns the request of each, with its body.
async fn serve(
    listener: &TcpListener,
    calls: usize,
    reply: impl Fn() -> Reply,
    heard: &Cell<Vec<(Request<()>, Bytes)>>,
) {
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        let mut connection = server::handshake(stream).await.expect("HTTP/2");
        for _ in 0..calls {
            let Some(Ok((request, respond))) = connection.accept().await else { break };
            let (head, mut body) = request.into_parts();
            let mut whole = BytesMut::new();
            // The connection moves the body.
            let read = async {
                while let Some(part) = body.data().await {
                    whole.extend_from_slice(&part.expect("a part"));
                }
            };
            tokio::select! {
                () = read => {}
                _ = poll_fn(|cx| connection.poll_closed(cx)) => return,
            }
            let mut all = heard.take();
            all.push((Request::from_parts(head, ()), whole.freeze()));
            heard.set(all);
            answer(respond, reply());
        }
        // Says goodbye after the answers.
        connection.graceful_shutdown();
        let _ = poll_fn(|cx| connection.poll_closed(cx)).await;
    }
}

/// Makes `count` calls over one channel to a server that ends each connection after `calls` of them.
async fn ask_repeatedly(
    count: usize,
    calls: usize,
    reply: impl Fn() -> Reply,
) -> (Vec<Result<Answer, Error>>, Vec<(Request<()>, Bytes)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let mut channel = Channel::new(settings(listener.local_addr().expect("bound").port())).expect("a channel");
    let heard = Cell::default();
    let mut answers = Vec::new();
    let headers = trailers(&[("x-tenant", "a")]);
    let asking = async {
        for _ in 0..count {
            answers.push(channel.call(&call(&headers)).await);
        }
    };
    tokio::select! {
        // It never ends.
        () = serve(&listener, calls, reply, &heard) => unreachable!("the server goes on"),
        () = asking => {}
    }
    (answers, heard.take())
}

async fn ask_once(reply: impl Fn() -> Reply) -> Answer {
    let (mut answers, _) = ask_repeatedly(1, 1, reply).await;
    answers.remove(0).expect("an answer")
}

#[tokio::test]
async fn a_call_has_one_message_and_its_status_last() {
    let (answers, heard) = ask_repeatedly(1, 1, || ok(b"\0\0\0\0\x02hi")).await;
    let expected = Answer { message: Bytes::from_static(b"hi"), ..Answer::default() };
    assert_eq!(answers.into_iter().map(|answer| answer.expect("an answer")).collect::<Vec<_>>(), [expected]);
    let (request, body) = &heard[0];
    assert_eq!(&body[..], b"\0\0\0\0\x05hello");
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/test.Echo/Say"));
    let headers = request.headers();
    for (name, value) in
        [("te", "trailers"), ("content-type", "application/grpc"), ("grpc-timeout", "5000m"), ("x-tenant", "a")]
    {
        assert_eq!(headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_connection_is_kept_and_one_that_was_closed_meanwhile_is_opened_again() {
    for calls in [1, 2, 6] {
        let (answers, heard) = ask_repeatedly(6, calls, || ok(b"\0\0\0\0\0")).await;
        assert!(
            answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.code == 0)),
            "{calls}: {answers:?}"
        );
        assert_eq!(heard.len(), 6, "{calls}");
    }
}

#[tokio::test]
async fn what_fails_says_why() {
    let long = "ä".repeat(1000);
    let encoded: String =
        percent_encoding::percent_encode(long.as_bytes(), percent_encoding::NON_ALPHANUMERIC).collect();
    let fields = || {
        let mut fields = trailers(&[("grpc-status", "8"), ("grpc-status-details-bin", "CAg")]);
        fields.insert("grpc-message", encoded.parse().expect("a value"));
        fields
    };
    let late = ask_once(|| (Response::new(()), None, fields())).await;
    assert_eq!(
        (late.code, late.text.chars().count(), late.details),
        (8, TEXT_CHARS_MAX, Some(Bytes::from_static(b"CAg")))
    );
    let head = || {
        Response::builder().header("grpc-status", "16").header("grpc-message", "no%20token").body(()).expect("a head")
    };
    let early = ask_once(|| (head(), None, HeaderMap::new())).await;
    assert_eq!((early.code, &*early.text), (16, "no token"));
    for (status, code) in
        [(400, 13), (401, 16), (403, 7), (404, 12), (429, 14), (502, 14), (503, 14), (504, 14), (500, 2), (302, 2)]
    {
        let head = || Response::builder().status(status).body(()).expect("a head");
        assert_eq!(ask_once(|| (head(), Some(b"<html>"), HeaderMap::new())).await.code, code, "{status}");
    }
    // No status at all is a failure, too.
    assert_eq!(ask_once(|| (Response::new(()), Some(b"\0\0\0\0\0"), trailers(&[("x", "y")]))).await.code, 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_says_nothing_is_an_error() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("bound").port();
    let mut channel = Channel::new(settings(nobody)).expect("a channel");
    let headers = HeaderMap::new();
    assert!(matches!(channel.call(&call(&headers)).await, Err(Error::Connect(_))));

    let silent = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = silent.local_addr().expect("bound").port();
    let timeout = Duration::from_millis(50);
    let mut channel = Channel::new(Settings { timeout, ..settings(port) }).expect("a channel");
    assert!(matches!(channel.call(&call(&headers)).await, Err(Error::Timeout)));
}

#[tokio::test]
async fn a_server_is_verified_and_must_agree_to_http_2() {
    let certified = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).expect("a certificate");
    let roots = vec![certified.cert.der().clone()];
    for (protocols, trusts, is_served) in
        [(&[&b"h2"[..]][..], true, true), (&[], true, false), (&[b"h2"], false, false)]
    {
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider::tls())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(roots.clone(), key)
            .expect("a certificate and its key");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let roots = if trusts { roots.clone() } else { Vec::new() };
        let settings = Settings { host: "localhost".to_owned(), is_tls: true, roots, ..settings(port) };
        let mut channel = Channel::new(settings).expect("a channel");
        let server = async {
            let (stream, _) = listener.accept().await.expect("accepts");
            let Ok(stream) = acceptor.accept(stream).await else { return std::future::pending().await };
            let mut connection = server::handshake(stream).await.expect("HTTP/2");
            while let Some(Ok((_, respond))) = connection.accept().await {
                answer(respond, ok(b"\0\0\0\0\0"));
            }
            std::future::pending::<()>().await;
        };
        let headers = HeaderMap::new();
        let called = tokio::select! {
            () = server => unreachable!("the server goes on"),
            called = async { channel.call(&call(&headers)).await } => called,
        };
        assert_eq!(called.is_ok(), is_served, "{protocols:?} {trusts}: {called:?}");
    }
}
