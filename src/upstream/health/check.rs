//! One health check: a `GET` over a connection of its own.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use crate::clock::period_text;
use crate::upstream::connect::secured;
use crate::upstream::error::Error;
use crate::upstream::health::settings::HealthCheck;
use crate::upstream::health::state::Cause;
use crate::upstream::place::Place;

/// By this, applications tell checks from requests in their logs. The load balancer sends `ELB-HealthChecker/2.0`.
const USER_AGENT: &str = "Vestibule-HealthChecker/1.0";

/// Maximum size of the head of an answer. hyper needs at least this.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How much of the body is read, and for how long, so that the target does not see its connection reset.
const BODY_BYTES_MAX: usize = 64 * 1024;
const BODY_MAX: Duration = Duration::from_secs(1);

/// What a check has shown.
#[derive(Debug)]
pub(in crate::upstream) enum Outcome {
    Success,
    /// With a text for the log.
    Failure(Cause, String),
    /// Nothing is known: this machine has no descriptor, port or memory left, or Vestibule has a bug.
    NotMade(String),
}

impl Outcome {
    /// As metrics name it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure(Cause::ResponseCodeMismatch, _) => "response_code_mismatch",
            Self::Failure(Cause::Timeout, _) => "timeout",
            Self::Failure(Cause::FailedHealthChecks, _) => "failed_health_checks",
            Self::NotMade(_) => "internal_error",
        }
    }
}

/// Why a target did not answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", .0.in_one_line())]
    Connecting(Error),
    #[error("{}", with_causes(.0))]
    Answer(#[source] hyper::Error),
    #[error("no answer in time")]
    Timeout,
}

fn with_causes(error: &hyper::Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The end of the time that a check may take.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    async fn of<T>(self, step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout_at(self.0, step).await.unwrap_or(Err(Failure::Timeout))
    }
}

/// Checks the target at `place` once.
pub(super) async fn check(check: &HealthCheck, place: &Place) -> Outcome {
    match ask(check, place, Deadline(Instant::now() + check.timeout)).await {
        Ok(status) if check.matcher.matches(status) => Outcome::Success,
        Ok(status) => Outcome::Failure(Cause::ResponseCodeMismatch, format!("the status is {status}")),
        Err(Failure::Connecting(error)) if error.is_ours() => Outcome::NotMade(error.in_one_line()),
        Err(Failure::Timeout) => {
            Outcome::Failure(Cause::Timeout, format!("no answer within {}", period_text(check.timeout)))
        }
        Err(failure) => Outcome::Failure(Cause::FailedHealthChecks, failure.to_string()),
    }
}

/// The status that the target answers with.
async fn ask(check: &HealthCheck, place: &Place, deadline: Deadline) -> Result<u16, Failure> {
    let tcp = async |address: SocketAddr| TcpStream::connect(address).await.map_err(connecting);
    match place {
        Place::Unix(path) => {
            let stream = deadline.of(async { UnixStream::connect(path).await.map_err(connecting) }).await?;
            over(stream, check, place, "localhost", deadline).await
        }
        Place::Address { address, .. } => {
            let address = SocketAddr::new(address.ip(), check.port.unwrap_or(address.port()));
            over(deadline.of(tcp(address)).await?, check, place, &address.to_string(), deadline).await
        }
        Place::Name { name, port } => {
            let host = format!("{name}:{}", check.port.unwrap_or(*port));
            let stream = deadline.of(async { TcpStream::connect(&host).await.map_err(connecting) }).await?;
            over(stream, check, place, &host, deadline).await
        }
    }
}

const fn connecting(error: std::io::Error) -> Failure {
    Failure::Connecting(Error::Connect(error))
}

async fn over<S>(stream: S, check: &HealthCheck, place: &Place, host: &str, deadline: Deadline) -> Result<u16, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Some(tls) = &check.tls else { return exchange(stream, check, host, deadline).await };
    let secured = async { secured(tls, place, stream).await.map_err(Failure::Connecting) };
    exchange(deadline.of(secured).await?, check, host, deadline).await
}

/// Sends the request and reads the answer. Dropping this closes the connection.
async fn exchange<S>(stream: S, check: &HealthCheck, host: &str, deadline: Deadline) -> Result<u16, Failure>
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

#[cfg(test)]
mod tests;
