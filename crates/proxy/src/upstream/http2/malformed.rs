//! Why the answer of a target is not valid HTTP/2.

use crate::upstream::http1::malformed::HEAD_BYTES_MAX;

/// Why a target's answer is not valid HTTP/2, or is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The answer, or the connection, breaks RFC 9113. So `h2` reports a head that is too large, too.
    #[error("the target does not keep to HTTP/2 (RFC 9113), or its head is larger than {HEAD_BYTES_MAX} bytes: {0}")]
    Protocol(h2::Reason),
    /// The target does not answer with HTTP/2 at all.
    #[error("the target did not begin with HTTP/2; it may speak HTTP/1.1 only")]
    NotHttp2,
    #[error("the head has more fields than response_headers_max")]
    TooManyFields,
    /// RFC 9113 §8.2.1.
    #[error("a header value begins or ends with a space or tab")]
    Blank,
}
