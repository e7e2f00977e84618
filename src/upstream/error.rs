//! Why a target did not answer.

use std::io;

use crate::message::BoxError;
use crate::message::body::StoodStill;
use crate::upstream::http1::head;

/// Why a request has no answer from a target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The group has no targets.
    #[error("the target group has no targets")]
    NoTargets,
    /// The name did not resolve, or no address accepted the connection.
    #[error("the target could not be reached")]
    Connect(#[source] io::Error),
    /// The connection was not made in time.
    #[error("the connection was not made in time")]
    ConnectTimeout,
    /// The TLS handshake failed.
    #[error("the TLS handshake with the target failed")]
    Tls(#[source] io::Error),
    /// No answer began in time.
    #[error("the target did not begin to answer in time")]
    ResponseTimeout,
    /// The connection broke before the answer.
    #[error("the target closed the connection before it had answered")]
    Reset(#[source] io::Error),
    /// The answer is not HTTP.
    #[error("the target's answer is not HTTP")]
    Malformed(#[source] head::Malformed),
    /// The client's body broke off: the client's fault, not the target's.
    #[error("the client's body broke off")]
    RequestBody(#[source] BoxError),
    /// The client's body stood still.
    #[error("the client's body did not arrive in time")]
    RequestBodyTimeout(#[source] BoxError),
}

impl Error {
    /// Whether it is this machine that has no descriptor, port or memory left: the target is not to be blamed.
    pub(crate) fn is_ours(&self) -> bool {
        // EMFILE, ENFILE, ENOBUFS, ENOMEM (socket(2)), EADDRNOTAVAIL (connect(2)).
        matches!(self, Self::Connect(error) if matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12 | 99)))
    }

    /// What went wrong with the client's body.
    pub(crate) fn of_body(error: BoxError) -> Self {
        if error.is::<StoodStill>() { Self::RequestBodyTimeout(error) } else { Self::RequestBody(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_not_the_targets_fault() {
        let connecting = |code| Error::Connect(io::Error::from_raw_os_error(code));
        for code in [24, 23, 105, 12, 99] {
            assert!(connecting(code).is_ours(), "{code}");
        }
        for code in [111, 113, 110, 104] {
            assert!(!connecting(code).is_ours(), "{code}");
        }
        assert!(!Error::ConnectTimeout.is_ours());
    }
}
