use std::sync::Arc;

use http::{Request, StatusCode};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Answers each connection's requests with `answer`, and closes when it has none left. Tells how many connections came.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &[u8]) {
    let mut request = vec![0; 4096];
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

fn settings() -> Settings {
    Settings { timeout: Duration::from_secs(5), allow_http_loopback: true, ..Settings::default() }
}

fn get(uri: &str) -> WholeRequest {
    Request::get(uri).body(Bytes::new()).expect("a request")
}

/// Calls a plain server on a loopback address that answers `answer`.
async fn call(settings: &Settings, answer: Vec<u8>) -> Result<WholeResponse, Error> {
    call_at(settings, TcpListener::bind("127.0.0.1:0").await.expect("binds"), answer).await
}

async fn call_at(settings: &Settings, listener: TcpListener, answer: Vec<u8>) -> Result<WholeResponse, Error> {
    let address = listener.local_addr().expect("bound");
    let network = Network::new(settings).expect("a client");
    let server = async {
        let (stream, _) = listener.accept().await.expect("accepts");
        serve(stream, &answer).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // The server only ends the test by never ending; the call decides.
        () = server => unreachable!("the server does not end"),
        result = network.call(get(&format!("http://{address}/x?SECRET=1"))) => result,
    }
}

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let response = call(&settings(), b"HTTP/1.1 418 Teapot\r\nx-a: b\r\ncontent-length: 2\r\n\r\nok".to_vec()).await;
    let response = response.expect("answers");
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers()["x-a"], "b");
    assert_eq!(response.body(), "ok");
}

/// The load balancer reaches providers over IPv4 only (ALB §1.4).
#[tokio::test]
async fn alb_1_4_a_provider_is_reached_over_ipv6() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        eprintln!("this machine has no IPv6");
        return;
    };
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
    assert_eq!(call_at(&settings(), listener, answer).await.expect("answers").body(), "ok");
}

#[tokio::test]
async fn c_17_redirects_are_not_followed() {
    let answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
    assert_eq!(call(&settings(), answer).await.expect("answers").status(), StatusCode::FOUND);
}

#[tokio::test]
async fn c_17_a_large_answer_is_not_read() {
    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 10 << 20).into_bytes();
    assert!(matches!(call(&settings(), announced).await, Err(Error::TooLarge(_))));
    let mut streamed = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    streamed.resize(streamed.len() + ANSWER_BYTES_MAX + 1, b'x');
    assert!(matches!(call(&settings(), streamed).await, Err(Error::TooLarge(_))));
}

#[tokio::test]
async fn c_17_a_slow_answer_is_given_up() {
    let quick = Settings { timeout: Duration::from_millis(100), ..settings() };
    assert!(matches!(call(&quick, Vec::new()).await, Err(Error::Timeout)));
    let started = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec();
    assert!(matches!(call(&quick, started).await, Err(Error::Timeout)));
}

#[tokio::test]
async fn what_is_not_http_is_told_without_the_address() {
    let error = call(&settings(), b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()).await.expect_err("not HTTP");
    assert!(matches!(error, Error::Broken(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let network = Network::new(&settings()).expect("a client");
    let error = network.call(get(&format!("http://{address}/?SECRET=1"))).await.expect_err("nobody there");
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
}

#[tokio::test]
async fn o_02_only_https_is_called_but_for_this_machine_where_allowed() {
    let strict = Network::new(&Settings::default()).expect("a client");
    let lenient = Network::new(&settings()).expect("a client");
    for uri in ["http://issuer.test/", "http://127.0.0.1.issuer.test/", "http://10.0.0.1/", "ftp://localhost/", "/x"] {
        assert!(matches!(lenient.call(get(uri)).await, Err(Error::Insecure)), "{uri}");
    }
    for uri in ["http://localhost:1/", "http://127.0.0.1:1/", "http://[::1]:1/"] {
        assert!(matches!(strict.call(get(uri)).await, Err(Error::Insecure)), "{uri}");
        assert!(matches!(lenient.call(get(uri)).await, Err(Error::Connect(_))), "{uri}");
    }
}

#[tokio::test]
async fn o_07_a_private_authority_is_trusted_where_it_is_given() {
    let certified = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).expect("a certificate");
    let roots = vec![certified.cert.der().clone()];
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(provider::tls())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("a certificate and its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let uri = format!("https://localhost:{}/", listener.local_addr().expect("bound").port());

    let handshakes = std::cell::Cell::new(0);
    let server = async {
        loop {
            let (stream, _) = listener.accept().await.expect("accepts");
            if let Ok(stream) = acceptor.accept(stream).await {
                handshakes.set(handshakes.get() + 1);
                serve(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            }
        }
    };
    let client = async {
        let stranger = Network::new(&Settings::default()).expect("a client");
        assert!(matches!(stranger.call(get(&uri)).await, Err(Error::Connect(_))));
        let network = Network::new(&Settings { roots, ..Settings::default() }).expect("a client");
        for _ in 0..2 {
            assert_eq!(network.call(get(&uri)).await.expect("answers").body(), "ok");
        }
    };
    tokio::select! {
        () = server => unreachable!("the server does not end"),
        () = client => {}
    }
    assert_eq!(handshakes.get(), 1, "the connection is used again");
}
