//! `Cookie` of requests and `Set-Cookie` of answers, against readers that are as simple as can be.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};

use crate::message::cookie;
use crate::message::own_fields::OwnFields;
use crate::session::names::OurCookies;
use crate::session::shards::{self, Found};
use crate::upstream::stickiness::settings::Format;

const BASE: &str = "shop";

/// Each line of `input` is a `Cookie` field, and then a `Set-Cookie` field.
pub fn cookies(input: &[u8]) {
    let lines: Vec<HeaderValue> =
        input.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    of_a_request(&lines);
    of_an_answer(&lines);
}

/// Of sessions called `shop`, of a user pool, and of stickiness in both formats.
fn our_cookies() -> OurCookies {
    let stickiness = [Format::Vestibule, Format::Alb].into_iter().flat_map(Format::reserved).copied();
    OurCookies::new([Arc::from(BASE)], true).and(stickiness)
}

fn of_a_request(lines: &[HeaderValue]) {
    let mut headers: HeaderMap = lines.iter().map(|line| (header::COOKIE, line.clone())).collect();
    let expected = pairs(lines);
    let found: Vec<(&str, &str)> = cookie::pairs(&headers).collect();
    // Our readers have a bound, and empty pairs count.
    let is_read_whole =
        lines.iter().map(|line| line.as_bytes().split(|byte| *byte == b';').count()).sum::<usize>() <= 500;
    if is_read_whole {
        let text = |(name, value): &(Vec<u8>, Option<Vec<u8>>)| {
            let whole = [name, &b"="[..], value.as_ref()?].concat();
            let (name, value) = std::str::from_utf8(&whole).ok()?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        let expected: Vec<(String, String)> = expected.iter().filter_map(text).collect();
        let found: Vec<_> = found.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(found, expected);
    }
    if is_read_whole {
        find_shards(&headers, &expected);
    }

    // What goes to a target has no cookie of ours, in the eyes of whoever reads it, and all of the others.
    let ours = our_cookies();
    let mut own = OwnFields::with_room();
    ours.strip_request(&headers, &mut own);
    let before = pairs(lines);
    own.write_into(&mut headers);
    let left: Vec<HeaderValue> = headers.get_all(header::COOKIE).iter().cloned().collect();
    let after = pairs(&left);
    if let Some((name, _)) = after.iter().find(|(name, _)| is_ours(name)) {
        panic!("a target gets our cookie {}", name.escape_ascii());
    }
    let kept: Vec<_> = before.into_iter().filter(|(name, _)| !is_ours(name)).collect();
    assert_eq!(after, kept, "a target does not get a cookie of its own");

    // One field says the same as many.
    cookie::join(&mut headers);
    assert!(headers.get_all(header::COOKIE).iter().count() <= 1);
    let joined: Vec<HeaderValue> = headers.get_all(header::COOKIE).iter().cloned().collect();
    assert_eq!(pairs(&joined), kept, "joining changes the cookies");
}

/// A session is found where the names count from 0 without a gap or a twin, and the first character says how many there are.
fn find_shards(headers: &HeaderMap, pairs: &[(Vec<u8>, Option<Vec<u8>>)]) {
    let mut numbered: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (name, value) in pairs {
        // The name up to the first `=`, with whatever blanks are before it: `shop-0 ` is no shard.
        let Some(value) = value else { continue };
        let number = name.strip_prefix(b"shop-").filter(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit));
        if let Some(number) = number {
            numbered.push((number.to_vec(), value.clone()));
        }
    }
    numbered.sort();
    let names: Vec<&[u8]> = numbered.iter().map(|(number, _)| &number[..]).collect();
    let expected = [&b"0"[..], b"1", b"2", b"3"];
    let is_whole = !names.is_empty() && names.len() <= 4 && names == expected[..names.len()];
    let count = u8::try_from(names.len()).ok().and_then(|count| b'0'.checked_add(count));
    let counts = numbered.first().is_some_and(|(_, value)| value.first().copied() == count);
    match shards::find(headers, BASE) {
        Found::Nothing => assert!(names.is_empty(), "a shard was not seen"),
        Found::Broken => {
            assert!(!names.is_empty(), "there is nothing that could be broken");
            assert!(!is_whole || !counts, "a whole session is called broken");
        }
        Found::Whole(found) => {
            assert!(is_whole && counts, "a broken session is called whole");
            let values: Vec<&[u8]> = numbered.iter().map(|(_, value)| &value[..]).collect();
            assert_eq!(found.values(), values);
        }
    }
}

fn of_an_answer(lines: &[HeaderValue]) {
    let mut headers: HeaderMap = lines.iter().map(|line| (header::SET_COOKIE, line.clone())).collect();
    let ours = our_cookies();
    let count = ours.strip_answer(&mut headers);
    let left: Vec<&HeaderValue> = headers.get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(left.len() + count, lines.len());
    if let Some(line) = left.iter().find(|line| sets_ours(line.as_bytes())) {
        panic!("a target sets our cookie: {}", line.as_bytes().escape_ascii());
    }
    let kept: Vec<&HeaderValue> = lines.iter().filter(|line| left.contains(line)).collect();
    assert_eq!(left, kept, "the others keep their order");
}

/// What a browser does with the line (RFC 6265bis §5.6), and then sends: `name=value`, or the value alone where the name is empty.
/// What it sends is read as a target or this program would.
fn sets_ours(line: &[u8]) -> bool {
    let pair = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (trim(&pair[..at]), trim(&pair[at + 1..])),
        None => (&b""[..], trim(pair)),
    };
    let sent = if name.is_empty() { value.to_vec() } else { [name, b"=", value].concat() };
    pairs(&[HeaderValue::from_bytes(&sent).expect("of a header")]).iter().any(|(name, _)| is_ours(name))
}

/// The names and values in some fields. No value where there is no `=`.
fn pairs(fields: &[HeaderValue]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for field in fields {
        for pair in field.as_bytes().split(|byte| *byte == b';') {
            let pair = trim(pair);
            match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => found.push((pair[..at].to_vec(), Some(pair[at + 1..].to_vec()))),
                None if pair.is_empty() => {}
                None => found.push((pair.to_vec(), None)),
            }
        }
    }
    found
}

/// Blanks and tabs: nothing else of what can be trimmed is in a header's value.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Names of this program, for [`our_cookies`].
fn is_ours(name: &[u8]) -> bool {
    let name = trim(name).to_ascii_lowercase();
    if name.starts_with(b"__host-vestibule-") || name == b"shop-login-rounds" {
        return true;
    }
    if name == b"awsalb"
        || name == b"awsalbcors"
        || name.starts_with(b"awsalbapp-")
        || name.starts_with(b"vestibule-target.")
        || name == b"awsalbtg"
        || name == b"awsalbtgcors"
        || name.starts_with(b"vestibule-group.")
    {
        return true;
    }
    let Some(rest) = name.strip_prefix(b"shop-") else { return false };
    if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit) {
        return true;
    }
    // `login-`, a tag of eight characters, and for the further cookies of a login a dot and its number.
    let Some(rest) = rest.strip_prefix(b"login-") else { return false };
    let Some((tag, more)) = rest.split_at_checked(8) else { return false };
    let is_tag = tag.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let is_part = match more {
        [] => true,
        [b'.', digits @ ..] => matches!(digits.len(), 1 | 2) && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_tag && is_part
}
