//! Reads the stickiness cookies of a request.

use http::{HeaderMap, header};
use memchr::memchr;

use crate::clock::Timestamp;
use crate::message::cookie;
use crate::upstream::stickiness::binding::{Seal, Tag};
use crate::upstream::stickiness::lines::Medium;
use crate::upstream::stickiness::names::Names;

/// Maximum number of cookie pairs that are read in one request (attacks D-07).
pub(super) const PAIRS_MAX: usize = 512;

/// What the cookie of these names binds the browser to. A cookie that cannot be decrypted or is over counts as none.
pub(super) fn binding_in(
    headers: &HeaderMap,
    names: &Names,
    medium: Medium,
    seal: &Seal,
    now: Timestamp,
) -> Option<Tag> {
    let name = if medium == Medium::Plain { &names.plain } else { &names.secure };
    let open = |name: &str| seal.open(first(headers, name.as_bytes())?, now);
    // At most two are decrypted.
    open(name).or_else(|| open(names.twin?))
}

/// The value of the first cookie of that name.
fn first<'h>(headers: &'h HeaderMap, name: &[u8]) -> Option<&'h [u8]> {
    let fields = headers.get_all(header::COOKIE).iter();
    let mut pairs = fields.flat_map(|field| cookie::raw_pairs(field.as_bytes())).take(PAIRS_MAX);
    pairs.find_map(|pair| {
        let end = memchr(b'=', pair)?;
        (&pair[..end] == name).then(|| &pair[end + 1..])
    })
}
