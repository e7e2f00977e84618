//! A check over HTTP/2, also of gRPC.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::client::{Builder, SendRequest};
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version, header};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::upstream::health::failure::{Deadline, Failure};
use crate::upstream::health::grpc_health;
use crate::upstream::health::settings::{
    BODY_BYTES_MAX, BODY_MAX, GRPC_HEALTH_PATH, HEAD_BYTES_MAX, HealthCheck, USER_AGENT,
};
use crate::upstream::protocol_version::ProtocolVersion;

/// A message of gRPC without any byte: a flag for "not compressed", and a length of zero.
const EMPTY_MESSAGE: Bytes = Bytes::from_static(&[0; 5]);

/// Sends a `GET`, or calls a method of gRPC. Returns the HTTP status of the answer, or that of gRPC. The connection has prior
/// knowledge of HTTP/2 (RFC 9113 §3.3). Dropping the future closes it.
pub(super) async fn status<S>(stream: S, check: &HealthCheck, host: &str, deadline: Deadline) -> Result<u16, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = Builder::new();
    // The window is never opened again, so a target cannot send more.
    builder.initial_window_size(BODY_BYTES_MAX as u32).max_header_list_size(HEAD_BYTES_MAX as u32).enable_push(false);
    let (sender, connection) = deadline.of(async { builder.handshake(stream).await.map_err(Failure::Http2) }).await?;
    let mut connection = pin!(connection);
    let mut answer = pin!(ask(sender, check, host, deadline));
    // The connection moves the bytes. If it ends first, the answer is there or will never be.
    let (status, has_ended) = tokio::select! {
        biased;
        status = &mut answer => (status, false),
        _ = &mut connection => (answer.await, true),
    };
    if !has_ended {
        // Says goodbye. It does not matter whether the target listens.
        let _ = tokio::time::timeout(BODY_MAX, connection).await;
    }
    status
}

async fn ask(sender: SendRequest<Bytes>, check: &HealthCheck, host: &str, deadline: Deadline) -> Result<u16, Failure> {
    let is_grpc = check.protocol == ProtocolVersion::Grpc;
    let head = async {
        let mut sender = sender.ready().await.map_err(Failure::Http2)?;
        let (answer, mut body) = sender.send_request(request(check, host), !is_grpc).map_err(Failure::Http2)?;
        if is_grpc {
            body.send_data(EMPTY_MESSAGE, true).map_err(Failure::Http2)?;
        }
        answer.await.map_err(Failure::Http2)
    };
    let (head, mut body) = deadline.of(head).await?.into_parts();
    if is_grpc {
        // The status comes last, so all of the answer counts.
        return deadline.of(grpc_status(check, head.status, &head.headers, &mut body)).await;
    }
    // Only the status counts, so it does not matter how this ends.
    let _ = tokio::time::timeout(BODY_MAX, whole(&mut body)).await;
    Ok(head.status.as_u16())
}

fn request(check: &HealthCheck, host: &str) -> Request<()> {
    let scheme = if check.tls.is_some() { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(check.path.clone()).build();
    let uri = uri.expect("a name or address and a port are an authority");
    let request = Request::builder().version(Version::HTTP_2).uri(uri).header(header::USER_AGENT, USER_AGENT);
    let request = if check.protocol == ProtocolVersion::Grpc {
        let request = request.method(Method::POST).header(header::CONTENT_TYPE, "application/grpc");
        request.header(header::TE, "trailers")
    } else {
        request.method(Method::GET).header(header::ACCEPT, "*/*")
    };
    request.body(()).expect("constants are headers")
}

/// The gRPC status of an answer. It is in the trailers, or in the head if there is no message.
async fn grpc_status(
    check: &HealthCheck,
    status: StatusCode,
    head: &HeaderMap,
    body: &mut RecvStream,
) -> Result<u16, Failure> {
    let of = |headers: &HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse::<u16>().ok();
    if status != StatusCode::OK {
        return Err(Failure::NotGrpc(status));
    }
    let message = match of(head) {
        Some(status) if status != 0 => return Ok(status),
        _ => whole(body).await.map_err(Failure::Http2)?,
    };
    let trailers = body.trailers().await.map_err(Failure::Http2)?;
    let code = trailers.as_ref().and_then(of).or_else(|| of(head)).ok_or(Failure::NotGrpc(status))?;
    if code == 0 && check.path.path() == GRPC_HEALTH_PATH {
        grpc_health::is_serving(&message).map_err(Failure::NotServing)?;
    }
    Ok(code)
}

/// The body, which the window of the connection bounds.
async fn whole(body: &mut RecvStream) -> Result<Bytes, h2::Error> {
    let mut all = BytesMut::new();
    while let Some(part) = body.data().await {
        all.extend_from_slice(&part?);
    }
    Ok(all.freeze())
}
