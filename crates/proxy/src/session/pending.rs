//! Pending logins: encrypted cookies for each attempt, so that several tabs can sign in at once (pitfalls 1).
//!
//! The cookie's name contains a short hash of `state`. The value contains the time of issue and the encrypted login. The
//! time of issue is not encrypted and only decides which cookies to delete. Expiry is checked with the time inside the
//! encrypted value. A login with a long address is split over several cookies.
//!
//! `state` itself is an encrypted value too, a [ticket](PendingLogins::seal_ticket). If the cookie is missing, `state` still
//! contains the address that the user asked for. It proves nothing else, because anyone who begins a login gets a `state`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use miniz_oxide::deflate::{CompressionLevel, compress_to_vec};
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::crypto::sealed::Sealer;
use crate::message::cookie;
use crate::session::error::Error;
use crate::session::purpose::Purpose;
use crate::session::{settings, shards};

/// Maximum time from the redirect to the callback (ALB §2.4).
pub(crate) const LOGIN_WINDOW: Duration = Duration::from_secs(15 * 60);

/// How long the browser keeps the cookie of a login. Longer than [`LOGIN_WINDOW`], so that a late callback is recognised as
/// an expired login and not as an unknown one.
pub(crate) const COOKIE_LIFE: Duration = Duration::from_secs(2 * 3600);

/// Maximum number of pending logins in one browser. A new login deletes the oldest beyond it (attacks D-17).
pub(crate) const LOGINS_MAX: usize = 6;

/// Maximum number of cookies of one login.
const PARTS_MAX: usize = 32;

/// Maximum size of a login before compression, in bytes. No request head is larger.
const PLAIN_BYTES_MAX: usize = 1024 * 1024;

/// A login with fewer bytes is not compressed, because compression would save nothing.
const COMPRESSED_FROM: usize = 1024;

/// Maximum number of cookies of old attempts that one response deletes.
const DELETIONS_MAX: usize = 48;

/// The part of the cookie's name between the base name and the tag.
const LOGIN: &str = "login";

/// Length of a [`tag`] in characters.
const TAG_LENGTH: usize = 8;

/// Separates the tag and the number in the names of the second and later cookies of a login.
const PART: u8 = b'.';

/// Reads and writes the pending logins with one base name of cookies.
#[derive(Clone, Debug)]
pub struct PendingLogins {
    sealer: Sealer,
    base: Arc<str>,
    prefix: String,
    bytes_max: usize,
}

/// A pending login that was found.
#[derive(Debug)]
pub(crate) struct Found<T> {
    /// The decrypted login.
    pub(crate) login: T,
    /// Whether the login is older than [`LOGIN_WINDOW`].
    pub(crate) is_expired: bool,
}

#[derive(Serialize, Deserialize)]
struct Kept<T> {
    state: String,
    issued_at: u64,
    login: T,
}

impl PendingLogins {
    /// Pending logins in cookies named `base-login-…`. All of them together may take up to `bytes_max` bytes of a request.
    pub fn new(settings: &settings::Settings, base: Arc<str>, bytes_max: usize) -> Self {
        Self { sealer: Sealer::new(Arc::clone(&settings.keys)), prefix: format!("{base}-{LOGIN}"), base, bytes_max }
    }

    /// Encrypts a value for use as `state`, or in a link on one of Vestibule's own pages.
    pub(crate) fn seal_ticket<T: Serialize>(&self, host: &str, ticket: &T) -> String {
        self.sealer.seal(&Purpose::Ticket.context(&self.base, host), ticket)
    }

    /// Decrypts a value that [`seal_ticket`](Self::seal_ticket) made.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the value was not encrypted for this host and this base name.
    pub fn open_ticket<T: DeserializeOwned>(&self, host: &str, text: &str) -> Result<T, Error> {
        Ok(self.sealer.open(&Purpose::Ticket.context(&self.base, host), text.as_bytes())?)
    }

    /// The `Set-Cookie` lines that store `login` until the callback with `state`, and delete older logins beyond the limits.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if the cookies of the login would be larger than a request may carry.
    pub(crate) fn save<T: Serialize>(
        &self,
        host: &str,
        state: &str,
        login: T,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Vec<HeaderValue>, Error> {
        let kept = Kept { state: state.to_owned(), issued_at: now.millis(), login };
        let plain = packed(&serde_json::to_vec(&kept).map_err(|_| Error::TooLarge)?)?;
        let text = self.sealer.seal_bytes(&Purpose::PendingLogin.context(&self.base, host), &plain);
        let name = self.name(state);
        let mut lines = self.lines(&name, now, &text)?;
        let bytes = lines.iter().map(HeaderValue::len).sum::<usize>();
        if bytes > self.bytes_max {
            return Err(Error::TooLarge);
        }
        let surplus = self.surplus(headers, now, self.bytes_max - bytes);
        lines.extend(surplus.iter().map(|name| cookie::delete(name)));
        Ok(lines)
    }

    /// Splits the encrypted text over cookies. A single cookie is `seconds.text`. Of several, the first is
    /// `seconds.count.text` and the others are the rest of the text.
    fn lines(&self, name: &str, now: Timestamp, text: &str) -> Result<Vec<HeaderValue>, Error> {
        let line = |number: usize, value: &str| {
            let name = if number == 0 { name.to_owned() } else { format!("{name}{}{number}", char::from(PART)) };
            cookie::set(&name, value, COOKIE_LIFE.as_secs())
        };
        let whole = line(0, &format!("{}.{text}", now.seconds()));
        if whole.len() <= shards::LINE_BYTES_MAX {
            return Ok(vec![whole]);
        }
        let head = |count: usize| format!("{}.{count}.", now.seconds());
        let frame = line(PARTS_MAX, &head(PARTS_MAX)).len();
        let room = shards::LINE_BYTES_MAX.checked_sub(frame).filter(|room| *room > 0).ok_or(Error::TooLarge)?;
        let count = text.len().div_ceil(room);
        if count > PARTS_MAX {
            return Err(Error::TooLarge);
        }
        let parts = text.as_bytes().chunks(room).enumerate();
        Ok(parts
            .map(|(number, part)| {
                let part = std::str::from_utf8(part).expect("base64url is ASCII");
                if number == 0 { line(0, &format!("{}{part}", head(count))) } else { line(number, part) }
            })
            .collect())
    }

    /// Finds the pending login that began with `state` in this browser on this host.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if no such login can be decrypted, or if two of its cookies have the same name.
    pub(crate) fn find<T: DeserializeOwned>(
        &self,
        host: &str,
        state: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Found<T>, Error> {
        let text = self.text(&tag(state), headers).ok_or(Error::Invalid)?;
        let plain = self.sealer.open_bytes(&Purpose::PendingLogin.context(&self.base, host), &text)?;
        let kept: Kept<T> = serde_json::from_slice(&unpacked(&plain)?).map_err(|_| Error::Invalid)?;
        if !octets::equal(kept.state.as_bytes(), state.as_bytes()) {
            return Err(Error::Invalid);
        }
        let is_expired = now.since(Timestamp::from_millis(kept.issued_at)) > LOGIN_WINDOW;
        Ok(Found { login: kept.login, is_expired })
    }

    /// The encrypted text of the login with this tag. `None` if one of its cookies is missing or comes twice.
    fn text(&self, tag: &str, headers: &HeaderMap) -> Option<Vec<u8>> {
        let mut parts: [Option<&[u8]>; PARTS_MAX] = [None; PARTS_MAX];
        let mut found = 0;
        for (number, value) in self.parts(tag, headers) {
            *parts.get_mut(number)? = Some(value);
            // A number that comes twice is counted twice. The total then never matches the count that is checked below.
            found += 1;
        }
        let first = parts[0]?;
        let rest = &first[memchr::memchr(b'.', first)? + 1..];
        let Some(dot) = memchr::memchr(b'.', rest) else { return (found == 1).then(|| rest.to_vec()) };
        let count: usize = std::str::from_utf8(&rest[..dot]).ok()?.parse().ok()?;
        if count != found || count > PARTS_MAX {
            return None;
        }
        let mut text = rest[dot + 1..].to_vec();
        for part in &parts[1..count] {
            text.extend_from_slice((*part)?);
        }
        Some(text)
    }

    /// Whether a request has cookies for the login of `state`, and whether two of them have the same name.
    pub(crate) fn is_carried(&self, state: &str, headers: &HeaderMap) -> Carried {
        let tag = tag(state);
        let mut numbers: Vec<usize> = self.parts(&tag, headers).map(|(number, _)| number).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        match (count, count - numbers.len()) {
            (0, _) => Carried::No,
            (_, 0) => Carried::Once,
            _ => Carried::Twice,
        }
    }

    /// The `Set-Cookie` lines that delete the login of `state`, whether it finished or not.
    pub(crate) fn delete(&self, state: &str, headers: &HeaderMap) -> Vec<HeaderValue> {
        let tag = tag(state);
        let more = self.parts(&tag, headers).map(|(number, _)| number).filter(|number| *number > 0);
        let names = more.map(|number| format!("{}-{tag}{}{number}", self.prefix, char::from(PART)));
        std::iter::once(self.name(state)).chain(names).map(|name| cookie::delete(&name)).collect()
    }

    /// The number and the value of each cookie of the login with this tag.
    fn parts<'h>(&self, tag: &str, headers: &'h HeaderMap) -> impl Iterator<Item = (usize, &'h [u8])> {
        shards::named(headers, self.prefix.as_bytes()).filter_map(move |(rest, value)| {
            let (of, number) = split(rest)?;
            (of == tag.as_bytes()).then_some((number, value))
        })
    }

    /// Names of the cookies to delete: those of expired logins, and those of the oldest logins that exceed the limits when a
    /// new login is added.
    fn surplus(&self, headers: &HeaderMap, now: Timestamp, bytes_max: usize) -> Vec<String> {
        let mut others: Vec<Other<'_>> = Vec::new();
        let mut later: Vec<(&[u8], &[u8], usize)> = Vec::new();
        for (rest, value) in shards::named(headers, self.prefix.as_bytes()) {
            let Some((tag, number)) = split(rest) else { continue };
            let bytes = self.prefix.len() + rest.len() + value.len();
            if number == 0 {
                others.push(Other { issued_at: issued_at_seconds(value), tag, names: vec![rest], bytes });
            } else {
                later.push((tag, rest, bytes));
            }
        }
        for (tag, rest, bytes) in later {
            match others.iter_mut().find(|other| other.tag == tag) {
                Some(other) => {
                    other.names.push(rest);
                    other.bytes += bytes;
                }
                None => others.push(Other { issued_at: 0, tag, names: vec![rest], bytes }),
            }
        }
        others.sort_unstable_by_key(|other| std::cmp::Reverse(other.issued_at));
        let oldest = (now - COOKIE_LIFE).seconds();
        let mut room = bytes_max;
        let stays = |other: &&Other<'_>| {
            let fits = other.issued_at >= oldest && other.bytes <= room;
            room = room.saturating_sub(other.bytes);
            fits
        };
        let stays = others.iter().take(LOGINS_MAX - 1).take_while(stays).count();
        let surplus = others[stays..].iter().flat_map(|other| &other.names).take(DELETIONS_MAX);
        surplus.map(|rest| format!("{}-{}", self.prefix, String::from_utf8_lossy(rest))).collect()
    }

    fn name(&self, state: &str) -> String {
        format!("{}-{}", self.prefix, tag(state))
    }
}

/// Which cookies of a login a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// No cookie of the login.
    No,
    /// At least one cookie, and no name twice.
    Once,
    /// Two cookies with the same name.
    Twice,
}

/// Another login in the same browser.
struct Other<'h> {
    issued_at: u64,
    tag: &'h [u8],
    /// The names of its cookies, without the prefix.
    names: Vec<&'h [u8]>,
    bytes: usize,
}

/// Compresses the JSON if it is large enough. The first byte tells the two forms apart: uncompressed JSON begins with `{`.
fn packed(json: &[u8]) -> Result<Vec<u8>, Error> {
    if json.len() < COMPRESSED_FROM {
        return Ok(json.to_vec());
    }
    if json.len() > PLAIN_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    let mut packed = vec![0];
    packed.append(&mut compress_to_vec(json, CompressionLevel::DefaultLevel as u8));
    Ok(packed)
}

fn unpacked(plain: &[u8]) -> Result<Vec<u8>, Error> {
    match plain.split_first() {
        Some((0, packed)) => decompress_to_vec_with_limit(packed, PLAIN_BYTES_MAX).map_err(|_| Error::Invalid),
        _ => Ok(plain.to_vec()),
    }
}

/// Whether `base-<rest>` is the name of a cookie of a pending login.
pub(super) fn is_login(rest: &[u8]) -> bool {
    // The comparison ignores case, as it does for the whole name.
    let Some((login, tag)) = rest.split_at_checked(LOGIN.len()) else { return false };
    login.eq_ignore_ascii_case(LOGIN.as_bytes()) && tag.strip_prefix(b"-").and_then(split).is_some()
}

/// The tag and the number of the cookie, read from the part of the name after the prefix.
fn split(rest: &[u8]) -> Option<(&[u8], usize)> {
    let (tag, more) = rest.split_at_checked(TAG_LENGTH)?;
    if !tag.iter().copied().all(is_tag_byte) {
        return None;
    }
    match more.split_first() {
        None => Some((tag, 0)),
        Some((&PART, digits)) if digits.len() <= 2 && digits.iter().all(u8::is_ascii_digit) => {
            Some((tag, std::str::from_utf8(digits).ok()?.parse().ok()?))
        }
        Some(_) => None,
    }
}

/// Eight characters that distinguish the cookies of one attempt, or one action, from another. The tag proves nothing: the
/// encrypted value contains the whole `state`.
pub(crate) fn tag(state: &str) -> String {
    URL_SAFE_NO_PAD.encode(&octets::sha256(state.as_bytes())[..6])
}

const fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The time of issue in a cookie's value, in seconds. Zero, older than any other, if the value has none.
fn issued_at_seconds(value: &[u8]) -> u64 {
    let digits = value.split(|byte| *byte == b'.').next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
