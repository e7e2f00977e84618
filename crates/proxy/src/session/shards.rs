//! Splits one encrypted value over numbered cookies that are small enough for browsers, and finds them again in a request.
//!
//! The first character of shard 0 is the number of shards. It is not encrypted and needs no protection: a wrong number does
//! not match the cookies of the request, and the joined text must decrypt as a whole.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header};
use memchr::memchr;

use crate::message::cookie::{self, SameSite};
use crate::session::error::Error;

/// Maximum number of shards of a session (DESIGN §5, ALB §3.1).
pub(crate) const SHARDS_MAX: usize = 4;

/// Maximum size of a `Set-Cookie` line with its name and attributes, in bytes. Every browser keeps a cookie of this size
/// (RFC 6265bis §5.6).
pub(super) const LINE_BYTES_MAX: usize = 4096;

/// Maximum number of combinations of shards that [`possible`] returns.
const COMBINATIONS_MAX: usize = 64;

/// Maximum number of cookie pairs that are read in one request. The pairs after them are ignored (attacks D-07).
const PAIRS_MAX: usize = 512;

/// Maximum number of cookies that one answer deletes in addition to the four names.
const STRAYS_MAX: usize = 16;

/// The shards of one session in a request, in order. They have not been decrypted yet.
#[derive(Clone, Copy, Debug)]
pub struct Shards<'h> {
    values: [&'h [u8]; SHARDS_MAX],
    count: usize,
}

/// The session cookies that a request carries.
#[derive(Debug)]
pub enum Found<'h> {
    /// No session cookie.
    Nothing,
    /// The cookies are not one whole session: a shard is missing, comes twice, or is one too many. Vestibule never chooses
    /// between them (attacks S-02, S-10).
    Broken,
    /// All shards from the first to the last.
    Whole(Shards<'h>),
}

/// Finds a session's shards in the `Cookie` fields. Runs for every request, so it reads the fields once and does not
/// allocate.
pub fn find<'h>(headers: &'h HeaderMap, base: &str) -> Found<'h> {
    let mut values: [Option<&[u8]>; SHARDS_MAX] = [None; SHARDS_MAX];
    let mut found = 0;
    for (number, value) in numbered(headers, base.as_bytes()) {
        match number {
            [digit @ b'0'..=b'3'] => values[usize::from(digit - b'0')] = Some(value),
            _ => return Found::Broken,
        }
        // A name that comes twice is counted twice. The total then never matches the count that is checked below.
        found += 1;
    }
    if found == 0 {
        return Found::Nothing;
    }
    let count = match values[0].and_then(<[u8]>::first) {
        Some(digit @ b'1'..=b'4') => usize::from(digit - b'0'),
        _ => return Found::Broken,
    };
    if count != found || values[..count].iter().any(Option::is_none) {
        return Found::Broken;
    }
    Found::Whole(Shards { values: values.map(Option::unwrap_or_default), count })
}

/// Every session that the cookies may belong to. If a shard comes twice or is one too many, these are all combinations, up
/// to a limit. Only for a sign-out, which may end each of them. They never sign a user in, because an attacker who plants a
/// cookie could choose the session (attacks S-10).
pub(crate) fn possible<'h>(headers: &'h HeaderMap, base: &str) -> Vec<Shards<'h>> {
    let mut values: [Vec<&[u8]>; SHARDS_MAX] = Default::default();
    for (number, value) in numbered(headers, base.as_bytes()) {
        if let [digit @ b'0'..=b'3'] = number {
            let known = &mut values[usize::from(digit - b'0')];
            if known.len() < COMBINATIONS_MAX && !known.contains(&value) {
                known.push(value);
            }
        }
    }
    let mut possible = Vec::new();
    for first in &values[0] {
        let Some(digit @ b'1'..=b'4') = first.first() else { continue };
        let count = usize::from(digit - b'0');
        let mut combinations = vec![Shards { values: [first, &[], &[], &[]], count }];
        for (number, choices) in values.iter().enumerate().take(count).skip(1) {
            let with = |shards: &Shards<'h>, value| {
                let mut shards = *shards;
                shards.values[number] = value;
                shards
            };
            let longer = combinations.iter().flat_map(|shards| choices.iter().map(|value| with(shards, *value)));
            combinations = longer.take(COMBINATIONS_MAX).collect();
        }
        possible.extend(combinations);
    }
    possible.truncate(COMBINATIONS_MAX);
    possible
}

/// Whether two cookies of a session have the same name.
pub(crate) fn has_twins(headers: &HeaderMap, base: &str) -> bool {
    let mut numbers: Vec<&[u8]> = numbered(headers, base.as_bytes()).map(|(number, _)| number).collect();
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len() < count
}

impl<'h> Shards<'h> {
    /// The value of each shard, in order.
    pub fn values(&self) -> &[&'h [u8]] {
        &self.values[..self.count]
    }

    /// The encrypted text, joined from all shards, without the count at its beginning.
    pub(super) fn sealed(&self) -> Result<Cow<'h, [u8]>, Error> {
        match self.values() {
            [only] => only.get(1..).map(Cow::Borrowed).ok_or(Error::Invalid),
            all => all.concat().get(1..).map(|text| Cow::Owned(text.to_vec())).ok_or(Error::Invalid),
        }
    }
}

/// The `Set-Cookie` lines for an encrypted text: the shards, then the deletions of shards with higher numbers (pitfalls 22).
pub(super) fn write(
    same_site: SameSite,
    base: &str,
    text: &str,
    max_age_seconds: u64,
) -> Result<Vec<HeaderValue>, Error> {
    let set = |number, value: &str, seconds| cookie::set_for(same_site, &name(base, number), value, seconds);
    let frame = set(0, "", max_age_seconds).len();
    let room = LINE_BYTES_MAX.checked_sub(frame).filter(|room| *room > 0).ok_or(Error::TooLarge)?;
    let count = (text.len() + 1).div_ceil(room);
    if count > SHARDS_MAX {
        return Err(Error::TooLarge);
    }
    let counted = format!("{count}{text}");
    let mut lines = Vec::with_capacity(SHARDS_MAX);
    for (number, shard) in counted.as_bytes().chunks(room).enumerate() {
        let shard = std::str::from_utf8(shard).expect("base64url is ASCII");
        lines.push(set(number, shard, max_age_seconds));
    }
    lines.extend((count..SHARDS_MAX).map(|number| set(number, "", 0)));
    Ok(lines)
}

/// Every cookie name to delete: the four names of shards, and other numbered names that the request carried.
pub(super) fn names(base: &str, headers: &HeaderMap) -> Vec<String> {
    let mut names: Vec<String> = (0..SHARDS_MAX).map(|number| name(base, number)).collect();
    for (number, _) in numbered(headers, base.as_bytes()).take(PAIRS_MAX) {
        let stray = format!("{base}-{}", String::from_utf8_lossy(number));
        if names.len() < SHARDS_MAX + STRAYS_MAX && !names.contains(&stray) {
            names.push(stray);
        }
    }
    names
}

fn name(base: &str, number: usize) -> String {
    format!("{base}-{number}")
}

/// The digits and the value of each cookie named `base-<digits>`.
fn numbered<'h>(headers: &'h HeaderMap, base: &[u8]) -> impl Iterator<Item = (&'h [u8], &'h [u8])> {
    named(headers, base).filter(|(number, _)| is_number(number))
}

/// Whether `base-<rest>` is a numbered name: the name of a shard, or one with a number that no shard has.
pub(super) fn is_number(rest: &[u8]) -> bool {
    !rest.is_empty() && rest.iter().all(u8::is_ascii_digit)
}

/// The rest of the name and the value of each cookie named `base-<rest>`.
pub(super) fn named<'h>(headers: &'h HeaderMap, base: &[u8]) -> impl Iterator<Item = (&'h [u8], &'h [u8])> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|field| cookie::raw_pairs(field.as_bytes()))
        .take(PAIRS_MAX)
        .filter_map(move |pair| {
            let rest = pair.strip_prefix(base)?.strip_prefix(b"-")?;
            let end = memchr(b'=', rest)?;
            Some((&rest[..end], &rest[end + 1..]))
        })
}

#[cfg(test)]
mod tests;
