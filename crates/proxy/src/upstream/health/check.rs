//! One health check: a request over a connection of its own.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use crate::clock::period_text;
use crate::upstream::connect::secured;
use crate::upstream::error::Error;
use crate::upstream::health::failure::{Deadline, Failure};
use crate::upstream::health::settings::HealthCheck;
use crate::upstream::health::state::Cause;
use crate::upstream::health::{over_http1, over_http2};
use crate::upstream::place::Place;
use crate::upstream::protocol_version::ProtocolVersion;

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

/// Checks the target at `place` once.
pub(super) async fn check(check: &HealthCheck, place: &Place) -> Outcome {
    match ask(check, place, Deadline(Instant::now() + check.timeout)).await {
        Ok(status) if check.matcher.matches(status) => Outcome::Success,
        Ok(status) => Outcome::Failure(Cause::ResponseCodeMismatch, format!("the {}status is {status}", of(check))),
        Err(failure @ Failure::NotServing(_)) => Outcome::Failure(Cause::ResponseCodeMismatch, failure.to_string()),
        Err(Failure::Connecting(error)) if error.is_ours() => Outcome::NotMade(error.in_one_line()),
        Err(Failure::Timeout) => {
            Outcome::Failure(Cause::Timeout, format!("no answer within {}", period_text(check.timeout)))
        }
        Err(failure) => Outcome::Failure(Cause::FailedHealthChecks, failure.to_string()),
    }
}

/// Which status counts.
const fn of(check: &HealthCheck) -> &'static str {
    match check.protocol {
        ProtocolVersion::Http1 | ProtocolVersion::Http2 => "",
        ProtocolVersion::Grpc => "gRPC ",
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
    let stream = deadline.of(secured).await?;
    if check.protocol != ProtocolVersion::Http1 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(Failure::NotHttp2);
    }
    exchange(stream, check, host, deadline).await
}

async fn exchange<S>(stream: S, check: &HealthCheck, host: &str, deadline: Deadline) -> Result<u16, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match check.protocol {
        ProtocolVersion::Http1 => over_http1::status(stream, check, host, deadline).await,
        ProtocolVersion::Http2 | ProtocolVersion::Grpc => over_http2::status(stream, check, host, deadline).await,
    }
}

#[cfg(test)]
mod tests;
