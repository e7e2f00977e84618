//! What a stickiness cookie says: a target of one group, or a group of a weighted `forward`, and until when.
//!
//! The value is `version (1) ‖ target (16) ‖ end in milliseconds since the Unix epoch (8)`, encrypted with the keys of sessions. The group is
//! part of the seal, so a cookie of another group does not open. The host is not: whoever has a cookie can only choose among the targets
//! that answer them anyway.

use crate::clock::Timestamp;
use crate::crypto::aead::OVERHEAD_BYTES;
use crate::crypto::octets;
use crate::crypto::sealed::{Context, Sealer};
use crate::upstream::place::Place;
use crate::upstream::target::TargetId;

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
const PLAIN_BYTES: usize = 1 + TAG_BYTES + size_of::<u64>();

/// The length of every value, in characters of base64url.
pub(super) const TEXT_LENGTH: usize = ((PLAIN_BYTES + OVERHEAD_BYTES) * 4).div_ceil(3);

/// What a cookie calls a target: a hash of the scheme and the place; or a group: a hash of its name. Another process, and another replica, give it the same.
///
/// The hash has no key. It never leaves the process but encrypted, and a key would have to be tried for each target and each key of a
/// rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tag([u8; TAG_BYTES]);

impl Tag {
    /// The tag of a target. `None` for a DNS name without a known address: which of its addresses answers is not known.
    pub(super) fn of(id: &TargetId) -> Option<Self> {
        if matches!(id.place, Place::Name { .. }) {
            return None;
        }
        let scheme = if id.tls.is_some() { "https" } else { "http" };
        Some(Self::hash(&format!("vestibule target {scheme} {}", id.place)))
    }

    /// The tag of a target group, by its name.
    pub(super) fn of_group(name: &str) -> Self {
        Self::hash(&format!("vestibule group {name}"))
    }

    fn hash(text: &str) -> Self {
        let hash = octets::sha256(text.as_bytes());
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&hash[..TAG_BYTES]);
        Self(tag)
    }
}

/// Encrypts and decrypts the cookies of one group.
#[derive(Debug)]
pub(super) struct Seal {
    sealer: Sealer,
    context: Context,
}

impl Seal {
    pub(super) fn new(sealer: Sealer, group: &str) -> Self {
        Self { sealer, context: Context::new(["vestibule target stickiness", group]) }
    }

    /// For the cookies of a `forward` to several groups, of which `first` is the first.
    pub(super) fn of_groups(sealer: Sealer, first: &str) -> Self {
        Self { sealer, context: Context::new(["vestibule group stickiness", first]) }
    }

    /// The value of a cookie that binds a browser to `target` until `end`.
    pub(super) fn seal(&self, target: Tag, end: Timestamp) -> String {
        let mut plain = [0; PLAIN_BYTES];
        plain[0] = VERSION;
        plain[1..=TAG_BYTES].copy_from_slice(&target.0);
        plain[1 + TAG_BYTES..].copy_from_slice(&end.millis().to_be_bytes());
        self.sealer.seal_bytes(&self.context, &plain)
    }

    /// The target of a cookie. `None` if it was not made for this group with one of our keys, or is over. One answer for every cause,
    /// because each has the same effect.
    pub(super) fn open(&self, text: &[u8], now: Timestamp) -> Option<Tag> {
        // Nothing else is decrypted, however much is sent.
        if text.len() != TEXT_LENGTH {
            return None;
        }
        let plain: [u8; PLAIN_BYTES] = self.sealer.open_bytes(&self.context, text).ok()?.try_into().ok()?;
        let (tag, end) = plain[1..].split_first_chunk::<TAG_BYTES>()?;
        let end = Timestamp::from_millis(u64::from_be_bytes(end.try_into().ok()?));
        (plain[0] == VERSION && now < end).then_some(Tag(*tag))
    }
}

#[cfg(test)]
mod tests;
