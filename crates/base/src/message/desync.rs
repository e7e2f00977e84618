//! Requests that conform to no standard, in the classes of the ALB (ALB §10.6).
//!
//! What two servers could read as two requests is refused whatever the mode is ([`framing`](crate::message::framing) and the HTTP
//! library). This is about the rest: how unusual a request is that has one reading here.

/// What happens to requests that do not conform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They pass, as in `Defensive`.
    Monitor,
    /// They pass. Behind an ambiguous one, the connections to the client and to the target are closed.
    #[default]
    Defensive,
    /// They are refused.
    Strictest,
}

/// How far a request is from the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It is unusual, and every server reads it alike.
    Acceptable,
    /// Some servers may read it in another way.
    Ambiguous,
    /// Nobody can say how it is read. Always refused.
    Severe,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::Acceptable, Self::Ambiguous, Self::Severe];

    /// The name in the access log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acceptable => "Acceptable",
            Self::Ambiguous => "Ambiguous",
            Self::Severe => "Severe",
        }
    }
}

/// Why a request does not conform, by the names of ALB §10.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request does not conform to the standard: {}", self.name())]
pub enum Finding {
    /// GET or HEAD with a length of zero.
    GetHeadZeroContentLength,
    /// A line that ends with a line feed alone.
    NonCrLfLineTermination,
    /// GET or HEAD with a length.
    UndefinedContentLengthSemantics,
    /// GET or HEAD with a transfer coding.
    UndefinedTransferEncodingSemantics,
    /// The same length, twice.
    DuplicateContentLength,
    /// A length and a transfer coding.
    BothTeClPresent,
    /// A name that some server may read as `Content-Length` or `Transfer-Encoding`.
    SuspiciousHeader,
    /// A length that is no plain number, or several that differ.
    BadContentLength,
    /// A transfer coding other than `chunked`.
    BadTransferEncoding,
}

impl Finding {
    pub const fn class(self) -> Class {
        match self {
            Self::GetHeadZeroContentLength | Self::NonCrLfLineTermination => Class::Acceptable,
            Self::UndefinedContentLengthSemantics
            | Self::UndefinedTransferEncodingSemantics
            | Self::DuplicateContentLength
            | Self::BothTeClPresent
            | Self::SuspiciousHeader => Class::Ambiguous,
            Self::BadContentLength | Self::BadTransferEncoding => Class::Severe,
        }
    }

    /// The name in the access log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetHeadZeroContentLength => "GetHeadZeroContentLength",
            Self::NonCrLfLineTermination => "NonCrLfLineTermination",
            Self::UndefinedContentLengthSemantics => "UndefinedContentLengthSemantics",
            Self::UndefinedTransferEncodingSemantics => "UndefinedTransferEncodingSemantics",
            Self::DuplicateContentLength => "DuplicateContentLength",
            Self::BothTeClPresent => "BothTeClPresent",
            Self::SuspiciousHeader => "SuspiciousHeader",
            Self::BadContentLength => "BadContentLength",
            Self::BadTransferEncoding => "BadTransferEncoding",
        }
    }
}

/// What the HTTP library does not tell of the head that `bytes` begin with: it merges equal lengths, drops a length beside a transfer
/// coding, and takes line feeds alone. The worst finding.
pub fn look(bytes: &[u8]) -> Option<Finding> {
    let (mut lengths, mut codings, mut is_suspicious, mut has_bare_end) = (0_usize, 0_usize, false, false);
    let mut is_first = true;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let content = line.strip_suffix(b"\r");
        has_bare_end |= content.is_none();
        let content = content.unwrap_or(line);
        if content.is_empty() {
            // RFC 9112 §2.2: empty lines before a request are ignored.
            if is_first { continue } else { break }
        }
        if std::mem::replace(&mut is_first, false) {
            continue;
        }
        let name = content.split(|byte| *byte == b':').next().unwrap_or_default();
        match name {
            name if name.eq_ignore_ascii_case(b"content-length") => lengths += 1,
            name if name.eq_ignore_ascii_case(b"transfer-encoding") => codings += 1,
            name => is_suspicious |= is_suspicious_name(name),
        }
    }
    if lengths > 0 && codings > 0 {
        Some(Finding::BothTeClPresent)
    } else if lengths > 1 {
        Some(Finding::DuplicateContentLength)
    } else if is_suspicious {
        Some(Finding::SuspiciousHeader)
    } else {
        has_bare_end.then_some(Finding::NonCrLfLineTermination)
    }
}

/// Whether the letters of a name are those of a field that says where the body ends.
fn is_suspicious_name(name: &[u8]) -> bool {
    let letters = || name.iter().filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase);
    [&b"contentlength"[..], b"transferencoding"].into_iter().any(|known| letters().eq(known.iter().copied()))
}

/// Whether a head has ended in `bytes`, of which the last `new` bytes have just come. Empty lines before it are not its end (RFC 9112
/// §2.2).
pub fn has_end(bytes: &[u8], new: usize) -> bool {
    let first = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let tail = &bytes[bytes.len().saturating_sub(new + 3).max(first)..];
    memchr::memmem::find(tail, b"\n\r\n").is_some() || memchr::memmem::find(tail, b"\n\n").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(fields: &str, expected: Option<Finding>) {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\ncontent-length: 1\r\ncontent-length: 2\r\n");
        assert_eq!(look(head.as_bytes()), expected, "{fields:?}; what follows the head is a body");
    }

    #[test]
    fn each_row_is_found_in_a_head() {
        found("", None);
        found("content-length: 5\r\n", None);
        found("transfer-encoding: chunked\r\n", None);
        found("Content-Length: 5\r\ncontent-length: 5\r\n", Some(Finding::DuplicateContentLength));
        found("content-length: 5\r\nTransfer-Encoding: chunked\r\n", Some(Finding::BothTeClPresent));
        for name in [
            "content_length",
            "contentlength",
            "Content-Length ",
            "content--length",
            "transfer.encoding",
            "Transfer_Encoding",
        ] {
            found(&format!("{name}: 5\r\n"), Some(Finding::SuspiciousHeader));
        }
        for name in ["content-lengths", "x-content-length", "transfer-encodin", "content-type"] {
            found(&format!("{name}: 5\r\n"), None);
        }
        found("accept: x\n", Some(Finding::NonCrLfLineTermination));
        found("accept: x\ncontent_length: 5\r\n", Some(Finding::SuspiciousHeader));
        assert_eq!(look(b"\r\n\r\nGET / HTTP/1.1\nhost: a\r\n\r\n"), Some(Finding::NonCrLfLineTermination));
        assert_eq!(look(b"GET / HTTP/1.1\r\nhost: a"), None);
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_comes() {
        for head in [&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], b"GET / HTTP/1.1\nhost: a\n\n", b"a\r\n\n", b"a\n\r\n"]
        {
            assert!(has_end(head, head.len()));
            assert!((1..=head.len()).all(|new| has_end(head, new)), "{}", head.escape_ascii());
            assert!((1..head.len()).all(|end| !has_end(&head[..end], end)), "{}", head.escape_ascii());
            for before in [&b"\n"[..], b"\r\n", b"\r\n\r\n", b"\n\n\r\n"] {
                let whole = [before, head].concat();
                assert!((1..=whole.len()).all(|new| has_end(&whole, new)), "{}", whole.escape_ascii());
                assert!((1..whole.len()).all(|end| !has_end(&whole[..end], end)), "{}", whole.escape_ascii());
            }
        }
    }
}
