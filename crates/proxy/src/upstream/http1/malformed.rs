//! What a target may not send, and how much it may send of what RFC 9112 does not limit.

/// Maximum size of a head. Larger heads are refused. The ALB accepts 32 K (ALB §7.4).
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Maximum total size of chunk extensions and trailers in one response. RFC 9112 sets no limit for either.
pub(super) const ASIDE_BYTES_MAX: usize = 16 * 1024;

/// Why a target's answer is not valid HTTP/1.1, or is ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("{0}")]
    Syntax(httparse::Error),
    #[error("the status is not a number from 100 to 999")]
    Status,
    #[error("a header field has an invalid name or value")]
    Field,
    #[error("the head, with the interim responses before it, is larger than {HEAD_BYTES_MAX} bytes")]
    HeadTooLarge,
    #[error("Content-Length is not a number, or has different values")]
    Length,
    #[error("Transfer-Encoding is not `chunked`, or comes with Content-Length, or is in an HTTP/1.0 answer")]
    TransferCoding,
    #[error("a chunk is malformed (RFC 9112 §7.1)")]
    Chunk,
    #[error("chunk extensions and trailers are larger than {ASIDE_BYTES_MAX} bytes")]
    AsideTooLarge,
    #[error("the trailers are malformed")]
    Trailers,
    #[error("101 (Switching Protocols) for a protocol that was not asked for")]
    Switch,
    #[error(
        "101 (Switching Protocols) without `Connection: upgrade`, or with a `Sec-WebSocket-Accept` that does not answer the key (RFC 6455 §4.1)"
    )]
    Handshake,
}
