//! Pending logins: sealed cookies for each attempt, so that several tabs can sign in at once (pitfalls 1).
//!
//! A cookie's name carries a short hash of `state`, its value the time of issue (only to choose which one to delete) and the
//! seal. The time that counts is inside the seal. A login with a long address is split over several cookies.
//!
//! `state` itself is a sealed value too, a [ticket](PendingLogins::seal_ticket): where the cookie is gone, it still says where
//! the user was going. It proves nothing else, because anybody who has begun a login knows one.

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
use crate::crypto::aead::Key;
use crate::crypto::{compare, digest};
use crate::message::cookie;
use crate::session::error::Error;
use crate::session::sealed::{self, Purpose, Scope};
use crate::session::{settings, shards};

/// From the redirect to the callback (ALB §2.4).
pub(crate) const LOGIN_WINDOW: Duration = Duration::from_secs(15 * 60);

/// How long the cookie of a login lives. Longer than the login, so that a sign-in that took too long is known as that.
pub(crate) const COOKIE_LIFE: Duration = Duration::from_secs(2 * 3600);

/// Logins that one browser may have on their way; the oldest makes room (attacks D-17).
pub(crate) const LOGINS_MAX: usize = 6;

/// Most cookies of one login.
const PARTS_MAX: usize = 32;

/// Most bytes of a login before it is compressed. No request head is larger.
const PLAIN_BYTES_MAX: usize = 1024 * 1024;

/// A login of fewer bytes is not compressed: there is nothing to be gained.
const COMPRESSED_FROM: usize = 1024;

/// Cookies of old attempts that one answer deletes at most.
const DELETIONS_MAX: usize = 48;

/// Stands between the base name and the tag.
const LOGIN: &str = "login";

/// Characters of a [`tag`].
const TAG_LENGTH: usize = 8;

/// Stands between the tag and the number of the second cookie of a login and those after it.
const PART: u8 = b'.';

/// Pending logins under one cookie name.
#[derive(Clone, Debug)]
pub(crate) struct PendingLogins {
    keys: Arc<[Key]>,
    base: Arc<str>,
    prefix: String,
    bytes_max: usize,
}

/// A pending login that was found.
#[derive(Debug)]
pub(crate) struct Found<T> {
    /// What was kept.
    pub(crate) login: T,
    /// Whether it is within its window.
    pub(crate) is_expired: bool,
}

#[derive(Serialize, Deserialize)]
struct Kept<T> {
    state: String,
    issued_at: u64,
    login: T,
}

impl PendingLogins {
    /// Pending logins in cookies named `base-login-…`. All of them together may have `bytes_max` bytes in a request.
    pub(crate) fn new(settings: &settings::Settings, base: Arc<str>, bytes_max: usize) -> Self {
        Self { keys: Arc::clone(&settings.keys), prefix: format!("{base}-{LOGIN}"), base, bytes_max }
    }

    /// Seals a value that is to be used as `state`, or in a link of a page of ours.
    pub(crate) fn seal_ticket<T: Serialize>(&self, host: &str, ticket: &T) -> String {
        sealed::seal(&self.keys, &self.scope(Purpose::Ticket, host), ticket)
    }

    /// Opens what [`seal_ticket`](Self::seal_ticket) made.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for what was never sealed at this host under this name.
    pub(crate) fn open_ticket<T: DeserializeOwned>(&self, host: &str, text: &str) -> Result<T, Error> {
        sealed::open(&self.keys, &self.scope(Purpose::Ticket, host), text.as_bytes())
    }

    /// The `Set-Cookie` lines that keep `login` until the callback with `state`, and delete those that are too many.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] where it does not fit into what a request may bring along.
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
        let text = sealed::seal_bytes(&self.keys, &self.scope(Purpose::PendingLogin, host), &plain);
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

    /// Splits the sealed text. One cookie is `seconds.text`, more are `seconds.count.text` and then the rest of the text.
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

    /// Finds the login that was begun with `state` in this browser, at this host.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where there is none, or two that claim to be it.
    pub(crate) fn find<T: DeserializeOwned>(
        &self,
        host: &str,
        state: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Found<T>, Error> {
        let text = self.text(&tag(state), headers).ok_or(Error::Invalid)?;
        let plain = sealed::open_bytes(&self.keys, &self.scope(Purpose::PendingLogin, host), &text)?;
        let kept: Kept<T> = serde_json::from_slice(&unpacked(&plain)?).map_err(|_| Error::Invalid)?;
        if !compare::equal(kept.state.as_bytes(), state.as_bytes()) {
            return Err(Error::Invalid);
        }
        let is_expired = now.since(Timestamp::from_millis(kept.issued_at)) > LOGIN_WINDOW;
        Ok(Found { login: kept.login, is_expired })
    }

    /// The sealed text of the login with this tag. `None` where a cookie of it is missing or comes twice.
    fn text(&self, tag: &str, headers: &HeaderMap) -> Option<Vec<u8>> {
        let mut parts: [Option<&[u8]>; PARTS_MAX] = [None; PARTS_MAX];
        let mut found = 0;
        for (number, value) in self.parts(tag, headers) {
            *parts.get_mut(number)? = Some(value);
            // A number that comes twice counts twice, and so never matches the count below.
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

    /// How many cookies a request has for the login of `state`, and whether two of them have one name.
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

    /// The `Set-Cookie` lines that end the login of `state`, finished or not.
    pub(crate) fn delete(&self, state: &str, headers: &HeaderMap) -> Vec<HeaderValue> {
        let tag = tag(state);
        let more = self.parts(&tag, headers).map(|(number, _)| number).filter(|number| *number > 0);
        let names = more.map(|number| format!("{}-{tag}{}{number}", self.prefix, char::from(PART)));
        std::iter::once(self.name(state)).chain(names).map(|name| cookie::delete(&name)).collect()
    }

    /// The cookies of the login with this tag: their numbers, and their values.
    fn parts<'h>(&self, tag: &str, headers: &'h HeaderMap) -> impl Iterator<Item = (usize, &'h [u8])> {
        shards::named(headers, self.prefix.as_bytes()).filter_map(move |(rest, value)| {
            let (of, number) = split(rest)?;
            (of == tag.as_bytes()).then_some((number, value))
        })
    }

    /// Names of old attempts: those whose time is over, and the oldest beyond what may stay beside a new one.
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

    fn scope<'a>(&'a self, purpose: Purpose, host: &'a str) -> Scope<'a> {
        Scope { purpose, name: &self.base, host }
    }
}

/// What a request has of a login's cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// None of them.
    No,
    /// Each at most once.
    Once,
    /// Two cookies of one name.
    Twice,
}

/// Another login in the same browser.
struct Other<'h> {
    issued_at: u64,
    tag: &'h [u8],
    /// What its cookies are called after the prefix.
    names: Vec<&'h [u8]>,
    bytes: usize,
}

/// Compressed where that is worth it: the first byte of what is not is that of a JSON object.
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

/// Whether `base-<rest>` names a pending login.
pub(super) fn is_login(rest: &[u8]) -> bool {
    // Compared without case, as the whole name is.
    let Some((login, tag)) = rest.split_at_checked(LOGIN.len()) else { return false };
    login.eq_ignore_ascii_case(LOGIN.as_bytes()) && tag.strip_prefix(b"-").and_then(split).is_some()
}

/// The tag, and the number of the cookie, in what a name has after the prefix.
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

/// Eight characters that tell one attempt's cookie, or one action, from another. Not a proof: the seal holds the whole state.
pub(crate) fn tag(state: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest::sha256(state.as_bytes())[..6])
}

const fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// What the value says of its age; what says nothing is older than everything.
fn issued_at_seconds(value: &[u8]) -> u64 {
    let digits = value.split(|byte| *byte == b'.').next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
