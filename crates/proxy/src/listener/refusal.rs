//! Sends a response to a client whose request cannot be served by hyper, and closes the connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use http::{HeaderValue, header};
use http_body::Body as _;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::clock::Timestamp;
use crate::listener::linger::{self, Patience};
use crate::listener::transport::{Readable, Watched};
use crate::message::Response;

/// Maximum time to send the response. It nearly always fits into the kernel's buffer.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);

/// Writes `response` as the last response of an HTTP/1.1 connection. Everything before it must be written already. `now` becomes its
/// `Date`.
pub(crate) async fn send<T, O>(mut transport: Watched<T, O>, response: Response, now: Timestamp, patience: Patience)
where
    T: AsyncWrite + Readable + Unpin,
    O: Unpin,
{
    let bytes = encode(response, now).await;
    let write = async {
        transport.write_all(&bytes).await?;
        transport.flush().await
    };
    if matches!(timeout(WRITE_TIME_MAX, write).await, Ok(Ok(()))) {
        linger::close(transport, patience).await;
    }
}

/// Serializes a response whose body is in memory (RFC 9112 §4).
async fn encode(mut response: Response, now: Timestamp) -> Vec<u8> {
    let length = response.body().size_hint().exact().unwrap_or_default();
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(now.to_system_time())) {
        headers.insert(header::DATE, date);
    }
    let (parts, mut body) = response.into_parts();
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_str()).into_bytes();
    for (name, value) in &parts.headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::body::Body;

    #[tokio::test]
    async fn the_date_is_that_of_the_clock_it_is_given() {
        let mut response = Response::new(Body::full("no"));
        *response.status_mut() = http::StatusCode::BAD_REQUEST;
        let bytes = encode(response, Timestamp::from_seconds(784_111_777)).await;
        // The example of RFC 9110 §5.6.7.
        let expected = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\
                        date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nno";
        assert_eq!(String::from_utf8(bytes).expect("text"), expected);
    }
}
