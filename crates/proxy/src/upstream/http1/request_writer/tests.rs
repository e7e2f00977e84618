use std::collections::VecDeque;
use std::future::poll_fn;

use std::task::Waker;
use std::time::Duration;

use http::HeaderValue;
use socket2::SockRef;
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::message;
use crate::upstream::http1::testing::{pair, secured_pair, writer};

/// A body whose frames arrive one by one, with or without a known length.
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

async fn request(method: &str, fields: &[(&'static str, &str)], body: Body) -> RequestWriter {
    let mut request = message::Request::new(body);
    *request.method_mut() = method.parse().expect("a method");
    for (name, value) in fields {
        request.headers_mut().append(*name, HeaderValue::from_str(value).expect("a value"));
    }
    writer(request, &OwnFields::default()).await
}

/// The bytes that arrive at the target, and the result of writing.
async fn sent(request: &mut RequestWriter) -> (String, Result<(), Unsent>) {
    let (mut stream, mut target) = pair().await;
    let written = poll_fn(|cx| request.poll_write(&mut stream, cx)).await;
    drop(stream);
    let mut text = String::new();
    target.read_to_string(&mut text).await.expect("reads");
    (text, written)
}

#[tokio::test]
async fn the_head_says_what_the_body_is() {
    let trailers = HeaderMap::from_iter([
        (header::ETAG, HeaderValue::from_static("1")),
        (header::AGE, HeaderValue::from_static("2")),
    ]);
    let and_trailers = |mut frames: VecDeque<_>| {
        frames.push_back(Ok(Frame::trailers(trailers.clone())));
        frames
    };
    let announced = ("trailer", "date, ETag");
    for (method, fields, body, expected) in [
        ("GET", &[("x", "y"), ("x", "z")][..], Body::empty(), "x: y\r\nx: z\r\n\r\n"),
        ("GET", &[("content-length", "0")], Body::empty(), "content-length: 0\r\n\r\n"),
        // A wrong `Content-Length` of an empty body is corrected.
        ("GET", &[("content-length", "5")], Body::empty(), "content-length: 0\r\n\r\n"),
        ("DELETE", &[], Body::empty(), "\r\n"),
        ("POST", &[], Body::empty(), "content-length: 0\r\n\r\n"),
        ("PUT", &[], Body::empty(), "content-length: 0\r\n\r\n"),
        ("PATCH", &[], Body::full(""), "content-length: 0\r\n\r\n"),
        ("POST", &[], Body::full("hello"), "content-length: 5\r\n\r\nhello"),
        ("GET", &[("content-length", "7")], Body::full("hello"), "content-length: 5\r\nconnection: close\r\n\r\nhello"),
        (
            "POST",
            &[("content-length", "5"), ("transfer-encoding", "chunked")],
            streaming(Some(5), data(&["he", "", "llo"])),
            "content-length: 5\r\n\r\nhello",
        ),
        (
            "POST",
            &[("content-length", "5"), announced],
            streaming(None, and_trailers(data(&["one", "", "a piece of 21 letters"]))),
            "trailer: date, ETag\r\ntransfer-encoding: chunked\r\n\r\n\
             3\r\none\r\n15\r\na piece of 21 letters\r\n0\r\netag: 1\r\n\r\n",
        ),
        // Trailers that the head does not announce are dropped.
        (
            "POST",
            &[],
            streaming(None, and_trailers(data(&["one"]))),
            "transfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n",
        ),
        // Only the first frame shows whether a GET has a body.
        ("GET", &[], streaming(None, data(&[""])), "\r\n"),
        (
            "GET",
            &[],
            streaming(None, data(&["", "x"])),
            "transfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        ),
        ("POST", &[], streaming(None, data(&[])), "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        // A body with `Content-Length` cannot have trailers.
        ("POST", &[], streaming(Some(3), and_trailers(data(&["one"]))), "content-length: 3\r\n\r\none"),
    ] {
        let mut request = request(method, fields, body).await;
        let (text, written) = sent(&mut request).await;
        written.expect("it is written");
        assert_eq!(text, format!("{method} /a%20b?c=d HTTP/1.1\r\n{expected}"));
        assert!(request.is_written() && !request.is_whole());
    }
}

#[tokio::test]
async fn h_01_our_fields_stand_in_the_place_of_the_clients() {
    let mut request = message::Request::new(Body::full("hello"));
    *request.method_mut() = Method::POST;
    for (name, value) in [("x-amzn-oidc-data", "forged"), ("accept", "*/*"), ("cookie", "a")] {
        request.headers_mut().append(name, HeaderValue::from_static(value));
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    let mut fields = OwnFields::default();
    fields.add(crate::message::header::OIDC_DATA, HeaderValue::from_static("signed"));
    fields.omit(header::COOKIE);
    let mut request = writer(request, &fields).await;
    let (text, written) = sent(&mut request).await;
    written.expect("it is written");
    let expected = "accept: */*\r\naccept: */*\r\nx-amzn-oidc-data: signed\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(text, format!("POST /a%20b?c=d HTTP/1.1\r\n{expected}"));
}

#[tokio::test]
async fn g_04_a_body_of_another_length_than_was_said_is_never_whole() {
    for (body, expected) in [
        (streaming(Some(5), data(&["hell"])), "content-length: 5\r\n\r\nhell"),
        (streaming(Some(5), data(&["hell", "ish"])), "content-length: 5\r\n\r\nhell"),
        (streaming(Some(1), data(&["HTTP"])), ""),
    ] {
        let mut request = request("POST", &[], body).await;
        let (text, written) = sent(&mut request).await;
        assert!(matches!(written, Err(Unsent::Client(_))), "{written:?}");
        assert!(text.is_empty() || text.ends_with(expected), "{text:?}");
        assert!(!request.is_written());
    }
    let mut broken = data(&["one"]);
    broken.push_back(Err("gone".into()));
    let mut request = request("POST", &[], streaming(None, broken)).await;
    let (text, written) = sent(&mut request).await;
    assert!(matches!(written, Err(Unsent::Client(_))));
    assert!(text.ends_with("\r\n\r\n3\r\none\r\n"), "no last chunk: {text:?}");
}

#[tokio::test]
async fn a_request_of_which_no_byte_could_be_written_can_be_offered_to_another_target() {
    let (mut stream, target) = pair().await;
    SockRef::from(&target).set_linger(Some(Duration::ZERO)).expect("a socket");
    drop(target);
    // In production the reset arrives after the connection was checked and before the request is written.
    while stream.is_quiet() {
        tokio::task::yield_now().await;
    }
    let mut request = request("POST", &[], streaming(None, data(&["or", "der"]))).await;
    let written = poll_fn(|cx| request.poll_write(&mut stream, cx)).await;
    assert!(matches!(written, Err(Unsent::Target(_))), "{written:?}");
    assert!(request.is_whole(), "all of it is still here, and nobody has seen anything of it");
    let (text, written) = sent(&mut request).await;
    written.expect("another takes it");
    assert!(text.ends_with("\r\n\r\n2\r\nor\r\n3\r\nder\r\n0\r\n\r\n"), "{text:?}");
}

#[tokio::test]
async fn what_tls_has_taken_and_not_sent_is_not_written() {
    let mut kept = 0;
    // A part of each length fits into the sockets. With some lengths, only the end does not fit, and stays in TLS.
    for length in (1..100).map(|turn| turn * 4 * 1024) {
        let (mut stream, mut target) = secured_pair().await;
        let mut request = request("PUT", &[], Body::full(vec![b'x'; length])).await;
        let head = request.head.len();
        // Nobody reads, so after a while no more bytes can be written.
        for _ in 0..20 {
            let mut cx = Context::from_waker(Waker::noop());
            if request.poll_write(&mut stream, &mut cx).is_pending() {
                assert!(!request.is_written(), "{length} bytes");
            }
            tokio::task::yield_now().await;
        }
        kept += usize::from(request.head_left.is_empty() && request.piece.is_none() && !request.is_flushed);
        // When the target reads on, it gets the whole request, and the request counts as written.
        let read = async {
            let mut left = length + head;
            while left > 0 {
                left -= target.read(&mut vec![0; left]).await.expect("more");
            }
        };
        let (written, ()) = tokio::join!(poll_fn(|cx| request.poll_write(&mut stream, cx)), read);
        written.expect("it is written");
        assert!(request.is_written());
    }
    assert!(kept > 0, "no length tells anything");
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_the_same() {
    for method in ["GET", "HEAD", "PUT"] {
        let mut request = request(method, &[("x", "y")], Body::empty()).await;
        assert!(request.is_whole() && request.is_head() == (method == "HEAD"));
        let (first, written) = sent(&mut request).await;
        written.expect("it is written");
        assert!(!request.is_whole(), "{method}");
        request.rewind();
        assert!(request.is_whole() && !request.is_written());
        assert_eq!(sent(&mut request).await.0, first);
    }
}

#[tokio::test]
async fn an_expectation_is_sent_with_a_body_over_http_1_1_only() {
    for (version, body, expected) in [
        (Version::HTTP_11, Body::full("hello"), true),
        (Version::HTTP_2, Body::full("hello"), true),
        (Version::HTTP_10, Body::full("hello"), false),
        (Version::HTTP_11, Body::empty(), false),
        (Version::HTTP_2, streaming(None, data(&[""])), false),
    ] {
        let mut request = message::Request::new(body);
        *request.version_mut() = version;
        request.headers_mut().append(header::EXPECT, HeaderValue::from_static("100-continue"));
        let mut request = writer(request, &OwnFields::default()).await;
        assert_eq!(request.awaits_continue(), expected, "{version:?}");
        request.go_on();
        let (text, written) = sent(&mut request).await;
        written.expect("it is written");
        assert_eq!(text.contains("expect: 100-continue\r\n"), expected, "{version:?} {text}");
    }
}

#[tokio::test]
async fn a_get_whose_body_is_trailers_that_are_left_out_has_none_for_the_target() {
    let trailers = || Frame::trailers(HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("1"))]));
    for frame in [trailers(), Frame::trailers(HeaderMap::new())] {
        let mut request = request("GET", &[], streaming(None, VecDeque::from([Ok(frame)]))).await;
        let (text, written) = sent(&mut request).await;
        written.expect("it is written");
        assert_eq!(text, "GET /a%20b?c=d HTTP/1.1\r\n\r\n", "nothing that could be taken for the next request");
    }
}

#[tokio::test]
async fn a_request_of_which_a_part_went_out_before_the_line_broke_is_not_whole() {
    for is_secured in [false, true] {
        let mut stream = if is_secured {
            let (stream, target) = secured_pair().await;
            drop(target);
            stream
        } else {
            let (stream, target) = pair().await;
            drop(target);
            stream
        };
        // Larger than what the socket accepts at once. The target's end is closed, so the bytes that are sent cause a
        // reset: there is an error because some bytes were sent.
        let mut request = request("POST", &[], Body::full(vec![b'x'; 1 << 20])).await;
        let written = poll_fn(|cx| request.poll_write(&mut stream, cx)).await;
        assert!(matches!(written, Err(Unsent::Target(_))), "{written:?}");
        assert!(
            !request.is_whole(),
            "secured: {is_secured}; a second target would be offered what the first may have seen"
        );
    }
}
