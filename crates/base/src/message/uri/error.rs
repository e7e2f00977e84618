//! Why a request target or host is refused.

/// How a request target can be ambiguous or malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A reverse proxy does not forward `CONNECT`, `TRACE`, `TRACK` and `DEBUG`, nor a name that is not spelled like a registered method.
    #[error("the proxy does not forward this method")]
    Method,
    /// No host, two hosts, or an invalid host.
    #[error("the request does not name exactly one host")]
    Host,
    /// The target is not a path that begins with a slash.
    #[error("the request target is not a path")]
    NotAPath,
    /// The target names a scheme other than `http` and `https`.
    #[error("the request target has a scheme other than http and https")]
    Scheme,
    /// `%` without two hexadecimal digits, or octets that are not UTF-8.
    #[error("the path's percent-encoding is not valid UTF-8")]
    Encoding,
    /// A dot segment.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A backslash or a control character.
    #[error("the path has a character that servers read in different ways")]
    Character,
    /// `#`. Some servers remove what follows, and others do not.
    #[error("the request target has a fragment")]
    Fragment,
    /// `%2F` where the rule does not accept it, or where decoding it would lead to another rule.
    #[error("the path has an encoded slash that the rule does not accept or that could lead to another rule")]
    EncodedSlash,
    /// Path parameters before the last segment.
    #[error("the path has parameters before its last segment")]
    Parameters,
    /// `%3B`, `%3F` or `%23` where decoding it first would lead to another rule.
    #[error("the path has an encoded `;`, `?` or `#` that could lead to another rule")]
    EncodedEnd,
    /// A path that is passed on as it is, and that could be read as one of another rule.
    #[error("the path can be read in another way, which leads to another rule")]
    OtherReading,
}
