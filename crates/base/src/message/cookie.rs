//! Reads `Cookie` and writes `Set-Cookie` (RFC 6265bis). Does not know what any cookie means.

use http::{HeaderMap, HeaderValue, header};

/// Maximum number of pairs that are read in one request. The pairs after them are ignored (attacks D-07).
const PAIRS_MAX: usize = 512;

/// The name-value pairs of every `Cookie` field, in order.
///
/// HTTP/2 may send one field for each pair (RFC 9113 §8.2.3). Both forms give the same pairs. A pair that is not UTF-8 is
/// skipped, because another application of the domain may have set it. The other pairs are still read.
pub fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|field| raw_pairs(field.as_bytes()))
        .take(PAIRS_MAX)
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='))
}

/// Names of cookies. The comparison ignores case, because an application may ignore it (attacks H-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamePattern {
    /// This name.
    Is(&'static str),
    /// Every name that begins with this.
    BeginsWith(&'static str),
}

impl NamePattern {
    /// Whether the name is one of these.
    pub fn matches(self, name: &[u8]) -> bool {
        match self {
            Self::Is(own) => name.eq_ignore_ascii_case(own.as_bytes()),
            Self::BeginsWith(own) => {
                name.get(..own.len()).is_some_and(|head| head.eq_ignore_ascii_case(own.as_bytes()))
            }
        }
    }
}

/// Joins `Cookie` fields into one (RFC 9113 §8.2.3), so that every reader sees the same cookies (attacks H-08).
pub fn join(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let fields: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    let joined = HeaderValue::from_bytes(&fields.join(&b"; "[..])).expect("made of bytes that were header values");
    headers.insert(header::COOKIE, joined);
}

/// The cookies of a request that are left after Vestibule's own are removed.
#[derive(Debug, PartialEq, Eq)]
pub enum Kept {
    /// No cookie was Vestibule's own.
    All,
    /// The other pairs, byte for byte, in one field.
    Some(HeaderValue),
    /// Every cookie was Vestibule's own.
    Nothing,
}

/// The cookies of a request without those for whose name `is_ours` is true.
///
/// Runs for every request, and a session cookie has kilobytes. So it reads the pairs once and copies only those that are
/// kept.
pub fn without(headers: &HeaderMap, is_ours: impl Fn(&[u8]) -> bool) -> Kept {
    let mut kept = Vec::new();
    let mut has_ours = false;
    for field in headers.get_all(header::COOKIE) {
        for pair in raw_pairs(field.as_bytes()).filter(|pair| !pair.is_empty()) {
            if is_ours(name(pair)) {
                has_ours = true;
                continue;
            }
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(pair);
        }
    }
    match has_ours {
        false => Kept::All,
        true if kept.is_empty() => Kept::Nothing,
        true => Kept::Some(HeaderValue::from_bytes(&kept).expect("made of bytes that were header values")),
    }
}

/// The pairs of one field, without the spaces and tabs around them.
pub fn raw_pairs(mut field: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if field.is_empty() {
            return None;
        }
        let end = memchr::memchr(b';', field).unwrap_or(field.len());
        let pair = field[..end].trim_ascii();
        field = field.get(end + 1..).unwrap_or_default();
        Some(pair)
    })
}

/// The name of a pair. The whole pair if it has no `=`.
fn name(pair: &[u8]) -> &[u8] {
    pair[..memchr::memchr(b'=', pair).unwrap_or(pair.len())].trim_ascii_end()
}

/// The names that a `Set-Cookie` line may give its cookie, as browsers read the line (RFC 6265bis §5.6). If the name is
/// empty, the browser later sends only the value. A value `a=b` is then read as a cookie named `a`, so that name is
/// returned too.
pub fn names_set_by(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut pair = Some(&line[..memchr::memchr(b';', line).unwrap_or(line.len())]);
    std::iter::from_fn(move || {
        let rest = pair.take()?;
        let Some(end) = memchr::memchr(b'=', rest) else { return Some(rest.trim_ascii()) };
        let name = rest[..end].trim_ascii();
        if name.is_empty() {
            pair = Some(&rest[end + 1..]);
        }
        Some(name)
    })
}

/// The requests from other sites with which a browser sends a cookie (RFC 6265bis §5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// With navigations by GET.
    #[default]
    Lax,
    /// With none.
    Strict,
    /// With all.
    None,
}

/// Writes a `Set-Cookie` line that stores `value` for `max_age_seconds`. The attributes are `Secure; HttpOnly; Path=/` without
/// `Domain`, as the prefix `__Host-` requires (RFC 6265bis §4.1.3.2). `SameSite` is `Lax`, because the redirect back from a
/// provider is a navigation from another site.
///
/// The line has `Max-Age` and not `Expires`: a browser with a wrong clock could drop a cookie with `Expires` at once
/// (pitfalls 26).
pub fn set(name: &str, value: &str, max_age_seconds: u64) -> HeaderValue {
    set_for(SameSite::Lax, name, value, max_age_seconds)
}

/// [`set`] with another `SameSite`.
pub fn set_for(same_site: SameSite, name: &str, value: &str, max_age_seconds: u64) -> HeaderValue {
    let same_site = match same_site {
        SameSite::Lax => cookie::SameSite::Lax,
        SameSite::Strict => cookie::SameSite::Strict,
        SameSite::None => cookie::SameSite::None,
    };
    let text = cookie::Cookie::build((name, value))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(same_site)
        .build()
        .to_string();
    HeaderValue::try_from(format!("{text}; Max-Age={max_age_seconds}")).expect("names and values of ours are ASCII")
}

/// Writes a `Set-Cookie` line that deletes a cookie. It needs the attributes of [`set`], or the browser ignores it
/// (pitfalls 24).
pub fn delete(name: &str) -> HeaderValue {
    set(name, "", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[&'static str]) -> HeaderMap {
        fields.iter().map(|field| (header::COOKIE, HeaderValue::from_static(field))).collect()
    }

    #[test]
    fn pairs_come_from_every_field() {
        let headers = headers(&["a=1; b=2=3;;; c", "d="]);
        assert_eq!(pairs(&headers).collect::<Vec<_>>(), [("a", "1"), ("b", "2=3"), ("d", "")]);
    }

    #[test]
    fn a_pair_that_is_no_text_hides_no_other() {
        let mut headers = HeaderMap::new();
        let field = HeaderValue::from_bytes(b"a=1; theme=caf\xe9; b=2").expect("bytes of a header");
        headers.insert(header::COOKIE, field);
        assert_eq!(pairs(&headers).collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
    }

    #[test]
    fn h_15_our_cookies_are_taken_out_and_the_rest_is_kept() {
        let strip_ours = |fields| without(&headers(fields), |name| name.starts_with(b"__Host-v"));
        let some = |text| Kept::Some(HeaderValue::from_static(text));
        assert_eq!(strip_ours(&["a=1; __Host-v-0=x; b=2"]), some("a=1; b=2"));
        assert_eq!(strip_ours(&["__Host-v-0=x", "b=2", "c=3"]), some("b=2; c=3"));
        assert_eq!(strip_ours(&["__Host-v-0 =x"]), Kept::Nothing);
        assert_eq!(strip_ours(&["a=1;b=2", "c=3"]), Kept::All);
        assert_eq!(strip_ours(&[]), Kept::All);
    }

    #[test]
    fn s_11_deleting_uses_the_attributes_of_setting() {
        assert_eq!(set("n", "v", 60), "n=v; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
        assert_eq!(delete("n"), "n=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
    }
}
