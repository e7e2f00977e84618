//! The bearer token that a request carries (RFC 6750 §2.1).
//!
//! Only the header `Authorization` counts. Tokens in the query (§2.3) and in forms (§2.2) are not looked at: queries are logged and kept
//! by browsers (attacks B-02).

use http::{HeaderMap, header};

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried<'r> {
    /// No `Authorization`, or one of another scheme.
    Nothing,
    /// `Bearer` with something that no token can be, or more than one `Authorization` (attacks B-07). A target might use the other one.
    Malformed,
    /// One `Authorization` with `Bearer` and this behind it, which [`token`] reads.
    Unread(&'r [u8]),
}

/// Reads the header up to the token. A token that a worker remembers was read when it was verified: its bytes need no second look.
pub(super) fn of(headers: &HeaderMap) -> Carried<'_> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let Some(field) = fields.next() else { return Carried::Nothing };
    let is_alone = fields.next().is_none();
    let field = field.as_bytes();
    // RFC 9110 §11.4: the scheme has no case, and one or more blanks follow it.
    let (scheme, rest) =
        field.split_at(field.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(field.len()));
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return if is_alone { Carried::Nothing } else { Carried::Malformed };
    }
    let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
    if is_alone && blanks > 0 { Carried::Unread(&rest[blanks..]) } else { Carried::Malformed }
}

/// Reads a token (RFC 9110 §11.2: `token68`, which RFC 6750 calls `b64token`). `None` if it cannot be one.
pub(super) fn token(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let body = text.trim_end_matches('=');
    let is_token =
        !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
    is_token.then_some(text)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(fields: &[&'static str]) -> Option<Option<String>> {
        let mut headers = HeaderMap::new();
        fields.iter().for_each(|field| _ = headers.append(header::AUTHORIZATION, HeaderValue::from_static(field)));
        match of(&headers) {
            Carried::Nothing => Some(None),
            Carried::Malformed => None,
            Carried::Unread(bytes) => token(bytes).map(|token| Some(token.to_owned())),
        }
    }

    #[test]
    fn b_07_only_one_field_with_one_token_is_a_token() {
        let token = Some(Some("a.b-c_d~e+f/g==".to_owned()));
        assert_eq!(read(&[]), Some(None));
        for field in ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER   a.b-c_d~e+f/g=="] {
            assert_eq!(read(&[field]), token, "{field}");
        }
        for other in ["Basic YTpi", "Bearers a", "DPoP a.b.c", "", "bear er a"] {
            assert_eq!(read(&[other]), Some(None), "{other}");
        }
        for malformed in [
            "Bearer",
            "Bearer ",
            "Bearer\ta",
            "Bearer a,b",
            "Bearer a b",
            "Bearer =",
            "Bearer a=b",
            "Bearer,a",
            "Bearer \ta",
            "Bearer \"a\"",
        ] {
            assert_eq!(read(&[malformed]), None, "{malformed}");
        }
        for both in
            [["Bearer a", "Bearer a"], ["Basic YTpi", "Bearer a"], ["Bearer a", "Basic YTpi"], ["Basic a", "Basic a"]]
        {
            assert_eq!(read(&both), None, "{both:?}");
        }
    }
}
