//! The protocols of targets.

/// The protocol of the targets of a group (ALB §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolVersion {
    Http1,
    Http2,
    /// HTTP/2 that is used for gRPC only.
    Grpc,
}

impl ProtocolVersion {
    /// Whether connections use HTTP/2.
    pub(crate) const fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Grpc)
    }
}
