//! Errors of requests to targets.

use std::{fmt, io};

use rustix::io::Errno;

use crate::message::BoxError;
use crate::message::body::limits::{StoodStill, TooSlow};
use crate::message::watch::Malformed;
use crate::upstream::http1::malformed;
use crate::upstream::http2;

/// Why a request got no response from a target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The group has no targets.
    #[error("the target group has no targets")]
    NoTargets,
    /// The protocol of the targets cannot carry the request.
    #[error(transparent)]
    Protocol(Mismatch),
    /// The DNS name of the target could not be resolved.
    #[error("the target's name could not be resolved")]
    Name(#[source] io::Error),
    /// No address accepted the connection.
    #[error("the target did not accept the connection")]
    Connect(#[source] io::Error),
    /// The target left the group, and `deregistration_delay` was over before it answered.
    #[error(transparent)]
    Deregistered(#[from] Deregistered),
    /// Another address of the target's name accepted the connection first.
    #[error("another address of the target's name accepted the connection first")]
    Outrun,
    /// Connecting took longer than `connect_timeout`.
    #[error("the connection to the target timed out during {0}")]
    ConnectTimeout(Step),
    /// The TLS handshake failed.
    #[error("the TLS handshake with the target failed")]
    Tls(#[source] io::Error),
    /// No response began within the response timeout.
    #[error("the target did not start its answer within response_timeout")]
    ResponseTimeout,
    /// The connection was closed or reset before the response.
    #[error("the target closed the connection before it answered")]
    Reset(#[source] io::Error),
    /// The target has not processed the request: it refused the stream, or closes the connection (RFC 9113 §8.7).
    #[error("the target refused the request without processing it")]
    Refused(#[source] h2::Error),
    /// The call was not answered within its `grpc-timeout`.
    #[error("the target did not answer within the grpc-timeout of the call")]
    Deadline,
    /// The response is not valid HTTP.
    #[error("the target's answer is not valid HTTP")]
    Malformed(#[source] malformed::Malformed),
    /// The response is not valid HTTP/2.
    #[error("the target's answer is not valid HTTP/2")]
    MalformedHttp2(#[source] http2::malformed::Malformed),
    /// The target closed the connection in the middle of its response, before any byte of it was sent to the client.
    #[error("the target closed the connection in the middle of its answer")]
    BrokenOff(#[source] BoxError),
    /// The body of the response is not valid HTTP. No byte of the response was sent to the client.
    #[error("the body of the target's answer is not valid HTTP")]
    BodyMalformed(#[source] BoxError),
    /// The body that the client sends is not valid HTTP.
    #[error("the client's request body is not valid HTTP")]
    RequestBodyMalformed(#[source] BoxError),
    /// The client's body ended early. The client caused this, not the target.
    #[error("the client's request body ended early")]
    RequestBody(#[source] BoxError),
    /// The client sent its body more slowly than the minimum rate.
    #[error("the client's request body arrived too slowly")]
    RequestBodyTooSlow(#[source] BoxError),
    /// The client sent nothing of its body for too long.
    #[error("the client stopped sending its request body")]
    RequestBodyTimeout(#[source] BoxError),
}

/// Why the protocol of the targets cannot carry a request (ALB §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    #[error("gRPC needs HTTP/2, and the targets use HTTP/1.1; set `protocol_version: grpc` for the target group")]
    GrpcOverHttp1,
    #[error("the client uses HTTP/1.1, and the targets use HTTP/2")]
    ClientWithoutHttp2,
    #[error("the targets use gRPC, and the method of the request is not POST")]
    NotPost,
    #[error("the request asks for a WebSocket, and the targets use HTTP/2")]
    WebSocket,
    #[error("HTTP/2 cannot carry the host or the path of the request")]
    Address,
}

/// Why Vestibule ended a request that was under way.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the target has left the target group, and deregistration_delay is over")]
pub(crate) struct Deregistered;

/// A step of making a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name,
    Tcp,
    Socket,
    Tls,
    Http2,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the lookup of the name",
            Self::Tcp => "the TCP connection",
            Self::Socket => "the connection to the Unix socket",
            Self::Tls => "the TLS handshake",
            Self::Http2 => "the start of HTTP/2",
        })
    }
}

/// Errors of socket(2) and connect(2) that mean this machine has no descriptor, memory or port left.
const OURS: [Errno; 5] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];

/// Maximum length of an error in the log, in bytes. A target can say why it ends a connection in 16 KB (GOAWAY, RFC 9113 §6.8).
const LINE_BYTES_MAX: usize = 1024;

impl Error {
    /// Whether this machine has no descriptor, port or memory left. Then the target is not at fault and stays healthy.
    pub(crate) fn is_ours(&self) -> bool {
        let Self::Connect(error) = self else { return false };
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            let number = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
            if number.is_some_and(|number| OURS.iter().any(|ours| ours.raw_os_error() == number)) {
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// The name of the error in traces: that of the reason which a request ends with if no other attempt succeeds.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::NoTargets => "upstream.no_target",
            Self::Protocol(_) => "upstream.protocol_mismatch",
            Self::Name(_) => "upstream.name_unresolved",
            Self::Connect(_) | Self::Outrun => "upstream.unreachable",
            Self::ConnectTimeout(_) => "upstream.connect_timeout",
            Self::Tls(_) => "upstream.tls",
            Self::Refused(_) => "upstream.refused",
            Self::ResponseTimeout | Self::Deadline => "upstream.timeout",
            Self::Reset(_) | Self::BrokenOff(_) => "upstream.reset",
            Self::Deregistered(_) => "upstream.deregistered",
            Self::Malformed(_) | Self::MalformedHttp2(_) | Self::BodyMalformed(_) => "upstream.malformed",
            Self::RequestBodyTooSlow(_) => "request.body_too_slow",
            Self::RequestBodyMalformed(_) => "request.body_malformed",
            Self::RequestBody(_) => "client.closed",
            Self::RequestBodyTimeout(_) => "request.body_timeout",
        }
    }

    /// Whether the client has left, or its body failed.
    pub(crate) const fn is_of_client(&self) -> bool {
        matches!(
            self,
            Self::RequestBodyMalformed(_)
                | Self::RequestBody(_)
                | Self::RequestBodyTooSlow(_)
                | Self::RequestBodyTimeout(_)
        )
    }

    /// Whether the target failed: it could not be reached, or did not answer as it should.
    pub(crate) fn is_of_target(&self) -> bool {
        match self {
            Self::NoTargets
            | Self::Protocol(_)
            | Self::Deadline
            | Self::Outrun
            | Self::Deregistered(_)
            | Self::RequestBodyMalformed(_)
            | Self::RequestBody(_)
            | Self::RequestBodyTooSlow(_)
            | Self::RequestBodyTimeout(_) => false,
            Self::Connect(_) => !self.is_ours(),
            Self::Name(_)
            | Self::ConnectTimeout(_)
            | Self::Tls(_)
            | Self::ResponseTimeout
            | Self::Reset(_)
            | Self::Refused(_)
            | Self::Malformed(_)
            | Self::MalformedHttp2(_)
            | Self::BrokenOff(_)
            | Self::BodyMalformed(_) => true,
        }
    }

    /// The error and its causes in one line, for the log. Longer ones are cut: they may have text of the target.
    pub(crate) fn in_one_line(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text.truncate(text.floor_char_boundary(LINE_BYTES_MAX));
        text
    }

    /// The error for a failure of the client's body.
    pub(crate) fn of_body(error: BoxError) -> Self {
        if error.is::<StoodStill>() {
            Self::RequestBodyTimeout(error)
        } else if error.is::<TooSlow>() {
            Self::RequestBodyTooSlow(error)
        } else if error.is::<Malformed>() {
            Self::RequestBodyMalformed(error)
        } else {
            Self::RequestBody(error)
        }
    }

    /// The error for a connection that ended before the response.
    pub(crate) fn of_end(error: io::Error) -> Self {
        if is_deregistered(&error) { Deregistered.into() } else { Self::Reset(error) }
    }

    /// The error for a failure in the first bytes of a response body.
    pub(crate) fn of_answer(error: BoxError) -> Self {
        if error.is::<Deregistered>() {
            return Deregistered.into();
        }
        if error.is::<Malformed>() { Self::BodyMalformed(error) } else { Self::BrokenOff(error) }
    }
}

/// Whether Vestibule ended the connection, because its target has left the group.
pub(super) fn is_deregistered(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|cause| cause.is::<Deregistered>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_says_fills_no_log() {
        let line = Error::Reset(io::Error::other("ä".repeat(16 * 1024))).in_one_line();
        assert!(line.ends_with('ä') && line.len() <= 1024, "{}", line.len());
    }

    #[test]
    fn what_this_machine_lacks_is_not_the_targets_fault() {
        let connecting = |code: Errno| Error::Connect(code.into());
        for code in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL] {
            assert!(connecting(code).is_ours(), "{code}");
        }
        for code in [Errno::CONNREFUSED, Errno::HOSTUNREACH, Errno::TIMEDOUT, Errno::CONNRESET] {
            assert!(!connecting(code).is_ours(), "{code}");
        }
        assert!(!Error::ConnectTimeout(Step::Tcp).is_ours());
    }
}
