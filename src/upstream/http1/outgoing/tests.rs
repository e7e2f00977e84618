use std::collections::VecDeque;
use std::future::poll_fn;

use http::HeaderValue;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::socket::Socket;

/// A body of frames that come one by one, whose length is known or not.
struct Frames {
    frames: VecDeque<Result<Frame<Bytes>, BoxError>>,
    length: Option<u64>,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.frames.pop_front())
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.length.map_or_else(http_body::SizeHint::default, http_body::SizeHint::with_exact)
    }
}

fn data(parts: &[&'static str]) -> VecDeque<Result<Frame<Bytes>, BoxError>> {
    parts.iter().map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))).collect()
}

fn streaming(length: Option<u64>, frames: VecDeque<Result<Frame<Bytes>, BoxError>>) -> Body {
    Body::streaming(Frames { frames, length })
}

fn request(method: &str, fields: &[(&'static str, &str)], body: Body) -> Outgoing {
    let mut request = Request::new(body);
    *request.method_mut() = method.parse().expect("a method");
    *request.uri_mut() = "/a%20b?c=d".parse().expect("a target");
    for (name, value) in fields {
        request.headers_mut().append(*name, HeaderValue::from_str(value).expect("a value"));
    }
    Outgoing::new(request)
}

/// What arrives at the target, and how writing ended.
async fn sent(request: &mut Outgoing) -> (String, Result<(), Unsent>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let stream = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
    let (mut target, _) = listener.accept().await.expect("accepts");
    let mut line = Line::plain(Socket::new(stream).expect("a socket"));
    let written = poll_fn(|cx| request.poll_write(&mut line, cx)).await;
    drop(line);
    let mut text = String::new();
    target.read_to_string(&mut text).await.expect("reads");
    (text, written)
}

#[tokio::test]
async fn the_head_says_what_the_body_is() {
    let trailers = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("1"))]);
    let mut with_trailers = data(&["one", "", "a piece of 21 letters"]);
    with_trailers.push_back(Ok(Frame::trailers(trailers.clone())));
    let mut with_both = data(&["one"]);
    with_both.push_back(Ok(Frame::trailers(trailers)));
    for (method, fields, body, expected) in [
        ("GET", &[("x", "y"), ("x", "z")][..], Body::empty(), "x: y\r\nx: z\r\n\r\n"),
        ("GET", &[("content-length", "0")], Body::empty(), "content-length: 0\r\n\r\n"),
        // Whatever was said of a body that is none.
        ("GET", &[("content-length", "5")], Body::empty(), "content-length: 0\r\n\r\n"),
        ("DELETE", &[], Body::empty(), "\r\n"),
        ("POST", &[], Body::empty(), "content-length: 0\r\n\r\n"),
        ("PUT", &[], Body::empty(), "content-length: 0\r\n\r\n"),
        ("PATCH", &[], Body::full(""), "content-length: 0\r\n\r\n"),
        ("POST", &[], Body::full("hello"), "content-length: 5\r\n\r\nhello"),
        ("GET", &[("content-length", "7")], Body::full("hello"), "content-length: 5\r\n\r\nhello"),
        (
            "POST",
            &[("content-length", "5"), ("transfer-encoding", "chunked")],
            streaming(Some(5), data(&["he", "", "llo"])),
            "content-length: 5\r\n\r\nhello",
        ),
        (
            "GET",
            &[("content-length", "5")],
            streaming(None, with_trailers),
            "transfer-encoding: chunked\r\n\r\n3\r\none\r\n15\r\na piece of 21 letters\r\n0\r\netag: 1\r\n\r\n",
        ),
        ("POST", &[], streaming(None, data(&[])), "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        // A length leaves no room for trailers.
        ("POST", &[], streaming(Some(3), with_both), "content-length: 3\r\n\r\none"),
    ] {
        let mut request = request(method, fields, body);
        let (text, written) = sent(&mut request).await;
        written.expect("it is written");
        assert_eq!(text, format!("{method} /a%20b?c=d HTTP/1.1\r\n{expected}"));
        assert!(request.is_written() && !request.is_whole());
    }
}

#[tokio::test]
async fn g_04_a_body_of_another_length_than_was_said_is_never_whole() {
    for (body, expected) in [
        (streaming(Some(5), data(&["hell"])), "content-length: 5\r\n\r\nhell"),
        (streaming(Some(5), data(&["hell", "ish"])), "content-length: 5\r\n\r\nhell"),
        (streaming(Some(1), data(&["HTTP"])), ""),
    ] {
        let mut request = request("POST", &[], body);
        let (text, written) = sent(&mut request).await;
        assert!(matches!(written, Err(Unsent::Client(_))), "{written:?}");
        assert!(text.is_empty() || text.ends_with(expected), "{text:?}");
        assert!(!request.is_written());
    }
    let mut broken = data(&["one"]);
    broken.push_back(Err("gone".into()));
    let mut request = request("POST", &[], streaming(None, broken));
    let (text, written) = sent(&mut request).await;
    assert!(matches!(written, Err(Unsent::Client(_))));
    assert!(text.ends_with("\r\n\r\n3\r\none\r\n"), "no last chunk: {text:?}");
}

#[tokio::test]
async fn only_what_does_no_harm_twice_is_sent_twice() {
    for (method, body, again) in [
        ("GET", Body::empty(), true),
        ("HEAD", Body::empty(), true),
        ("OPTIONS", Body::empty(), true),
        ("PUT", Body::empty(), true),
        ("DELETE", Body::empty(), true),
        ("POST", Body::empty(), false),
        ("PATCH", Body::empty(), false),
        ("PROPFIND", Body::empty(), false),
        ("GET", Body::full("x"), false),
        ("PUT", Body::full("x"), false),
    ] {
        let mut request = request(method, &[], body);
        assert!(request.is_whole() && request.is_head() == (method == "HEAD"));
        let (first, written) = sent(&mut request).await;
        written.expect("it is written");
        assert!(!request.is_whole(), "{method}");
        assert_eq!(request.rewind(), again, "{method}");
        if again {
            assert!(!request.is_written());
            assert_eq!(sent(&mut request).await.0, first);
        }
    }
}
