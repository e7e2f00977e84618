//! Checks over HTTP/2, also of gRPC.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::*;
use crate::upstream::health::settings::{GRPC_HEALTH_PATH, Matcher};
use crate::upstream::protocol_version::ProtocolVersion;

/// How a target answers.
#[derive(Clone, Copy, Default)]
struct Reply<'r> {
    status: u16,
    headers: &'r [(&'static str, &'static str)],
    message: &'r [u8],
    trailers: Option<&'r [(&'static str, &'static str)]>,
    /// The message is repeated without an end.
    is_endless: bool,
}

const OK: Reply<'_> = Reply { status: 200, headers: &[], message: b"", trailers: None, is_endless: false };

fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    fields.iter().map(field).collect()
}

/// Answers one request. Returns its head, its body, and whether the client said goodbye (GOAWAY) before it closed the connection.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    reply: Reply<'_>,
) -> (http::request::Parts, Vec<u8>, bool) {
    let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
    let (request, mut respond) = connection.accept().await.expect("a request").expect("a whole one");
    let (head, mut body) = request.into_parts();
    let answering = async {
        let mut received = Vec::new();
        while let Some(part) = body.data().await {
            received.extend_from_slice(&part.expect("a body"));
        }
        let mut response = Response::new(());
        *response.status_mut() = reply.status.try_into().expect("a status");
        *response.headers_mut() = fields(reply.headers);
        let has_body = !reply.message.is_empty() || reply.trailers.is_some();
        let mut sender = respond.send_response(response, !has_body).expect("sent");
        let ends = reply.trailers.is_none();
        if reply.is_endless {
            send_without_end(&mut sender, reply.message).await;
            return received;
        }
        if has_body {
            sender.send_data(Bytes::copy_from_slice(reply.message), ends).expect("sent");
        }
        if let Some(trailers) = reply.trailers {
            sender.send_trailers(fields(trailers)).expect("sent");
        }
        received
    };
    // The connection moves the bytes.
    let ending = async {
        match connection.accept().await {
            None => true,
            Some(Err(error)) => !error.is_io(),
            Some(Ok(_)) => panic!("one request only"),
        }
    };
    let (received, said_goodbye) = tokio::join!(answering, ending);
    (head, received, said_goodbye)
}

/// Sends the message again and again, for as long as it is read.
async fn send_without_end(sender: &mut h2::SendStream<Bytes>, message: &[u8]) {
    loop {
        sender.reserve_capacity(message.len());
        let room = std::future::poll_fn(|cx| sender.poll_capacity(cx)).await;
        if !matches!(room, Some(Ok(_))) || sender.send_data(Bytes::copy_from_slice(message), false).is_err() {
            return;
        }
    }
}

fn of(protocol: ProtocolVersion) -> HealthCheck {
    HealthCheck { protocol, ..settings() }
}

/// Calls `path`, and takes `statuses` for success.
fn grpc(path: &str, statuses: &str) -> HealthCheck {
    let matcher = Matcher::parse(statuses, ProtocolVersion::Grpc).expect("statuses");
    HealthCheck { path: path.parse().expect("a path"), matcher, ..of(ProtocolVersion::Grpc) }
}

async fn asked(settings: &HealthCheck, reply: Reply<'_>) -> (http::request::Parts, Vec<u8>, bool, Outcome) {
    let (listener, place) = listen().await;
    let serving = async { serve(listener.accept().await.expect("a connection").0, reply).await };
    let ((head, body, said_goodbye), outcome) = tokio::join!(Box::pin(serving), Box::pin(check(settings, &place)));
    assert_eq!(head.uri.authority().map(ToString::to_string), Some(place.to_string()));
    (head, body, said_goodbye, outcome)
}

#[tokio::test]
async fn a_check_over_http_2_is_a_get_that_says_who_asks_and_closes() {
    let (head, body, said_goodbye, outcome) = asked(&of(ProtocolVersion::Http2), Reply { message: b"ok", ..OK }).await;
    assert!(matches!(outcome, Outcome::Success), "{outcome:?}");
    assert_eq!((head.method.as_str(), head.uri.scheme_str()), ("GET", Some("http")));
    assert_eq!(head.uri.path_and_query().map(ToString::to_string).as_deref(), Some("/health?deep=1"));
    assert_eq!(head.headers, fields(&[("user-agent", "Vestibule-HealthChecker/1.0"), ("accept", "*/*")]));
    assert_eq!((body.as_slice(), said_goodbye), (&b""[..], true));
    let (.., outcome) = asked(&of(ProtocolVersion::Http2), Reply { status: 503, ..OK }).await;
    let Outcome::Failure(Cause::ResponseCodeMismatch, detail) = outcome else { panic!("{outcome:?}") };
    assert_eq!(detail, "the status is 503");
}

#[tokio::test]
async fn a_target_that_does_not_speak_http_2_is_not_healthy() {
    for protocol in [ProtocolVersion::Http2, ProtocolVersion::Grpc] {
        let (listener, place) = listen().await;
        let serving = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.expect("sent");
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        };
        let settings = of(protocol);
        let ((), outcome) = tokio::join!(serving, check(&settings, &place));
        let Outcome::Failure(Cause::FailedHealthChecks, detail) = outcome else { panic!("{outcome:?}") };
        assert!(detail.starts_with("the target did not answer by HTTP/2: "), "{detail}");
    }
}

#[tokio::test]
async fn a_method_of_grpc_is_called_without_a_message() {
    let unimplemented = Reply { headers: &[("grpc-status", "12")], ..OK };
    let (head, body, _, outcome) = asked(&grpc("/AWS.ALB/healthcheck", "12"), unimplemented).await;
    assert!(matches!(outcome, Outcome::Success), "{outcome:?}");
    assert_eq!((head.method.as_str(), head.uri.path()), ("POST", "/AWS.ALB/healthcheck"));
    let expected =
        [("user-agent", "Vestibule-HealthChecker/1.0"), ("content-type", "application/grpc"), ("te", "trailers")];
    assert_eq!(head.headers, fields(&expected));
    assert_eq!(body, [0; 5], "not compressed, and no byte long");
}

/// The answer of the health service.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
const NOT_SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 2];
const STATUS_OK: Option<&[(&str, &str)]> = Some(&[("grpc-status", "0")]);

#[tokio::test]
async fn the_status_of_grpc_counts_wherever_it_is() {
    for (statuses, reply, expected) in [
        ("12", Reply { headers: &[("grpc-status", "0")], ..OK }, "the gRPC status is 0"),
        ("0", Reply { trailers: STATUS_OK, message: b"\0\0\0\0\0", ..OK }, ""),
        ("0", Reply { headers: &[("grpc-status", "0")], ..OK }, ""),
        ("0-99", Reply { trailers: Some(&[("grpc-status", "16")]), ..OK }, ""),
        ("0,12", Reply { trailers: Some(&[("grpc-status", "14")]), ..OK }, "the gRPC status is 14"),
        ("0-99", OK, "the answer is not gRPC; its HTTP status is 200"),
        (
            "0-99",
            Reply { trailers: Some(&[("grpc-status", "x")]), ..OK },
            "the answer is not gRPC; its HTTP status is 200",
        ),
        (
            "0-99",
            Reply { status: 404, headers: &[("grpc-status", "0")], ..OK },
            "the answer is not gRPC; its HTTP status is 404",
        ),
    ] {
        let (.., outcome) = asked(&grpc("/app.v1.App/Ping", statuses), reply).await;
        match outcome {
            Outcome::Success => assert_eq!(expected, ""),
            Outcome::Failure(_, detail) => assert_eq!(detail, expected),
            Outcome::NotMade(detail) => panic!("{detail}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_has_the_health_service_must_be_serving() {
    for (reply, expected) in [
        (Reply { trailers: STATUS_OK, message: SERVING, ..OK }, ""),
        (Reply { trailers: STATUS_OK, message: NOT_SERVING, ..OK }, "the status is NOT_SERVING"),
        (Reply { trailers: STATUS_OK, ..OK }, "the answer has no message"),
        (Reply { headers: &[("grpc-status", "0")], ..OK }, "the answer has no message"),
        (Reply { headers: &[("grpc-status", "12")], ..OK }, "the gRPC status is 12"),
    ] {
        let settings = grpc(GRPC_HEALTH_PATH, ProtocolVersion::Grpc.matcher(GRPC_HEALTH_PATH));
        match asked(&settings, reply).await.3 {
            Outcome::Success => assert_eq!(expected, ""),
            Outcome::Failure(Cause::ResponseCodeMismatch, detail) => assert_eq!(detail, expected),
            outcome => panic!("{outcome:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_over_http_2_without_an_end_is_read_to_a_bound() {
    let endless = Reply { message: &[b'x'; 1000], is_endless: true, ..OK };
    let start = tokio::time::Instant::now();
    let (.., outcome) = asked(&of(ProtocolVersion::Http2), endless).await;
    assert!(matches!(outcome, Outcome::Success), "{outcome:?}");
    assert!(start.elapsed() <= BODY_MAX * 2, "{:?}", start.elapsed());
    // The status of gRPC comes last, so there is none.
    let start = tokio::time::Instant::now();
    let (.., outcome) = asked(&grpc(GRPC_HEALTH_PATH, "0"), endless).await;
    assert_eq!(outcome.name(), "timeout", "{outcome:?}");
    assert!(start.elapsed() <= Settings::TIMEOUT + BODY_MAX, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_accepts_and_is_silent_is_waited_for_until_the_timeout() {
    for protocol in [ProtocolVersion::Http2, ProtocolVersion::Grpc] {
        let (listener, place) = listen().await;
        let outcome = check(&of(protocol), &place).await;
        assert_eq!(outcome.name(), "timeout", "{outcome:?}");
        drop(listener);
    }
}

#[tokio::test]
async fn over_tls_the_target_must_agree_to_http_2() {
    let made = rcgen::generate_simple_self_signed(["app.test".to_owned()]).expect("a certificate");
    for (protocols, expected) in
        [(&["h2", "http/1.1"][..], "success"), (&["http/1.1"], "failed_health_checks"), (&[], "failed_health_checks")]
    {
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let mut server = rustls::ServerConfig::builder_with_provider(crate::crypto::provider::tls())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("they belong together");
        server.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let (listener, place) = listen().await;
        let serving = async {
            let (stream, _) = listener.accept().await.expect("a connection");
            let Ok(stream) = acceptor.accept(stream).await else { return };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let (head, ..) = serve(stream, OK).await;
                assert_eq!(head.uri.scheme_str(), Some("https"));
            }
        };
        let tls = tls::config(Trust::Any, None, None, ProtocolVersion::Http2);
        let settings = HealthCheck { tls: Some(tls), ..of(ProtocolVersion::Http2) };
        let ((), outcome) = tokio::join!(serving, check(&settings, &place));
        assert_eq!(outcome.name(), expected, "{outcome:?}");
    }
}
