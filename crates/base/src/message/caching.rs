//! Keeps one user's answer out of caches that many users share (RFC 9111).

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Fields that make some shared cache store an answer, whatever `Cache-Control` says.
const FOR_SHARED_CACHES: [HeaderName; 10] = [
    HeaderName::from_static("cdn-cache-control"), // RFC 9213
    HeaderName::from_static("surrogate-control"), // Fastly, Varnish, Akamai
    HeaderName::from_static("edge-control"),      // Akamai
    HeaderName::from_static("x-accel-expires"),   // nginx
    HeaderName::from_static("x-litespeed-cache-control"),
    HeaderName::from_static("cloudflare-cdn-cache-control"),
    HeaderName::from_static("fastly-cache-control"),
    HeaderName::from_static("akamai-cache-control"),
    HeaderName::from_static("netlify-cdn-cache-control"),
    HeaderName::from_static("vercel-cdn-cache-control"),
];

/// Adds `private` to an answer and removes every directive that allows a shared cache to store it. Directives for the
/// browser's own cache (`max-age`, `no-cache`, `immutable`) are kept. `no-store` is kept too.
pub fn make_private(headers: &mut HeaderMap) {
    remove_targeted(headers);
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut is_stored_nowhere = false;
    for field in headers.get_all(header::CACHE_CONTROL) {
        for directive in directives(field.as_bytes()) {
            let name = name(directive);
            // `must-understand` allows a cache that knows the status code to ignore `no-store` (RFC 9111 §5.2.2.3).
            let is_dropped = [&b"public"[..], b"s-maxage", b"private", b"must-understand"]
                .iter()
                .any(|dropped| name.eq_ignore_ascii_case(dropped));
            // A lenient cache could read `public; s-maxage=60` and `x="a, public"` as other directives than these.
            let is_plain = !name.is_empty() && name.iter().all(|byte| is_token(*byte)) && !directive.contains(&b',');
            if !is_dropped && is_plain {
                is_stored_nowhere |= name == directive && name.eq_ignore_ascii_case(b"no-store");
                kept.push(directive);
            }
        }
    }
    if !is_stored_nowhere {
        // `private` comes first, for a cache that does not read the whole list. It also replaces `private="set-cookie"`,
        // which covers only that field.
        kept.insert(0, b"private");
    }
    let value = HeaderValue::from_bytes(&kept.join(&b", "[..])).expect("made of bytes that were header values");
    headers.insert(header::CACHE_CONTROL, value);
}

/// The same `Cache-Control` for an answer that caches ask about each time: `private` and `no-store` stay, and nothing gives it a lifetime.
pub fn checked_each_time(value: &HeaderValue) -> HeaderValue {
    let says =
        |wanted: &[u8]| directives(value.as_bytes()).any(|directive| name(directive).eq_ignore_ascii_case(wanted));
    HeaderValue::from_static(match (says(b"no-store"), says(b"private")) {
        (true, _) => "no-store",
        (false, true) => "private, no-cache",
        (false, false) => "no-cache",
    })
}

/// Whether an answer says that shared caches may store it, for every user: `public` or `s-maxage` without `private` or `no-store`, or a
/// field that only shared caches read. An answer that says nothing is not meant, although a cache may store it (RFC 9111 §4.2.2).
pub fn is_for_shared_caches(headers: &HeaderMap) -> bool {
    let has = |value: &HeaderValue, names: &[&[u8]]| {
        directives(value.as_bytes()).any(|directive| names.iter().any(|own| name(directive).eq_ignore_ascii_case(own)))
    };
    // `0` is for `X-Accel-Expires`.
    let invites =
        |(name, value): (&HeaderName, &HeaderValue)| is_targeted(name) && !has(value, &[b"no-store", b"private", b"0"]);
    let says = |names: &[&[u8]]| headers.get_all(header::CACHE_CONTROL).iter().any(|value| has(value, names));
    (says(&[b"public", b"s-maxage"]) || headers.iter().any(invites)) && !says(&[b"private", b"no-store"])
}

/// Removes the fields of `Targeted cache control` (RFC 9213), named `<cache>-cache-control`, and the older ones.
fn remove_targeted(headers: &mut HeaderMap) {
    let targeted: Vec<HeaderName> = headers.keys().filter(|name| is_targeted(name)).cloned().collect();
    for name in targeted {
        headers.remove(name);
    }
}

fn is_targeted(name: &HeaderName) -> bool {
    FOR_SHARED_CACHES.contains(name) || name.as_str().ends_with("-cache-control")
}

/// The members of a list whose values may be quoted (RFC 9110 §5.6.1).
fn directives(mut field: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if field.is_empty() {
            return None;
        }
        let (mut is_quoted, mut is_escaped) = (false, false);
        let is_end = |byte: &u8| {
            match (is_quoted, *byte) {
                _ if is_escaped => is_escaped = false,
                (true, b'\\') => is_escaped = true,
                (_, b'"') => is_quoted = !is_quoted,
                (false, b',') => return true,
                _ => {}
            }
            false
        };
        let end = field.iter().position(is_end).unwrap_or(field.len());
        let directive = field[..end].trim_ascii();
        field = field.get(end + 1..).unwrap_or_default();
        Some(directive)
    })
}

fn name(directive: &[u8]) -> &[u8] {
    directive[..memchr::memchr(b'=', directive).unwrap_or(directive.len())].trim_ascii()
}

/// RFC 9110 §5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'#' | b'$' | b'&' | b'\'' | b'*' | b'+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_each_time_has_no_lifetime_and_stays_private() {
        for (given, expected) in [
            ("public, max-age=31536000, immutable", "no-cache"),
            ("Private, max-age=60", "private, no-cache"),
            ("private=\"x\", no-cache", "private, no-cache"),
            ("no-store, private", "no-store"),
            ("x=\"no-store, private\"", "no-cache"),
            ("", "no-cache"),
        ] {
            assert_eq!(checked_each_time(&HeaderValue::from_static(given)), expected, "{given}");
        }
    }

    #[track_caller]
    fn check(fields: &[&'static str], expected: &str) {
        let mut headers: HeaderMap =
            fields.iter().map(|field| (header::CACHE_CONTROL, HeaderValue::from_static(field))).collect();
        make_private(&mut headers);
        let left: Vec<_> = headers.get_all(header::CACHE_CONTROL).iter().collect();
        assert_eq!(left, [expected], "{fields:?}");
    }

    #[test]
    fn b_6_no_answer_of_one_user_is_left_to_a_shared_cache() {
        check(&[], "private");
        check(&["public"], "private");
        check(&["public, max-age=3600"], "private, max-age=3600");
        check(&["max-age=60", "PUBLIC,S-MaxAge=600"], "private, max-age=60");
        check(&["s-maxage=\"600\", immutable"], "private, immutable");
        check(&["private=\"set-cookie, x-a\", max-age=1"], "private, max-age=1");
        check(&["private=\"a\\\", public"], "private");
        check(&["public; s-maxage=60, max-age=5"], "private, max-age=5");
        check(&["\"public\", max-age=5"], "private, max-age=5");
        check(&["must-understand, no-store"], "no-store");
        check(&["no-store"], "no-store");
        check(&["no-store=1, public"], "private, no-store=1");
        check(&["x=\"a, public, b\", y=\"1\""], "private, y=\"1\"");
        check(&["No-Cache, public , ,"], "private, No-Cache");
    }

    #[test]
    fn an_answer_is_for_shared_caches_if_it_says_so_and_nothing_else() {
        let is_shared = |fields: &[(&'static str, &'static str)]| {
            let headers =
                fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_for_shared_caches(&headers.collect())
        };
        for value in ["public", "max-age=60, PUBLIC", "s-maxage=60", "S-MaxAge = 60"] {
            assert!(is_shared(&[("cache-control", value)]), "{value}");
        }
        for value in
            ["", "max-age=60", "no-cache", "private", "public, private", "no-store, s-maxage=60", "x=\"a, public\""]
        {
            assert!(!is_shared(&[("cache-control", value)]), "{value}");
        }
        assert!(is_shared(&[("cdn-cache-control", "max-age=60")]));
        assert!(is_shared(&[("surrogate-control", "max-age=60"), ("cache-control", "no-cache")]));
        assert!(!is_shared(&[("surrogate-control", "no-store"), ("x-accel-expires", "0")]));
        assert!(!is_shared(&[("surrogate-control", "max-age=60"), ("cache-control", "private")]));
        assert!(!is_shared(&[]));
    }

    #[test]
    fn b_6_what_speaks_to_shared_caches_alone_is_taken_out() {
        let mut headers = HeaderMap::new();
        for name in FOR_SHARED_CACHES.iter().chain([&HeaderName::from_static("some-cache-control"), &header::ETAG]) {
            headers.insert(name, HeaderValue::from_static("max-age=600"));
        }
        make_private(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), [header::ETAG, header::CACHE_CONTROL]);
    }
}
