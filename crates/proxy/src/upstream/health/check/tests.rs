mod http2;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};

use super::*;
use crate::upstream::health::settings::{BODY_MAX, HEAD_BYTES_MAX, Settings};
use crate::upstream::protocol_version::ProtocolVersion;
use crate::upstream::tls::{self, Trust};

fn settings() -> HealthCheck {
    HealthCheck { path: "/health?deep=1".parse().expect("a path"), ..Settings::played().check }
}

async fn by_default(place: &Place) -> Outcome {
    check(&settings(), place).await
}

async fn listen() -> (TcpListener, Place) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    (listener, Place::Address { address, name: None })
}

/// Reads the head of a request, and answers.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    stream.write_all(answer).await.expect("sent");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert_eq!(rest, b"", "one request only");
    String::from_utf8(head).expect("text")
}

/// Checks a target that answers like this. Returns the request and the outcome.
async fn asked(settings: &HealthCheck, answer: &[u8]) -> (String, Outcome) {
    let (listener, place) = listen().await;
    let serving = async { serve(listener.accept().await.expect("a connection").0, answer).await };
    tokio::join!(serving, check(settings, &place))
}

#[tokio::test]
async fn a_check_is_a_get_that_says_who_asks_and_closes() {
    let (listener, place) = listen().await;
    let serving = async {
        serve(listener.accept().await.expect("a connection").0, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await
    };
    let (request, outcome) = tokio::join!(serving, by_default(&place));
    assert!(matches!(outcome, Outcome::Success), "{outcome:?}");
    let expected = format!(
        "GET /health?deep=1 HTTP/1.1\r\nhost: {place}\r\nuser-agent: Vestibule-HealthChecker/1.0\r\naccept: */*\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(request, expected);
}

#[tokio::test]
async fn a_target_answers_well_or_wrong_or_not_in_http() {
    for (answer, expected) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"[..], "success"),
        (b"HTTP/1.0 200 OK\r\n\r\nok", "success"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut off", "success"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "success"),
        (b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n", "response_code_mismatch"),
        (b"HTTP/1.1 301 Moved\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", "response_code_mismatch"),
        (b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", "response_code_mismatch"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "failed_health_checks"),
    ] {
        let (_, outcome) = asked(&settings(), answer).await;
        assert_eq!(outcome.name(), expected, "{}: {outcome:?}", answer.escape_ascii());
    }
    let large = [b"HTTP/1.1 200 OK\r\nx: ", &vec![b'x'; HEAD_BYTES_MAX][..], b"\r\n\r\n"].concat();
    let (listener, place) = listen().await;
    let serving = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.write_all(&large).await;
        stream
    };
    let (_stream, outcome) = tokio::join!(serving, by_default(&place));
    assert_eq!(outcome.name(), "failed_health_checks", "{outcome:?}");
}

/// A target that first sends `begin`, and then `more` for as long as somebody reads.
async fn endless(begin: &[u8], more: &[u8]) -> (Outcome, usize) {
    let (listener, place) = listen().await;
    let sending = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut sent = begin.len();
        let mut result = stream.write_all(begin).await;
        while result.is_ok() {
            sent += more.len();
            result = stream.write_all(more).await;
        }
        sent
    };
    let (sent, outcome) = tokio::join!(sending, by_default(&place));
    (outcome, sent)
}

#[tokio::test]
async fn an_answer_without_an_end_is_read_to_a_bound() {
    // What the system buffers is sent besides.
    let most = 32 * 1024 * 1024;
    let begin = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
    let (outcome, sent) = endless(begin, &chunk).await;
    assert!(matches!(outcome, Outcome::Success), "{outcome:?}");
    assert!(sent < most, "{sent}");
    let (outcome, sent) = endless(b"HTTP/1.1 200 OK\r\n", b"x: 0123456789\r\n").await;
    assert_eq!(outcome.name(), "failed_health_checks", "{outcome:?}");
    assert!(sent < most, "{sent}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_in_is_bounded_by_the_timeout_and_a_body_by_a_time_of_its_own() {
    for (head, expected, after) in [
        ("HTTP/1.1 200 OK\r\n", "timeout", Settings::TIMEOUT),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", "success", BODY_MAX),
        // The body is not part of the timeout: the head came in time.
        ("!HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", "success", Settings::TIMEOUT - LATE + BODY_MAX),
    ] {
        let (listener, place) = listen().await;
        let dripping = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            if head.starts_with('!') {
                tokio::time::sleep(Settings::TIMEOUT - LATE).await;
            }
            let mut result = stream.write_all(head.trim_start_matches('!').as_bytes()).await;
            while result.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                result = stream.write_all(b"x").await;
            }
        };
        let start = tokio::time::Instant::now();
        let checking = async { (by_default(&place).await, start.elapsed()) };
        let ((), (outcome, took)) = tokio::join!(dripping, checking);
        assert_eq!(outcome.name(), expected, "{head}: {outcome:?}");
        assert!(took.abs_diff(after) < Duration::from_millis(200), "{head}: {took:?}");
    }
}

/// How long before the timeout a late head comes.
const LATE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn nobody_listens_or_the_target_closes() {
    let (listener, place) = listen().await;
    let closing = async { drop(listener.accept().await.expect("a connection")) };
    let ((), outcome) = tokio::join!(closing, by_default(&place));
    assert_eq!(outcome.name(), "failed_health_checks", "{outcome:?}");
    drop(listener);
    let outcome = by_default(&place).await;
    let Outcome::Failure(Cause::FailedHealthChecks, detail) = outcome else { panic!("{outcome:?}") };
    assert!(detail.contains("refused"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn a_check_ends_with_its_timeout() {
    let (listener, place) = listen().await;
    let start = tokio::time::Instant::now();
    let outcome = by_default(&place).await;
    assert_eq!(outcome.name(), "timeout", "{outcome:?}");
    assert_eq!(start.elapsed(), Settings::TIMEOUT);
    drop(listener);
}

#[tokio::test]
async fn another_port_is_asked_and_named() {
    let (listener, place) = listen().await;
    let port = listener.local_addr().expect("bound").port();
    let elsewhere =
        Place::Address { address: "127.0.0.1:1".parse().expect("an address"), name: Some("app.test".into()) };
    let settings = HealthCheck { port: Some(port), ..settings() };
    let serving = async {
        serve(listener.accept().await.expect("a connection").0, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await
    };
    let serving = tokio::time::timeout(Settings::TIMEOUT, serving);
    let (request, outcome) = tokio::join!(serving, check(&settings, &elsewhere));
    let request = request.expect("a request at that port");
    assert!(matches!(outcome, Outcome::Success), "{outcome:?}");
    assert!(request.contains(&format!("\r\nhost: {place}\r\n")), "{request}");
}

#[tokio::test]
async fn a_unix_socket_is_asked() {
    let directory = std::env::temp_dir().join(format!("vestibule-check-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("app.sock");
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a socket");
    let place = Place::Unix(path.as_path().into());
    let serving = async {
        serve(listener.accept().await.expect("a connection").0, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await
    };
    let settings = settings();
    let (request, outcome) = tokio::join!(serving, check(&settings, &place));
    std::fs::remove_dir_all(&directory).expect("removed");
    assert!(matches!(outcome, Outcome::Success), "{outcome:?}");
    assert!(request.contains("\r\nhost: localhost\r\n"), "{request}");
}

#[tokio::test]
async fn a_target_that_asks_for_a_certificate_gets_that_of_the_group() {
    let made = rcgen::generate_simple_self_signed(["vestibule.test".to_owned()]).expect("a certificate");
    let key = || rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a certificate");
    let provider = crate::crypto::provider::tls();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("authorities"))
        .with_single_cert(vec![made.cert.der().clone()], key())
        .expect("they belong together");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let identity = tls::Identity::from_pem(&made.cert.pem(), &made.signing_key.serialize_pem().into()).expect("one");
    for (identity, expected) in [(Some(identity), "success"), (None, "failed_health_checks")] {
        let (listener, place) = listen().await;
        let serving = async {
            let (stream, _) = listener.accept().await.expect("a connection");
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        };
        let settings =
            HealthCheck { tls: Some(tls::config(Trust::Any, None, identity, ProtocolVersion::Http1)), ..settings() };
        let ((), outcome) = tokio::join!(serving, check(&settings, &place));
        assert_eq!(outcome.name(), expected, "{outcome:?}");
    }
}

#[tokio::test]
async fn the_certificate_is_verified_as_the_group_says() {
    let made = rcgen::generate_simple_self_signed(["app.test".to_owned()]).expect("a certificate");
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let server = rustls::ServerConfig::builder_with_provider(crate::crypto::provider::tls())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("they belong together");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let roots = || Trust::Roots(vec![made.cert.der().clone()]);
    let name = |name: &str| Some(name.to_owned().try_into().expect("a name"));
    for (tls, expected) in [
        (tls::config(Trust::Any, None, None, ProtocolVersion::Http1), "success"),
        (tls::config(roots(), name("app.test"), None, ProtocolVersion::Http1), "success"),
        (tls::config(roots(), name("other.test"), None, ProtocolVersion::Http1), "failed_health_checks"),
        (tls::config(roots(), None, None, ProtocolVersion::Http1), "failed_health_checks"),
    ] {
        let (listener, place) = listen().await;
        let serving = async {
            let (stream, _) = listener.accept().await.expect("a connection");
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        };
        let settings = HealthCheck { tls: Some(tls), ..settings() };
        let ((), outcome) = tokio::join!(serving, check(&settings, &place));
        assert_eq!(outcome.name(), expected, "{outcome:?}");
    }
}
