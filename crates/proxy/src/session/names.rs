//! The names of Vestibule's own cookies. The same list serves requests and answers: a target never sees these cookies, and a
//! target can never set them.
//!
//! A new cookie of Vestibule needs a line in [`OurCookies::contains`], a name that begins with [`RESERVED`], or a pattern that is given to
//! [`OurCookies::and`].

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};

use crate::message::cookie::{self, Kept, NamePattern};
use crate::message::own_fields::OwnFields;
use crate::session::{pending, rounds, shards};

/// Every name with this prefix belongs to Vestibule, in every version: the cookies of the user pool, and of sessions with
/// the default name.
const RESERVED: &str = "__Host-vestibule-";

/// The names of every session cookie, every pending login and every stickiness cookie of a configuration.
///
/// The comparison of names ignores case. Otherwise an application that ignores case could receive one of our cookies in
/// another spelling (attacks H-15).
#[derive(Debug, Default)]
pub struct OurCookies {
    /// Base names of sessions: `shop` for the cookies `shop-0` and `shop-login-AbCd1234`.
    bases: Vec<Arc<str>>,
    has_reserved: bool,
    /// Those that are no part of a session.
    others: Vec<NamePattern>,
}

impl OurCookies {
    /// The cookies of sessions with these base names. `has_pool` says whether there is a user pool.
    pub fn new(bases: impl IntoIterator<Item = Arc<str>>, has_pool: bool) -> Self {
        let mut bases: Vec<Arc<str>> = bases.into_iter().collect();
        bases.sort_unstable();
        bases.dedup();
        Self { has_reserved: has_pool || !bases.is_empty(), bases, others: Vec::new() }
    }

    /// The same, and the cookies with these names.
    pub fn and(mut self, others: impl IntoIterator<Item = NamePattern>) -> Self {
        self.others.extend(others);
        self
    }

    /// Whether a cookie of this name is ours: a shard of a session (`shop-0`), a pending login (`shop-login-AbCd1234`),
    /// anything under [`RESERVED`], or one of [`and`](Self::and). `shop-theme` is the application's.
    pub fn contains(&self, name: &[u8]) -> bool {
        if self.has_reserved && after(name, RESERVED).is_some() {
            return true;
        }
        if self.others.iter().any(|other| other.matches(name)) {
            return true;
        }
        self.bases.iter().any(|base| {
            let rest = after(name, base).and_then(|rest| rest.strip_prefix(b"-"));
            rest.is_some_and(|rest| shards::is_number(rest) || pending::is_login(rest) || rounds::is_rounds(rest))
        })
    }

    /// Removes Vestibule's cookies from the request that goes to a target.
    #[inline(always)]
    pub fn strip_request(&self, headers: &HeaderMap, fields: &mut OwnFields) {
        match cookie::without(headers, |name| self.contains(name)) {
            Kept::All => {}
            Kept::Some(cookies) => fields.add(header::COOKIE, cookies),
            Kept::Nothing => fields.omit(header::COOKIE),
        }
    }

    /// Removes every `Set-Cookie` line with one of Vestibule's names from a target's answer or its trailers. So a target can
    /// neither create nor end a session in a browser. Returns the number of removed lines.
    pub fn strip_answer(&self, fields: &mut HeaderMap) -> usize {
        // Nearly every answer has no such line. Then the map is only read.
        let is_ours = |line: &HeaderValue| cookie::names_set_by(line.as_bytes()).any(|name| self.contains(name));
        let count = fields.get_all(header::SET_COOKIE).iter().filter(|line| is_ours(line)).count();
        if count > 0 {
            let lines: Vec<HeaderValue> = fields.get_all(header::SET_COOKIE).iter().cloned().collect();
            fields.remove(header::SET_COOKIE);
            for line in lines.into_iter().filter(|line| !is_ours(line)) {
                fields.append(header::SET_COOKIE, line);
            }
        }
        count
    }
}

/// The part of `name` after `prefix`. The comparison ignores case.
fn after<'n>(name: &'n [u8], prefix: &str) -> Option<&'n [u8]> {
    let (head, rest) = name.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
}

#[cfg(test)]
mod tests;
