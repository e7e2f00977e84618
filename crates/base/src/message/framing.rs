//! Checks how a request marks the end of its body (RFC 9112 §6). Refuses requests that the HTTP library accepts but another
//! server could read in another way.

use http::{HeaderMap, Method, Version, header};

use crate::message::desync::Finding;
use crate::message::header::has_outer_blank;

/// Two servers could disagree about where the request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A transfer coding other than `chunked`. Vestibule does not decode it, and cannot pass it on because `Transfer-Encoding`
    /// is removed (RFC 9112 §6.1).
    #[error("the request has a transfer coding other than chunked")]
    TransferCoding,
    /// A length with a leading zero, which some servers read as octal, or that is no number. Or different lengths. Or no length in an
    /// HTTP/1.0 request that needs one.
    #[error("the length of the request is ambiguous")]
    Length,
    /// The value of a field begins or ends with a space or tab over HTTP/2 (RFC 9113 §8.2.1).
    #[error("a header value begins or ends with a space or tab")]
    Blank,
}

/// Checks that the body is chunked or has one plain length. Returns what is unusual about it (ALB §10.6; HTTP/2 has no such cases).
///
/// # Errors
///
/// See [`Error`] (attacks G-02, G-03, G-05).
pub fn check(version: Version, method: &Method, headers: &HeaderMap) -> Result<Option<Finding>, Error> {
    // Clients do send `a=b; ` as `Cookie`. Spaces around a pair are not part of its value (RFC 6265 §5.4), so no two
    // readers disagree.
    if version == Version::HTTP_2
        && headers.iter().any(|(name, value)| has_outer_blank(value) && *name != header::COOKIE)
    {
        return Err(Error::Blank);
    }
    let is_safe = matches!(*method, Method::GET | Method::HEAD) && version != Version::HTTP_2;
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut finding = None;
    if let Some(coding) = codings.next() {
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
            return Err(Error::TransferCoding);
        }
        finding = is_safe.then_some(Finding::UndefinedTransferEncodingSemantics);
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter().map(|length| length.as_bytes());
    match lengths.next() {
        // RFC 9112 §6.3: the same length, repeated, is one length. Over HTTP/1.1 hyper removes the repetitions. A target
        // receives the length once.
        Some(length) if is_plain(length) && lengths.all(|other| other == length) => Ok(match length {
            b"0" => finding.or(is_safe.then_some(Finding::GetHeadZeroContentLength)),
            _ => finding.or(is_safe.then_some(Finding::UndefinedContentLengthSemantics)),
        }),
        Some(_) => Err(Error::Length),
        // RFC 1945 §7.2.2: an HTTP/1.0 request with a body needs a length, because closing the connection cannot mark its end.
        None if version == Version::HTTP_10 && may_have_a_body(method) => Err(Error::Length),
        None => Ok(finding),
    }
}

/// Whether all servers read this length alike: digits without a leading zero.
fn is_plain(length: &[u8]) -> bool {
    matches!(length, [b'0'] | [b'1'..=b'9', ..]) && length.iter().all(u8::is_ascii_digit)
}

/// Whether a request with this method has a `Content-Length` even if it has no body (RFC 9110 §8.6).
pub fn may_have_a_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn expect(fields: &[(&'static str, &'static str)], expected: Result<(), Error>) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(check(Version::HTTP_11, &Method::POST, &headers), expected.map(|()| None), "{fields:?}");
    }

    #[test]
    fn g_02_chunked_is_the_only_coding_and_said_once() {
        expect(&[], Ok(()));
        expect(&[("transfer-encoding", "chunked")], Ok(()));
        expect(&[("transfer-encoding", "Chunked")], Ok(()));
        for coding in ["gzip, chunked", "chunked, chunked", "identity", "", ",chunked", "chunked;q=1"] {
            expect(&[("transfer-encoding", coding)], Err(Error::TransferCoding));
        }
        expect(&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], Err(Error::TransferCoding));
    }

    #[test]
    fn g_03_a_length_is_a_plain_number() {
        for length in ["0", "6", "10", "600"] {
            expect(&[("content-length", length)], Ok(()));
        }
        for length in ["06", "00", "010", "", "x", "+6", "-6", "6x", "6, 6", "0x6"] {
            expect(&[("content-length", length)], Err(Error::Length));
        }
    }

    #[test]
    fn g_03_a_repeated_length_is_one_length_and_different_ones_are_refused() {
        let lengths = |all: &[&'static str], expected| {
            let fields: Vec<_> = all.iter().map(|length| ("content-length", *length)).collect();
            expect(&fields, expected);
        };
        lengths(&["5", "5"], Ok(()));
        lengths(&["5", "5", "5"], Ok(()));
        for different in [&["5", "6"][..], &["6", "5"], &["5", "5", "6"], &["5", "05"], &["05", "05"], &["5", ""]] {
            lengths(different, Err(Error::Length));
        }
    }

    #[test]
    fn g_05_a_request_of_http_1_0_with_a_body_has_a_length() {
        let none = HeaderMap::new();
        assert_eq!(check(Version::HTTP_10, &Method::POST, &none), Err(Error::Length));
        assert_eq!(check(Version::HTTP_10, &Method::GET, &none), Ok(None));
        assert_eq!(check(Version::HTTP_11, &Method::POST, &none), Ok(None));
    }

    #[test]
    fn a_body_of_get_or_head_is_unusual() {
        let finding = |version, method: &Method, name: &'static str, value: &'static str| {
            check(
                version,
                method,
                &HeaderMap::from_iter([(name.parse().expect("a name"), HeaderValue::from_static(value))]),
            )
        };
        let rows = [
            ("content-length", "0", Finding::GetHeadZeroContentLength),
            ("content-length", "5", Finding::UndefinedContentLengthSemantics),
            ("transfer-encoding", "chunked", Finding::UndefinedTransferEncodingSemantics),
        ];
        for (name, value, expected) in rows {
            for method in [&Method::GET, &Method::HEAD] {
                assert_eq!(
                    finding(Version::HTTP_11, method, name, value),
                    Ok(Some(expected)),
                    "{method} {name} {value}"
                );
            }
            assert_eq!(finding(Version::HTTP_11, &Method::DELETE, name, value), Ok(None), "{name} {value}");
        }
        assert_eq!(finding(Version::HTTP_2, &Method::GET, "content-length", "5"), Ok(None));
    }
}
