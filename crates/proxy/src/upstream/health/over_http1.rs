//! A check over HTTP/1.1.

use std::pin::pin;

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::upstream::health::failure::{Deadline, Failure};
use crate::upstream::health::settings::{BODY_BYTES_MAX, BODY_MAX, HEAD_BYTES_MAX, HealthCheck, USER_AGENT};

/// Sends a `GET`. Returns the status of the answer. Dropping the future closes the connection.
pub(super) async fn status<S>(stream: S, check: &HealthCheck, host: &str, deadline: Deadline) -> Result<u16, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(Failure::Answer)?;
    let request = Request::builder()
        .method(Method::GET)
        .uri(Uri::from(check.path.clone()))
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .expect("a name or address and a port are the text of a header");
    let mut answer = pin!(async move {
        let head = deadline.of(async { sender.send_request(request).await.map_err(Failure::Answer) });
        let (head, body) = head.await?.into_parts();
        // Only the status counts, so it does not matter how this ends.
        let _ = tokio::time::timeout(BODY_MAX, Limited::new(body, BODY_BYTES_MAX).collect()).await;
        Ok(head.status.as_u16())
    });
    let mut connection = pin!(connection);
    // The connection moves the bytes. If it ends first, the answer is there or will never be.
    tokio::select! {
        biased;
        status = &mut answer => status,
        _ = &mut connection => answer.await,
    }
}
