//! What is in the file.

use crate::crypto::octets;

/// The first bytes of the file.
pub(super) const MAGIC: [u8; 8] = *b"vstbrch1";
/// What comes before the first entry.
pub(super) const HEADER_BYTES: u64 = 16;
/// Bytes of an entry.
pub(super) const ENTRY_BYTES: u64 = 8;

/// The entry of a password.
pub(super) fn prefix(password: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = octets::sha1(password);
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
